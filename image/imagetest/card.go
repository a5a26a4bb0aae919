package imagetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tutti-audio/tutti/image/disk"
)

// Card is a file that stands for an SD card.
type Card string

// WriteCard writes an image onto a new card of so many bytes.
func WriteCard(image, to string, size int64) (Card, error) {
	if err := command("cp", "--sparse=always", image, to); err != nil {
		return "", err
	}
	return Card(to), os.Truncate(to, size)
}

// Copy writes the card's contents onto another.
func (c Card) Copy(to string) error { return command("cp", "--sparse=always", string(c), to) }

// Table reads the partition table.
func (c Card) Table() (t disk.Table, err error) {
	f, err := os.Open(string(c))
	if err != nil {
		return t, err
	}
	defer f.Close()
	var sector [disk.SectorSize]byte
	if _, err := io.ReadFull(f, sector[:]); err != nil {
		return t, err
	}
	return disk.Parse(sector[:])
}

// boot names the boot partition for mtools.
func (c Card) boot() (string, error) {
	t, err := c.Table()
	return fmt.Sprintf("%s@@%d", c, int64(t.Spans[disk.Boot-1].Start)*disk.SectorSize), err
}

// Read reads a file of the boot partition.
func (c Card) Read(name string) ([]byte, error) {
	boot, err := c.boot()
	if err != nil {
		return nil, err
	}
	var out, complaint bytes.Buffer
	cmd := exec.Command("mtype", "-i", boot, "::"+name)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("mtype %s: %w: %s", name, err, complaint.String())
	}
	return out.Bytes(), nil
}

// Write writes a file of the boot partition.
func (c Card) Write(name string, data []byte) error {
	boot, err := c.boot()
	if err != nil {
		return err
	}
	cmd := exec.Command("mcopy", "-o", "-i", boot, "-", "::"+name)
	cmd.Stdin = bytes.NewReader(data)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("mcopy %s: %w: %s", name, err, out)
	}
	return nil
}

// Entry returns where, in the boot partition, its table says how a file goes on after
// its first cluster.
func (c Card) Entry(name string) (at int64, err error) {
	const reserved = 32 * disk.SectorSize // before the table, by mkfs.vfat
	boot, err := c.boot()
	if err != nil {
		return 0, err
	}
	out, err := exec.Command("mshowfat", "-i", boot, "::"+name).CombinedOutput()
	_, clusters, _ := strings.Cut(string(out), "<") // "::A/kernel.img <1379-19767>"
	var first int64
	if _, scanned := fmt.Sscanf(clusters, "%d", &first); err != nil || scanned != nil {
		return 0, fmt.Errorf("mshowfat %s: %w: %s", name, errors.Join(err, scanned), out)
	}
	return reserved + 4*first, nil
}

// Find returns the partitions in which a text stands anywhere, in files or in what
// is left of them. 0 is the space outside of partitions.
func (c Card) Find(text string) (partitions []int, err error) {
	t, err := c.Table()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(string(c))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const size = 1 << 20
	buffer := make([]byte, size+len(text))
	for at := int64(0); ; at += size {
		n, err := f.ReadAt(buffer, at)
		for i, off := 0, 0; ; off += i + 1 {
			if i = bytes.Index(buffer[off:n], []byte(text)); i < 0 {
				break
			}
			partitions = append(partitions, partitionOf(t, at+int64(off+i)))
		}
		if errors.Is(err, io.EOF) {
			return partitions, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func partitionOf(t disk.Table, at int64) int {
	for i, s := range t.Spans {
		if sector := at / disk.SectorSize; sector >= int64(s.Start) && sector < int64(s.Start)+int64(s.Length) {
			return i + 1
		}
	}
	return 0
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// Duplicate makes slot B what slot A is, as an update with the same system would.
func (c Card) Duplicate(dir string) error {
	t, err := c.Table()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(string(c), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	from, to := t.Spans[disk.RootA-1], t.Spans[disk.RootB-1]
	root := io.NewSectionReader(f, int64(from.Start)*disk.SectorSize, int64(from.Length)*disk.SectorSize)
	_, err = io.Copy(io.NewOffsetWriter(f, int64(to.Start)*disk.SectorSize), root)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	boot, err := c.boot()
	if err != nil {
		return err
	}
	if err := command("mcopy", "-s", "-n", "-i", boot, "::"+disk.A.String(), dir); err != nil {
		return err
	}
	name := filepath.Join(dir, disk.B.String())
	if err := os.Rename(filepath.Join(dir, disk.A.String()), name); err != nil {
		return err
	}
	line := disk.CommandLine(t.Signature, disk.B)
	old, err := os.ReadFile(filepath.Join(name, "cmdline.txt"))
	if err != nil {
		return err
	}
	line += strings.TrimPrefix(string(old), disk.CommandLine(t.Signature, disk.A))
	if err := os.WriteFile(filepath.Join(name, "cmdline.txt"), []byte(line), 0o644); err != nil {
		return err
	}
	return command("mcopy", "-s", "-n", "-i", boot, name, "::")
}
