package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"

	"github.com/tutti-audio/tutti/image/boot"
	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/rootfs"
	"github.com/tutti-audio/tutti/image/update"
)

// build is an image being made.
type build struct {
	options
	work      string // folder that is removed
	key       ed25519.PrivateKey
	tree      *rootfs.Tree
	root      string // squashfs
	slot      map[string][]byte
	signature uint32
}

// compressed is the name of a step that is left out unless it is asked for.
const compressed = "compressed image"

func (b *build) path(ending string) string {
	return filepath.Join(b.out, "tutti-"+b.board.name+"-"+b.version+ending)
}

// makeImage makes the image and the update.
func makeImage(ctx context.Context, o options) (err error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	b := &build{options: o}
	if b.key, err = loadKey(o.key); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp(o.out, "work-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	archive := ""
	for _, s := range []struct {
		name string
		do   func() (string, error)
	}{
		{"Debian's packages", func() (string, error) { archive, err = fetch(ctx, o); return archive, err }},
		{"system", func() (string, error) { return b.system(ctx, archive) }},
		{"root file system", func() (string, error) { return b.squash(ctx) }},
		{"kernel, initramfs, device trees", func() (string, error) { b.slot, err = slotFiles(ctx, b.tree, o); return total(b.slot), err }},
		{"image", func() (string, error) { return b.image(ctx) }},
		{"update", b.update},
		{compressed, func() (string, error) { return b.compress(ctx) }},
		{"list for Raspberry Pi Imager", b.manifest},
	} {
		if s.name == compressed && !o.xz {
			continue
		}
		if err := step(s.name, s.do); err != nil {
			return err
		}
	}
	return nil
}

func total(files map[string][]byte) string {
	n := 0
	for _, data := range files {
		n += len(data)
	}
	return fmt.Sprintf("%d files, %.1f MB", len(files), float64(n)/1e6)
}

func (b *build) system(ctx context.Context, archive string) (detail string, err error) {
	if b.tree, err = unpack(ctx, archive, b.options); err != nil {
		return "", err
	}
	list, err := versions(archive)
	if err != nil {
		return "", err
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(b.path(".packages.json"), append(text, '\n'), 0o644); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d packages, kernel %s", len(list), kernelVersion(b.tree)), configure(ctx, b.tree, b.options, b.key.Public().(ed25519.PublicKey))
}

// squash writes the root file system, without the kernel.
func (b *build) squash(ctx context.Context) (string, error) {
	b.root = filepath.Join(b.work, update.Root)
	cmd := exec.CommandContext(ctx, "mksquashfs", "-", b.root, "-tar", "-comp", "zstd", "-Xcompression-level", "15", "-no-xattrs", "-no-progress", "-root-mode", "0755")
	cmd.Env = b.environment() // the time of the file system; files have theirs from the archive
	in, out := io.Pipe()
	go func() { out.CloseWithError(b.tree.WriteWithout(out, b.at, "boot/")) }()
	cmd.Stdin = in
	if err := run(cmd); err != nil {
		return "", err
	}
	info, err := os.Stat(b.root)
	if err != nil {
		return "", err
	}
	if info.Size() > disk.RootSize {
		return "", fmt.Errorf("%d bytes do not fit a slot of %d", info.Size(), disk.RootSize)
	}
	data, err := os.ReadFile(b.root)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	b.signature = binary.BigEndian.Uint32(sum[:]) | 1
	return fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), nil
}

// image puts the partitions together.
func (b *build) image(ctx context.Context) (string, error) {
	entry := boot.Entry{Version: b.version, CommandLine: disk.CommandLine(b.signature, disk.A, b.board.cmdline, b.extra)}
	files, err := bootFiles(b.tree, b.options, b.slot, entry)
	if err != nil {
		return "", err
	}
	fat, ext4 := filepath.Join(b.work, "fat"), filepath.Join(b.work, "ext4")
	if err := b.makeFAT(ctx, fat, files); err != nil {
		return "", err
	}
	if err := b.makeExt4(ctx, ext4); err != nil {
		return "", err
	}
	table := disk.New(b.signature)
	out, err := os.Create(b.path(".img"))
	if err != nil {
		return "", err
	}
	_, err = out.WriteAt(table.Append(nil), 0)
	for partition, file := range map[int]string{disk.Boot: fat, disk.RootA: b.root, disk.Data: ext4} {
		err = errors.Join(err, copyAt(out, int64(table.Spans[partition-1].Start)*disk.SectorSize, file))
	}
	err = errors.Join(err, out.Truncate(int64(table.Sectors())*disk.SectorSize), out.Close())
	return fmt.Sprintf("%s, %d MB", b.path(".img"), table.Sectors()*disk.SectorSize/1e6), err
}

// copyAt writes a file into another, leaving holes where it is zero.
func copyAt(to *os.File, at int64, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	const block = 64 << 10
	zero := make([]byte, block)
	for i := 0; i < len(data); i += block {
		part := data[i:min(i+block, len(data))]
		if bytes.Equal(part, zero[:len(part)]) {
			continue
		}
		if _, err := to.WriteAt(part, at+int64(i)); err != nil {
			return err
		}
	}
	return nil
}

// makeFAT makes the boot partition; mtools write the files in one order and with one
// time, so that it comes out the same each time.
func (b *build) makeFAT(ctx context.Context, to string, files map[string][]byte) error {
	dir := filepath.Join(b.work, "boot")
	if err := write(dir, files); err != nil {
		return err
	}
	if err := b.blank(to, disk.BootSize); err != nil {
		return err
	}
	mkfs := exec.CommandContext(ctx, "mkfs.vfat", "-F", "32", "-s", "4", "-n", "TUTTI", "-i", fmt.Sprintf("%08x", b.signature), "--invariant", to)
	if err := run(mkfs); err != nil {
		return err
	}
	made := map[string]bool{".": true}
	for _, name := range sortedNames(files) {
		if err := b.mtool(ctx, "mmd", to, made, filepath.Dir(name)); err != nil {
			return err
		}
		source := filepath.Join(dir, name)
		if err := os.Chtimes(source, b.at, b.at); err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "mcopy", "-m", "-i", to, source, "::"+name)
		cmd.Env = b.environment()
		if err := run(cmd); err != nil {
			return err
		}
	}
	return nil
}

func sortedNames(files map[string][]byte) []string {
	var all []string
	for name := range files {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

// mtool makes a folder and those it lies in.
func (b *build) mtool(ctx context.Context, tool, image string, made map[string]bool, dir string) error {
	if made[dir] {
		return nil
	}
	made[dir] = true
	if err := b.mtool(ctx, tool, image, made, filepath.Dir(dir)); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, tool, "-i", image, "::"+dir)
	cmd.Env = b.environment()
	return run(cmd)
}

// environment tells tools the time of all they make.
func (b *build) environment() []string {
	at := fmt.Sprint(b.at.Unix())
	return append(os.Environ(), "SOURCE_DATE_EPOCH="+at, "E2FSPROGS_FAKE_TIME="+at, "TZ=UTC", "MTOOLS_SKIP_CHECK=1")
}

func (b *build) blank(name string, size int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}

func (b *build) makeExt4(ctx context.Context, to string) error {
	if err := b.blank(to, disk.DataSize); err != nil {
		return err
	}
	id := fmt.Sprintf("7a117700-0000-4000-8000-0000%08x", b.signature)
	cmd := exec.CommandContext(ctx, "mke2fs", "-q", "-t", "ext4", "-L", "tutti-data", "-U", id, "-E", "hash_seed="+id+",lazy_itable_init=0,lazy_journal_init=0,resize=4294967295", "-J", "size=4", to)
	cmd.Env = b.environment()
	return run(cmd)
}

// update writes the same system as an update.
func (b *build) update() (string, error) {
	m := update.Manifest{Board: b.board.name, Version: b.version, CommandLine: strings.TrimSpace(b.board.cmdline + " " + b.extra)}
	var bodies []io.Reader
	for _, name := range sortedNames(b.slot) {
		p, err := update.NewPart(name, bytes.NewReader(b.slot[name]))
		if err != nil {
			return "", err
		}
		m.Parts = append(m.Parts, p)
		bodies = append(bodies, bytes.NewReader(b.slot[name]))
	}
	root, err := os.ReadFile(b.root)
	if err != nil {
		return "", err
	}
	p, err := update.NewPart(update.Root, bytes.NewReader(root))
	if err != nil {
		return "", err
	}
	m.Parts = append(m.Parts, p)
	head, err := update.AppendHeader(nil, m, b.key)
	if err != nil {
		return "", err
	}
	out, err := os.Create(b.path(".tutti"))
	if err != nil {
		return "", err
	}
	n, err := io.Copy(out, io.MultiReader(append(append([]io.Reader{bytes.NewReader(head)}, bodies...), bytes.NewReader(root))...))
	return fmt.Sprintf("%s, %d MB", b.path(".tutti"), n/1e6), errors.Join(err, out.Close())
}
