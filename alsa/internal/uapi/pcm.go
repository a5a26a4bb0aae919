// Package uapi holds what the kernel's sound interface looks like in memory: the
// structures, numbers and constants of <sound/asound.h> that Tutti uses, for
// little-endian Linux on amd64, arm64, riscv64 and 32-bit arm.
//
// A C long is a Go int, so one definition serves 32 and 64 bits. Two things Go
// does otherwise than C are spelt out: on 32-bit arm C aligns 64-bit integers to 8
// bytes and Go to 4, hence the padding; and a pointer for the kernel is an
// unsafe.Pointer, so that the collector sees it. Where <sound/asound.h> has two
// layouts for 32 bits, this is the one with 64-bit time: the kernel tells them
// apart by the size that is part of an ioctl's number.
//
// Sizes and offsets are asserted when compiling, for each architecture, and
// compared with C by a test.
package uapi

import "unsafe"

// The stream's direction, as in PCMInfo.
const (
	Playback = 0
	Capture  = 1
)

// State of a stream.
const (
	StateOpen         = 0
	StateSetup        = 1
	StatePrepared     = 2
	StateRunning      = 3
	StateXrun         = 4
	StateDraining     = 5
	StatePaused       = 6
	StateSuspended    = 7
	StateDisconnected = 8
)

// Masks and intervals of HwParams. Intervals are counted from FirstInterval.
const (
	ParamAccess     = 0
	ParamFormat     = 1
	ParamSubformat  = 2
	FirstInterval   = 8
	ParamChannels   = 10
	ParamRate       = 11
	ParamPeriodSize = 13
	ParamPeriods    = 15
	ParamBufferSize = 17
)

// Access types and sample formats.
const (
	AccessMmapInterleaved = 0
	AccessRWInterleaved   = 3

	FormatS16  = 2
	FormatS24  = 6 // in the low three bytes of four
	FormatS32  = 10
	FormatS243 = 32 // three bytes
)

// InfoBatch in HwParams.Info: the position moves by whole periods.
const InfoBatch = 0x10

// NoResample in HwParams.Flags asks for true rates only.
const NoResample = 1

// Time stamps.
const (
	TstampEnable        = 1
	TstampTypeMonotonic = 1
)

// Flags of SyncPtr: what is read instead of written.
const (
	SyncHwsync   = 1
	SyncAppl     = 2
	SyncAvailMin = 4
)

// Interval is struct snd_interval.
type Interval struct {
	Min, Max uint32
	Flags    uint32 // IntervalOpenMin and so on
}

// The bits of Interval.Flags.
const (
	IntervalOpenMin = 1
	IntervalOpenMax = 2
	IntervalInteger = 4
	IntervalEmpty   = 8
)

// Mask is struct snd_mask.
type Mask [8]uint32

// HwParams is struct snd_pcm_hw_params.
type HwParams struct {
	Flags     uint32
	Masks     [3]Mask
	_         [5]Mask
	Intervals [12]Interval
	_         [9]Interval
	Rmask     uint32 // in: what to look at
	Cmask     uint32 // out: what changed
	Info      uint32 // out
	Msbits    uint32 // out
	RateNum   uint32 // out
	RateDen   uint32 // out
	FifoSize  uint   // out, frames
	_         [64]byte
}

// SwParams is struct snd_pcm_sw_params.
type SwParams struct {
	TstampMode       int32
	PeriodStep       uint32
	SleepMin         uint32
	AvailMin         uint
	XferAlign        uint
	StartThreshold   uint
	StopThreshold    uint
	SilenceThreshold uint
	SilenceSize      uint
	Boundary         uint // out: where pointers wrap
	Proto            uint32
	TstampType       uint32
	_                [56]byte
}

// Timespec is a kernel time stamp.
type Timespec struct{ Sec, Nsec int64 }

// Nano is the stamp in nanoseconds.
func (t Timespec) Nano() int64 { return t.Sec*1e9 + t.Nsec }

// Status is struct snd_pcm_status.
type Status struct {
	State           int32
	_               [4]byte
	Trigger         Timespec
	Tstamp          Timespec
	ApplPtr         uint
	HwPtr           uint
	Delay           int
	Avail           uint
	AvailMax        uint
	Overrange       uint
	SuspendedState  int32
	AudioTstampData uint32 // in: type wanted; out: type given, and more
	AudioTstamp     Timespec
	DriverTstamp    Timespec
	AudioAccuracy   uint32 // ns
	_               [20]byte
}

// MmapStatus is struct snd_pcm_mmap_status.
type MmapStatus struct {
	State          int32
	_              uint32
	HwPtr          uint
	_              [8 - unsafe.Sizeof(uint(0))]byte
	Tstamp         Timespec
	SuspendedState int32
	_              uint32
	AudioTstamp    Timespec
}

// SyncPtr is struct snd_pcm_sync_ptr. Of the control part only ApplPtr has the
// same place everywhere.
type SyncPtr struct {
	Flags   uint32
	_       uint32
	Status  MmapStatus
	_       [64 - unsafe.Sizeof(MmapStatus{})]byte
	ApplPtr uint
	_       [64 - unsafe.Sizeof(uint(0))]byte
}

// Xferi is struct snd_xferi.
type Xferi struct {
	Result int
	Buf    unsafe.Pointer
	Frames uint
}

// PCMInfo is struct snd_pcm_info.
type PCMInfo struct {
	Device    uint32 // in
	Subdevice uint32 // in
	Stream    int32  // in
	Card      int32
	ID        [64]byte
	Name      [80]byte
	Subname   [32]byte
	Class     int32
	Subclass  int32
	Count     uint32
	Avail     uint32
	_         [16]byte
	_         [64]byte
}
