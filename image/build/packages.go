package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/tutti-audio/tutti/image/rootfs"
)

const (
	release = "trixie"
	mirror  = "http://deb.debian.org/debian"
)

// fetch has mmdebstrap unpack, without running anything, what the board needs of
// Debian, and keeps the archive: the next image of the board has the same packages.
func fetch(ctx context.Context, o options) (archive string, err error) {
	if archive, err = filepath.Abs(filepath.Join(o.out, "debian-"+o.board.name+".tar")); err != nil {
		return "", err
	}
	include := strings.Fields(common + " " + o.board.kernel + " " + o.board.packages)
	if !o.fresh && has(archive, include) {
		return archive, nil
	}
	part := strings.TrimSuffix(archive, ".tar") + ".part.tar"
	cmd := exec.CommandContext(ctx, "mmdebstrap", "--quiet", "--variant=extract", "--mode=unshare", "--architectures="+o.board.arch, "--skip=check/qemu",
		"--components=main,non-free-firmware", "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg",
		`--aptopt=APT::Install-Recommends "false"`, "--include="+strings.Join(include, ","),
		`--extract-hook=ls "$1/var/cache/apt/archives"/*.deb > '`+listOf(archive)+`'`, release, part, mirror)
	if os.Geteuid() == 0 {
		cmd.Args[3] = "--mode=root"
	}
	if err := run(cmd); err != nil {
		return "", err
	}
	return archive, os.Rename(part, archive)
}

// has reports whether an archive is there and has all packages: a newer source may
// want more of them than it was fetched with.
func has(archive string, packages []string) bool {
	if _, err := os.Stat(archive); err != nil {
		return false
	}
	list, err := versions(archive)
	if err != nil {
		return false
	}
	for _, name := range packages {
		if list[name] == "" {
			return false
		}
	}
	return true
}

// run runs a program; what it printed is part of the error.
func run(cmd *exec.Cmd) error {
	var said bytes.Buffer
	cmd.Stdout = &said
	cmd.Stderr = &said
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: image/prepare.sh installs it", err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(cmd.Path), err, tail(said.String()))
	}
	return nil
}

func tail(s string) string {
	const enough = 3000
	if len(s) > enough {
		s = "…" + s[len(s)-enough:]
	}
	return s
}

// unpack reads Debian's files and the speaker's package into a tree.
func unpack(ctx context.Context, archive string, o options) (*rootfs.Tree, error) {
	t := rootfs.New()
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := t.Merge(f); err != nil {
		return nil, fmt.Errorf("%s: %w", archive, err)
	}
	var files bytes.Buffer
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", o.speaker)
	cmd.Stdout = &files
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("dpkg-deb %s: %w", o.speaker, err)
	}
	return t, t.Merge(&files)
}

// listOf is the file with the names of the packages in an archive.
func listOf(archive string) string { return strings.TrimSuffix(archive, ".tar") + ".list" }

// versions lists the packages in an archive: their names have the version in them.
func versions(archive string) (map[string]string, error) {
	b, err := os.ReadFile(listOf(archive))
	all := map[string]string{}
	for _, line := range strings.Fields(string(b)) {
		if parts := strings.Split(strings.TrimSuffix(filepath.Base(line), ".deb"), "_"); len(parts) == 3 {
			all[parts[0]] = strings.ReplaceAll(parts[1], "%3a", ":")
		}
	}
	return all, err
}
