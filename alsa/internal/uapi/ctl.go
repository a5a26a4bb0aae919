package uapi

import "unsafe"

// CardInfo is struct snd_ctl_card_info.
type CardInfo struct {
	Card       int32
	_          int32
	ID         [16]byte
	Driver     [16]byte
	Name       [32]byte
	Longname   [80]byte
	_          [16]byte
	Mixername  [80]byte
	Components [128]byte
}

// Types, interfaces and access bits of control elements.
const (
	ElemBoolean    = 1
	ElemInteger    = 2
	ElemEnumerated = 3

	IfaceMixer = 2

	AccessRead     = 1 << 0
	AccessWrite    = 1 << 1
	AccessTLVRead  = 1 << 4
	AccessInactive = 1 << 8
)

// Kinds of scale in the type-length-value data of an element.
const (
	TLVContainer    = 0
	TLVScale        = 1
	TLVLinear       = 2
	TLVRange        = 3
	TLVMinMax       = 4
	TLVMinMaxMute   = 5
	TLVScaleMask    = 0xffff
	TLVScaleMuteBit = 0x10000
)

// ElemID is struct snd_ctl_elem_id.
type ElemID struct {
	Numid     uint32
	Iface     int32
	Device    uint32
	Subdevice uint32
	Name      [44]byte
	Index     uint32
}

// ElemList is struct snd_ctl_elem_list.
type ElemList struct {
	Offset uint32
	Space  uint32
	Used   uint32
	Count  uint32
	Pids   unsafe.Pointer // to Space of ElemID
	_      [50]byte
}

// ElemInfo is struct snd_ctl_elem_info.
type ElemInfo struct {
	ID     ElemID
	Type   int32
	Access uint32
	Count  uint32
	Owner  int32
	Value  [128]byte // of integers: least, greatest and step, each a C long
	_      [64]byte
}

// Limits are the least and greatest value of an integer element.
func (e *ElemInfo) Limits() (least, most int) {
	v := (*[2]int)(unsafe.Pointer(&e.Value))
	return v[0], v[1]
}

// SetLimits is the inverse, for a fake.
func (e *ElemInfo) SetLimits(least, most int) {
	*(*[2]int)(unsafe.Pointer(&e.Value)) = [2]int{least, most}
}

// ElemValue is struct snd_ctl_elem_value, of booleans and integers.
type ElemValue struct {
	ID    ElemID
	_     [8]byte // a bit field, and padding to the union's 8
	Value [128]int
	_     [128]byte
}

// TLV is struct snd_ctl_tlv with room for the scales there are.
type TLV struct {
	Numid  uint32
	Length uint32 // bytes of Data
	Data   [256]uint32
}

// text is a C string.
func text(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// Text returns the C string in a fixed field.
func Text[T [16]byte | [32]byte | [44]byte | [64]byte | [80]byte | [128]byte](field T) string {
	return text([]byte(string(fieldBytes(&field))))
}

func fieldBytes[T any](field *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(field)), unsafe.Sizeof(*field))
}
