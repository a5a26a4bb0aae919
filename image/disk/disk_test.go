package disk

import (
	"errors"
	"testing"
)

func TestTable(t *testing.T) {
	table := New(0x7a11715e)
	b := table.Append(nil)
	if len(b) != SectorSize {
		t.Fatalf("%d bytes", len(b))
	}
	back, err := Parse(b)
	if err != nil || back != table {
		t.Fatalf("read back %+v, %v", back, err)
	}
	if n := table.Sectors() * SectorSize; n != first+BootSize+2*RootSize+DataSize {
		t.Errorf("the image has %d bytes", n)
	}
	for i, p := range table.Spans {
		if p.Start*SectorSize%first != 0 {
			t.Errorf("partition %d begins at sector %d, across erase blocks", i+1, p.Start)
		}
	}
}

func TestGrow(t *testing.T) {
	table := New(1)
	if table.Grow(table.Sectors()) || table.Grow(100) {
		t.Error("grew on a disk that has no more room")
	}
	const card = 8 << 30 / SectorSize
	if !table.Grow(card+77) || table.Sectors() != card {
		t.Errorf("on 8 GiB the partitions end at sector %d", table.Sectors())
	}
	if table.Grow(card) {
		t.Error("grew twice")
	}
	table.Grow(1 << 40)
	if end := table.Sectors(); end > 1<<32 || end < 1<<32-4096 {
		t.Errorf("on a huge disk the partitions end at sector %d", end)
	}
}

func TestParseRefuses(t *testing.T) {
	overlapping := New(1)
	overlapping.Spans[2].Start = overlapping.Spans[1].Start + 5
	for name, b := range map[string][]byte{"short": make([]byte, 100), "empty": make([]byte, SectorSize), "overlapping": overlapping.Append(nil)} {
		if _, err := Parse(b); !errors.Is(err, ErrTable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(New(7).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		table, err := Parse(b)
		if err != nil {
			return
		}
		if again, err := Parse(table.Append(nil)); err != nil || again != table {
			t.Errorf("%+v became %+v, %v", table, again, err)
		}
	})
}

func TestCommandLine(t *testing.T) {
	line := CommandLine(0xdeadbeef, B, "quiet")
	signature, slot, err := ParseCommandLine("console=tty1 " + line)
	if err != nil || signature != 0xdeadbeef || slot != B {
		t.Errorf("%q: %x %v %v", line, signature, slot, err)
	}
	for _, bad := range []string{"", "tutti.slot=C", "tutti.disk=xyz tutti.slot=A"} {
		if _, _, err := ParseCommandLine(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	if A.Other() != B || B.Other() != A || A.Partition() != 2 || B.Partition() != 3 {
		t.Error("slots are mixed up")
	}
	for disk, want := range map[string]string{"vda": "vda4", "mmcblk0": "mmcblk0p4", "nvme0n1": "nvme0n1p4"} {
		if got := Device(disk, Data); got != want {
			t.Errorf("partition 4 of %s is %s", disk, got)
		}
	}
}
