package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/tutti-audio/tutti/image/boot"
	"github.com/tutti-audio/tutti/image/disk"
	"github.com/tutti-audio/tutti/image/update"
)

// install writes an update into the idle slot, has it started on trial, and starts
// the machine again.
func install(ctx context.Context, args []string) error {
	stay := len(args) == 2 && args[1] == "--stay"
	if len(args) != 1 && !stay {
		return errUsage
	}
	m, err := thisMachine()
	if err != nil {
		return err
	}
	if trial, err := m.loader.OnTrial(m.slot); err != nil || trial {
		return errors.Join(err, errors.New("the system that runs is itself on trial: wait a minute"))
	}
	public, err := publicKey()
	if err != nil {
		return err
	}
	in, size, err := open(ctx, args[0])
	if err != nil {
		return err
	}
	defer in.Close()
	bundle, err := update.Open(&progress{r: in, size: size, shown: -1}, public)
	if err != nil {
		return err
	}
	if err := bundle.Check(m.board, m.version); err != nil {
		return err
	}
	fmt.Printf("writing %s into slot %v\n", bundle.Manifest.Version, m.slot.Other())
	if err := writable(func() error { return m.write(bundle) }); err != nil {
		return fmt.Errorf("%w\nnothing has changed: %s goes on", err, m.version)
	}
	if err := noteOutput(); err != nil {
		return err
	}
	fmt.Println("the update is written and starts on trial")
	if stay {
		return nil
	}
	return restart()
}

// open returns an update's bytes from a file, standard input ("-") or an address.
func open(ctx context.Context, from string) (io.ReadCloser, int64, error) {
	if from == "-" {
		return os.Stdin, 0, nil
	}
	if !strings.HasPrefix(from, "http://") && !strings.HasPrefix(from, "https://") {
		f, err := os.Open(from)
		if err != nil {
			return nil, 0, err
		}
		info, err := f.Stat()
		if err != nil {
			return nil, 0, err
		}
		return f, info.Size(), nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, 0, fmt.Errorf("%s answers %s", from, response.Status)
	}
	return response.Body, response.ContentLength, nil
}

// write writes all parts; only when all are whole is the slot put on trial.
func (m *machine) write(b *update.Bundle) error {
	slot := m.slot.Other()
	if err := m.loader.Forget(slot); err != nil {
		return err
	}
	dir := filepath.Join(bootDir, slot.String())
	for _, name := range append(leftovers(), dir) {
		if err := os.RemoveAll(name); err != nil {
			return err
		}
	}
	line := disk.CommandLine(m.card.Table.Signature, slot, b.Manifest.CommandLine)
	for {
		part, r, err := b.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		to, mode := filepath.Join(dir, filepath.FromSlash(part.Name)), os.O_WRONLY|os.O_CREATE|os.O_TRUNC
		if part.Name == update.Root {
			to, mode = m.card.Partition(slot.Partition()), os.O_WRONLY
			if room, err := m.card.Size(slot.Partition()); err != nil || uint64(part.Size) > room {
				return errors.Join(err, fmt.Errorf("the update's system has %d bytes, the slot %d", part.Size, room))
			}
		}
		if err := writeFile(to, mode, r); err != nil {
			return err
		}
	}
	if err := writeFile(filepath.Join(dir, "cmdline.txt"), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, strings.NewReader(line+"\n")); err != nil {
		return err
	}
	return m.loader.Try(slot, boot.Entry{Version: b.Manifest.Version, CommandLine: line})
}

// leftovers are the files in which fsck.vfat keeps what it found of an update that a
// power cut has ended.
func leftovers() []string {
	all, _ := filepath.Glob(filepath.Join(bootDir, "FSCK*.REC"))
	lower, _ := filepath.Glob(filepath.Join(bootDir, "fsck*.rec"))
	return append(all, lower...)
}

func writeFile(name string, mode int, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name, mode, 0o644)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, r, make([]byte, 1<<20))
	return errors.Join(err, f.Sync(), f.Close())
}

// progress shows on one line how far an update has come.
type progress struct {
	r          io.Reader
	done, size int64
	shown      int64
}

// Read implements io.Reader.
func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	if p.size > 0 && p.done*10/p.size > p.shown {
		p.shown = p.done * 10 / p.size
		fmt.Printf("%3d %% of %d MB\n", p.shown*10, p.size/1e6)
	}
	return n, err
}
