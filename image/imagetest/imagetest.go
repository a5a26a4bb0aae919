// Package imagetest switches card images on and off in an emulator, as a person does
// with a board: a card is written and its tutti.toml filled in, power comes and goes,
// the speaker is looked at from its network and listened to at its sound card.
//
// Boards: [EFI] is QEMU's virt machine with a sound card and a network; its firmware
// starts the loader on the card. [Pi] is a Raspberry Pi 3 without its closed firmware,
// whose part the test plays: it reads the same files, see [Firmware].
//
// Power cuts are SIGKILL to the emulator. What the emulator had not yet been told is
// lost, as on a card without a cache of its own; a card that loses what it had
// acknowledged is not tried.
//
// A Machine belongs to one goroutine. One runs at a time: emulation is slow, and a
// test never asserts how long something took.
package imagetest

import (
	"context"
	"fmt"
	"time"
)

// Patience is how long is waited for one thing.
const Patience = 400 * time.Second

// Until tries until it succeeds. The error says what was waited for.
func Until(ctx context.Context, what string, try func(context.Context) error) error {
	return until(ctx, Patience, what, try)
}

func until(ctx context.Context, limit time.Duration, what string, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not within %v: %w", what, limit, err)
		case <-time.After(250 * time.Millisecond):
		}
	}
}
