package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/slot"
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
	if err := m.write(bundle); err != nil {
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

// into is the slot that an update is written to.
func (m *machine) into() (*slot.Target, error) {
	t := &slot.Target{Slot: m.slot.Other(), Boot: bootDir, Loader: m.loader, Root: m.card.Partition(m.slot.Other().Partition()), Signature: m.card.Table.Signature}
	var err error
	t.Room, err = m.card.Size(t.Slot.Partition())
	return t, err
}

// write writes an update into the other slot. If the boot partition is found damaged
// while the slot is cleared, it is repaired, and cleared once more.
func (m *machine) write(b *update.Bundle) error {
	t, err := m.into()
	if err != nil {
		return err
	}
	err = writable(t.Clear)
	if errors.Is(err, unix.EROFS) || errors.Is(err, unix.EIO) {
		fmt.Println("the boot partition is damaged; repairing it")
		if err := m.repair(); err != nil {
			return err
		}
		err = writable(t.Clear)
	}
	if err != nil {
		return err
	}
	return writable(func() error { return t.Write(b) })
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
