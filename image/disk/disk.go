// Package disk is the layout of a Tutti card: a master boot record with four
// partitions, of which the second and third hold the two slots of the system.
//
//	1  boot    FAT32  firmware, boot loader, and a folder for each slot: kernel, initramfs, device trees
//	2  root A  squashfs
//	3  root B  squashfs
//	4  data    ext4   all that changes; grows to the end of the card at the first start
//
// The disk signature says which disk of a machine is the card. Sizes are in bytes,
// places in sectors of 512. The package is pure.
package disk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// SectorSize is the unit of the partition table.
const SectorSize = 512

// Sizes of the partitions in a new image. Data grows on the card.
const (
	BootSize = 256 << 20
	RootSize = 320 << 20
	DataSize = 32 << 20
	first    = 4 << 20 // alignment and start of the first partition: an erase block
)

// Partition numbers.
const (
	Boot  = 1
	RootA = 2
	RootB = 3
	Data  = 4
)

// Partition types.
const (
	typeEFI   = 0xef // the Pi's firmware and EFI both read it
	typeLinux = 0x83
)

// ErrTable is wrapped when a sector holds no table of ours.
var ErrTable = errors.New("no Tutti partition table")

// Slot is one of the two systems on the card.
type Slot byte

// The slots, by their names.
const (
	A Slot = 'A'
	B Slot = 'B'
)

// ParseSlot reads "A" or "B".
func ParseSlot(s string) (Slot, error) {
	if s == "A" || s == "B" {
		return Slot(s[0]), nil
	}
	return 0, fmt.Errorf("slot %q: there are A and B", s)
}

// String implements fmt.Stringer.
func (s Slot) String() string { return string(rune(s)) }

// Other returns the other slot.
func (s Slot) Other() Slot { return A + B - s }

// Partition returns the number of the slot's root partition.
func (s Slot) Partition() int { return RootA + int(s-A) }

// Span is a partition's place in sectors.
type Span struct{ Start, Length uint32 }

// Table is a partition table.
type Table struct {
	Signature uint32
	Spans     [4]Span
}

// New lays a new image out.
func New(signature uint32) Table {
	t := Table{Signature: signature}
	at := uint32(first / SectorSize)
	for i, size := range [4]int{BootSize, RootSize, RootSize, DataSize} {
		t.Spans[i] = Span{Start: at, Length: uint32(size / SectorSize)}
		at += t.Spans[i].Length
	}
	return t
}

// Sectors returns how long a disk must be to hold the partitions.
func (t Table) Sectors() uint64 {
	last := t.Spans[Data-1]
	return uint64(last.Start) + uint64(last.Length)
}

// Grow stretches the data partition to the end of a disk of so many sectors, whole
// mebibytes of it, and reports whether that changed anything.
func (t *Table) Grow(sectors uint64) bool {
	const unit = (1 << 20) / SectorSize
	end := min(sectors, 1<<32-1) / unit * unit
	data := &t.Spans[Data-1]
	if end <= t.Sectors() {
		return false
	}
	data.Length = uint32(end) - data.Start
	return true
}

// Where the master boot record has what.
const (
	signatureAt = 440
	entriesAt   = 446
	entrySize   = 16
	magicAt     = 510
	magic       = 0xaa55
)

// Append appends the table as the disk's first sector.
func (t Table) Append(dst []byte) []byte {
	var s [SectorSize]byte
	binary.LittleEndian.PutUint32(s[signatureAt:], t.Signature)
	for i, p := range t.Spans {
		e := s[entriesAt+i*entrySize:][:entrySize]
		kind := byte(typeLinux)
		if i == Boot-1 {
			e[0], kind = 0x80, typeEFI // active
		}
		copy(e[1:], "\xfe\xff\xff") // cylinders: use the sector numbers
		e[4] = kind
		copy(e[5:], "\xfe\xff\xff")
		binary.LittleEndian.PutUint32(e[8:], p.Start)
		binary.LittleEndian.PutUint32(e[12:], p.Length)
	}
	binary.LittleEndian.PutUint16(s[magicAt:], magic)
	return append(dst, s[:]...)
}

// Parse reads a disk's first sector.
func Parse(b []byte) (t Table, err error) {
	if len(b) < SectorSize || binary.LittleEndian.Uint16(b[magicAt:]) != magic {
		return t, ErrTable
	}
	t.Signature = binary.LittleEndian.Uint32(b[signatureAt:])
	end := uint64(1)
	for i := range t.Spans {
		e := b[entriesAt+i*entrySize:][:entrySize]
		p := Span{Start: binary.LittleEndian.Uint32(e[8:]), Length: binary.LittleEndian.Uint32(e[12:])}
		if p.Length == 0 || uint64(p.Start) < end {
			return Table{}, fmt.Errorf("%w: partition %d at sector %d, length %d", ErrTable, i+1, p.Start, p.Length)
		}
		end = uint64(p.Start) + uint64(p.Length)
		t.Spans[i] = p
	}
	return t, nil
}

// Device returns the name of a disk's partition, as Linux calls it.
func Device(disk string, partition int) string {
	if last := disk[len(disk)-1]; last >= '0' && last <= '9' {
		return fmt.Sprintf("%sp%d", disk, partition)
	}
	return fmt.Sprintf("%s%d", disk, partition)
}

// CommandLine is what the kernel is told: which disk is the card, and which slot to
// start.
func CommandLine(signature uint32, slot Slot, more ...string) string {
	return strings.Join(append([]string{fmt.Sprintf("tutti.disk=%08x tutti.slot=%v", signature, slot)}, more...), " ")
}

// ParseCommandLine reads it back.
func ParseCommandLine(line string) (signature uint32, slot Slot, err error) {
	slotName := ""
	for _, word := range strings.Fields(line) {
		if v, ok := strings.CutPrefix(word, "tutti.disk="); ok {
			if _, err := fmt.Sscanf(v, "%x", &signature); err != nil {
				return 0, 0, fmt.Errorf("tutti.disk=%s on the kernel's command line: %w", v, err)
			}
		}
		if v, ok := strings.CutPrefix(word, "tutti.slot="); ok {
			slotName = v
		}
	}
	if slot, err = ParseSlot(slotName); err != nil {
		return 0, 0, fmt.Errorf("tutti.slot on the kernel's command line: %w", err)
	}
	return signature, slot, nil
}
