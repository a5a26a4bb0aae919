// Command cutguest is the first program of a small machine whose disk writes are
// recorded: it updates a boot partition as a speaker does, and finds the update good.
package main

import (
	"crypto/ed25519"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/boot"
	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/slot"
	"github.com/tutti-audio/tutti/image/update"
	"github.com/tutti-audio/tutti/internal/vm/inside"
)

func main() {
	if err := inside.Start(); err != nil {
		fmt.Println("FAIL start:", err)
	}
	for _, step := range []struct {
		name string
		do   func(*slot.Target) error
	}{
		{"clear", (*slot.Target).Clear},
		{"write", write},
		{"started", func(t *slot.Target) error { _, err := t.Loader.Started(t.Slot); return err }},
		{"found good", func(t *slot.Target) error { return t.Loader.Choose(t.Slot) }},
		{"going back", func(t *slot.Target) error { return t.Loader.Choose(t.Slot.Other()) }},
	} {
		err := mounted(step.do)
		inside.Say(err == nil, step.name, "%v", err)
	}
	inside.Stop()
}

// mounted runs a step as a speaker does: the partition is writable only meanwhile.
func mounted(do func(*slot.Target) error) error {
	const dir, flags, options = "/boot", unix.MS_NOATIME, "umask=0077"
	_ = os.MkdirAll(dir, 0o755)
	if err := unix.Mount("/dev/vda", dir, "vfat", flags|unix.MS_RDONLY, options); err != nil {
		return err
	}
	defer func() { _ = unix.Unmount(dir, 0) }()
	if err := unix.Mount("", dir, "", flags|unix.MS_REMOUNT, options); err != nil {
		return err
	}
	loader, err := boot.Open(dir)
	if err != nil {
		return err
	}
	if err := do(&slot.Target{Slot: disk.B, Boot: dir, Loader: loader, Root: "/tmp/root", Room: 1 << 20, Signature: 1}); err != nil {
		return err
	}
	return unix.Mount("", dir, "", flags|unix.MS_REMOUNT|unix.MS_RDONLY, options)
}

func write(t *slot.Target) error {
	if err := os.WriteFile(t.Root, nil, 0o600); err != nil {
		return err
	}
	in, err := os.Open("/update")
	if err != nil {
		return err
	}
	defer in.Close()
	key, err := os.ReadFile("/key")
	if err != nil {
		return err
	}
	bundle, err := update.Open(in, ed25519.PublicKey(key))
	if err != nil {
		return err
	}
	return t.Write(bundle)
}
