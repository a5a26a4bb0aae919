//go:build vm

package slot_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/image/boot"
	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/slot"
	"github.com/tutti-audio/tutti/image/update"
	"github.com/tutti-audio/tutti/internal/vm"
)

const fatSize = 48 << 20 // the smallest that FAT32 is

// TestCut records what an update writes to the boot partition, and cuts the power
// after each request, and again with some of those lost that were not flushed. Each
// time the partition is repaired as it is at the start of a speaker: then it must be
// without a fault, the slot that runs must be whole, and the new one must not be
// started before it is.
func TestCut(t *testing.T) {
	for name, files := range map[string]map[string][]byte{"pi": boot.PiFiles(), "efi": boot.EFIFiles(boot.Entry{Version: "1.0", CommandLine: "tutti.slot=A"})} {
		t.Run(name, func(t *testing.T) {
			c := &cut{T: t, dir: t.TempDir(), files: files, random: rand.New(rand.NewPCG(1, 2))}
			c.before()
			c.record()
			c.replay()
		})
	}
}

type cut struct {
	*testing.T
	dir    string
	files  map[string][]byte // of the boot partition, before
	parts  map[string][]byte // of the new slot
	image  []byte            // the boot partition, before
	passes int               // most repairs that one cut needed
	random *rand.Rand
}

func (c *cut) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(c.random.Uint32())
	}
	return b
}

// before makes a boot partition with two slots.
func (c *cut) before() {
	c.files["tutti.toml"] = []byte("name = \"Kitchen\"\n")
	for _, s := range []string{"A", "B"} {
		maps.Copy(c.files, map[string][]byte{s + "/kernel.img": c.noise(3 << 20), s + "/initramfs.img": c.noise(1 << 20), s + "/cmdline.txt": []byte(s)})
		for _, name := range []string{"bcm2837-rpi-3-b.dtb", "overlays/tutti-pcm5102a.dtbo", "overlays/README"} {
			c.files[s+"/"+name] = c.noise(5000)
		}
	}
	root := filepath.Join(c.dir, "before")
	for name, data := range c.files {
		c.must(os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		c.must(os.WriteFile(filepath.Join(root, name), data, 0o644))
	}
	fat := filepath.Join(c.dir, "fat")
	c.must(os.WriteFile(fat, nil, 0o644))
	c.must(os.Truncate(fat, fatSize))
	c.tool("mkfs.vfat", "-F", "32", "-s", "1", fat)
	top, err := filepath.Glob(root + "/*")
	c.must(err)
	c.tool("mcopy", append(append([]string{"-s", "-i", fat}, top...), "::")...)
	c.image, err = os.ReadFile(fat)
	c.must(err)
}

// record has a machine write the update, and QEMU what it writes.
func (c *cut) record() {
	c.parts = map[string][]byte{"kernel.img": c.noise(3<<20 + 777), "initramfs.img": c.noise(1 << 20), "new.dtb": c.noise(7000), "overlays/README": c.noise(99)}
	public, private, err := ed25519.GenerateKey(nil)
	c.must(err)
	m := update.Manifest{Board: "board", Version: "1.1"}
	var body bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(c.parts)) {
		p, err := update.NewPart(name, bytes.NewReader(c.parts[name]))
		c.must(err)
		m.Parts = append(m.Parts, p)
		body.Write(c.parts[name])
	}
	head, err := update.AppendHeader(nil, m, private)
	c.must(err)
	c.must(os.WriteFile(filepath.Join(c.dir, "key"), public, 0o644))
	c.must(os.WriteFile(filepath.Join(c.dir, "update"), append(head, body.Bytes()...), 0o644))
	c.must(os.WriteFile(filepath.Join(c.dir, "log"), nil, 0o644))
	began := time.Now()
	machine := vm.Machine{
		Arch: vm.Arches()[0], Init: c.guest(), Modules: []string{"virtio_pci", "virtio_blk", "vfat", "nls_cp437", "nls_ascii"},
		Files: map[string]string{"/update": filepath.Join(c.dir, "update"), "/key": filepath.Join(c.dir, "key")},
		Devices: []string{"-blockdev", fmt.Sprintf(`{"driver":"blklogwrites","node-name":"fat","log-sector-size":%d,"file":{"driver":"file","filename":"%s"},"log":{"driver":"file","filename":"%s"}}`,
			sector, filepath.Join(c.dir, "fat"), filepath.Join(c.dir, "log")), "-device", "virtio-blk-pci,drive=fat"},
		Log: func(line string) { c.Logf("%5.1f s  %s", time.Since(began).Seconds(), line) },
	}
	verdicts, err := machine.Run(c.Context())
	c.must(err)
	for _, v := range verdicts {
		if !v.OK {
			c.Fatalf("%s: %s", v.Name, v.Detail)
		}
	}
}

func (c *cut) guest() string {
	out := filepath.Join(c.dir, "cutguest")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./cutguest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64")
	b, err := cmd.CombinedOutput()
	if err != nil {
		c.Fatalf("%v\n%s", err, b)
	}
	return out
}

// replay makes each state that a power cut can leave, and looks at it.
func (c *cut) replay() {
	all, err := readLog(filepath.Join(c.dir, "log"))
	c.must(err)
	cuts, flushes, started := 0, 0, 0
	flushed := bytes.Clone(c.image) // what is on the disk for certain
	var unsure []write              // since then
	for i, w := range all {
		if w.flush {
			for _, u := range unsure {
				u.apply(flushed)
			}
			unsure = nil
			flushes++
		}
		if len(w.data) == 0 {
			continue
		}
		unsure = append(unsure, w)
		for lossy := range 2 {
			state := bytes.Clone(flushed)
			for _, u := range unsure {
				if lossy == 0 || c.random.IntN(2) == 0 {
					u.apply(state)
				}
			}
			cuts++
			started += c.look(state, fmt.Sprintf("cut %d of %d, lossy %d", i, len(all), lossy))
		}
	}
	c.Logf("%d requests, %d flushes: %d power cuts, after %d of which the update is started; at most %d repairs of one", len(all), flushes, cuts, started, c.passes)
	if started == 0 || started == cuts {
		c.Errorf("of %d cuts %d were after the update", cuts, started)
	}
}

// look repairs a boot partition and reports whether it starts the update.
func (c *cut) look(state []byte, when string) (started int) {
	name := filepath.Join(c.dir, "state")
	c.must(os.WriteFile(name, state, 0o644))
	var repair []byte
	passes := 0
	_, err := slot.Repair(func(option string) ([]byte, error) {
		out, err := exec.Command("fsck.vfat", option, name).CombinedOutput()
		repair = append(repair, out...)
		if option == "-a" {
			passes++
		}
		return out, err
	})
	if err != nil {
		c.Errorf("%s: %v\n%s", when, err, repair)
	}
	c.passes = max(c.passes, passes)
	found := c.read(name, when)
	for path, data := range c.files {
		if !strings.HasPrefix(path, "B/") && path != "slot.txt" && !bytes.Equal(found[path], data) {
			c.Errorf("%s: %s has changed\n%s", when, path, repair)
		}
	}
	if !starts(found) {
		return 0
	}
	for path, data := range c.parts {
		if !bytes.Equal(found["B/"+path], data) {
			c.Errorf("%s: B/%s is not whole, but is started\n%s", when, path, repair)
		}
	}
	if line := string(found["B/cmdline.txt"]); line != disk.CommandLine(1, disk.B, "")+"\n" {
		c.Errorf("%s: the command line is %q", when, line)
	}
	return 1
}

// read returns all files of a boot partition.
func (c *cut) read(name, when string) map[string][]byte {
	root, found := filepath.Join(c.dir, "after"), map[string][]byte{}
	c.must(os.RemoveAll(root))
	c.must(os.Mkdir(root, 0o755))
	if out, err := exec.Command("mcopy", "-s", "-n", "-i", name, "::/", root).CombinedOutput(); err != nil {
		c.Errorf("%s: %v\n%s", when, err, out)
	}
	c.must(fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found[path], err = os.ReadFile(filepath.Join(root, path))
		}
		return err
	}))
	return found
}

// starts reports whether the update is started next, or may be.
func starts(found map[string][]byte) bool {
	for path, data := range found {
		if path == "slot.txt" && strings.HasPrefix(string(data), "os_prefix=B/\n") {
			return true
		}
		if strings.HasPrefix(path, "loader/entries/tutti-b") && strings.HasSuffix(path, ".conf") && bytes.Contains(data, []byte("linux ")) {
			return true
		}
	}
	return false
}

func (c *cut) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

func (c *cut) tool(name string, args ...string) {
	c.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		c.Fatalf("%s: %v\n%s", name, err, out)
	}
}
