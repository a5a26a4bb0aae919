package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing/fstest"

	"github.com/tutti-audio/tutti/image/boot"
	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/initramfs"
	"github.com/tutti-audio/tutti/image/overlays"
	"github.com/tutti-audio/tutti/image/rootfs"
	"github.com/tutti-audio/tutti/image/setup"
)

// slotFiles makes what lies in a slot's folder of the boot partition.
func slotFiles(ctx context.Context, t *rootfs.Tree, o options) (map[string][]byte, error) {
	kernel, err := t.Read("boot/vmlinuz-" + kernelVersion(t))
	if err != nil {
		return nil, err
	}
	if o.board.squeeze {
		kernel = squeeze(kernel)
	}
	ramdisk, err := makeInitramfs(t, o)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"kernel.img": kernel, "initramfs.img": squeeze(ramdisk)}
	if !o.board.pi {
		return files, nil
	}
	trees := "usr/lib/linux-image-" + kernelVersion(t) + "/"
	for _, name := range t.List(trees) {
		for _, want := range o.board.trees {
			if base := path.Base(name); strings.HasPrefix(base, want) && strings.HasSuffix(base, ".dtb") {
				if files[base], err = t.Read(name); err != nil {
					return nil, err
				}
			}
		}
	}
	return files, compileOverlays(ctx, files)
}

// squeeze compresses. The length is a multiple of four, as boot loaders hand it on.
func squeeze(b []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = w.Write(b)
	_ = w.Close()
	return append(out.Bytes(), make([]byte, -out.Len()&3)...)
}

// makeInitramfs packs init and the modules that reach the card.
func makeInitramfs(t *rootfs.Tree, o options) ([]byte, error) {
	prefix := "usr/lib/modules/" + kernelVersion(t) + "/"
	files := fstest.MapFS{}
	for _, name := range t.List(prefix) {
		if data, err := t.Read(name); err == nil {
			files[strings.TrimPrefix(name, prefix)] = &fstest.MapFile{Data: data}
		}
	}
	modules, err := initramfs.Collect(files, strings.Fields(o.board.modules))
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(o.init)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	a := initramfs.NewArchive(&out)
	for _, dir := range []string{"dev", "proc", "sys", "root", "boot"} {
		a.Folder(dir)
	}
	a.Device("dev/console", 5, 1)
	a.Modules(modules)
	a.List("modules/order", modules)
	a.File("init", program)
	err = a.Close()
	return out.Bytes(), err
}

// compileOverlays adds overlays/NAME.dtbo, and the README without which the firmware
// does not look there.
func compileOverlays(ctx context.Context, files map[string][]byte) error {
	sources, err := fs.Glob(overlays.Files, "*.dtso")
	if err != nil {
		return err
	}
	for _, name := range sources {
		source, err := overlays.Files.ReadFile(name)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "dtc", "-q", "-@", "-I", "dts", "-O", "dtb")
		var complaint bytes.Buffer
		cmd.Stdin, cmd.Stderr = bytes.NewReader(source), &complaint
		compiled, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("dtc %s: %w: %s", name, err, complaint.String())
		}
		files["overlays/"+strings.TrimSuffix(name, ".dtso")+".dtbo"] = compiled
	}
	files["overlays/README"] = []byte("Device tree overlays of Tutti.\n")
	return nil
}

// bootFiles makes the boot partition of a new image: the loader, and slot A.
func bootFiles(t *rootfs.Tree, o options, slot map[string][]byte, e boot.Entry) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, data := range slot {
		files[disk.A.String()+"/"+name] = data
	}
	if !o.board.pi {
		loader, err := t.Read("usr/lib/systemd/boot/efi/systemd-bootaa64.efi")
		if err != nil {
			return nil, err
		}
		files["EFI/BOOT/BOOTAA64.EFI"] = loader
		for name, data := range boot.EFIFiles(e) {
			files[name] = data
		}
	} else {
		files[disk.A.String()+"/cmdline.txt"] = []byte(e.CommandLine + "\n")
		if err := piFiles(t, o, files); err != nil {
			return nil, err
		}
	}
	files["tutti.toml"] = setup.Example
	return files, nil
}

func piFiles(t *rootfs.Tree, o options, files map[string][]byte) error {
	for _, name := range []string{"bootcode.bin", "start.elf", "fixup.dat", "start4.elf", "fixup4.dat"} {
		data, err := t.Read("usr/lib/raspi-firmware/" + name)
		if err != nil {
			return err
		}
		files[name] = data
	}
	for name, data := range boot.PiFiles() {
		files[name] = data
	}
	files["dac.txt"] = []byte("# chosen by tutti.toml\n")
	files["config.txt"] = []byte(piConfig(o.board))
	return nil
}

func piConfig(b board) string {
	wide := ""
	if b.arch == "arm64" {
		wide = "arm_64bit=1\n"
	}
	return "# Settings of the Raspberry Pi's firmware. Speakers are set up in tutti.toml.\n" + wide +
		"upstream_kernel=1\nenable_uart=1\ndisable_splash=1\nboot_delay=0\nhdmi_ignore_edid_audio=0\n" +
		"kernel=kernel.img\ninitramfs initramfs.img followkernel\ncmdline=cmdline.txt\n" +
		"include slot.txt\ninclude dac.txt\n"
}

// write puts files into a folder.
func write(dir string, files map[string][]byte) error {
	for name, data := range files {
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
