package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent"
	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/nearest"
)

// finder is how commands reach speakers and sources.
type finder struct {
	around  surroundings
	ifi     string
	address string
	key     string
	wait    time.Duration
}

const (
	defaultWait  = 1500 * time.Millisecond // mDNS says the same once a second at most: two looks in a row need more
	completeWait = 1300 * time.Millisecond
	settled      = 250 * time.Millisecond // of silence after an answer: a person waits for the Tab key
	answerWait   = 3 * time.Second
)

// flags adds those of a command that looks around; one that speaks to speakers
// has two more.
func (f *finder) flags(cmd *cobra.Command, speaks bool) {
	cmd.Flags().StringVar(&f.ifi, "interface", "", "network `interface` to look on; all by default")
	cmd.Flags().DurationVar(&f.wait, "wait", defaultWait, "how long to look for speakers and sources")
	if speaks {
		cmd.Flags().StringVar(&f.address, "address", "", "`host:port` of the speaker, where it cannot be found by name")
		cmd.Flags().StringVar(&f.key, "key", "", "household `key`; better set $TUTTI_KEY, which others on this host do not see")
	}
	_ = cmd.RegisterFlagCompletionFunc("interface", completeInterfaces)
}

// client returns one for the address.
func (f *finder) client(address string) client {
	key := f.key
	if key == "" {
		key = f.around.getenv("TUTTI_KEY")
	}
	return client{address: address, key: key, http: &http.Client{Timeout: answerWait, Transport: &http.Transport{}}} // without a proxy
}

// found is what is on the network.
type found struct {
	Sources  []control.Source `json:"sources"`
	Speakers []control.Peer   `json:"speakers"`
}

// look looks around until enough is found or the time is over.
func (f *finder) look(ctx context.Context, wait time.Duration, enough func(found) bool) (all found, err error) {
	l, err := agent.NewLook(f.ifi, slog.New(slog.DiscardHandler))
	if err != nil {
		return all, fmt.Errorf("cannot look for speakers: %w", err)
	}
	defer l.Close()
	over := time.NewTimer(wait)
	defer over.Stop()
	for {
		all = found{Sources: l.Sources(), Speakers: l.Speakers()}
		if enough != nil && enough(all) {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return all, ctx.Err()
		case <-over.C:
			return all, nil
		case <-l.News():
		}
	}
}

// glance looks for as short as possible: until nothing new comes.
func (f *finder) glance(ctx context.Context) (found, error) {
	var last time.Time
	var seen int
	ctx, cancel := context.WithTimeout(ctx, completeWait)
	defer cancel()
	l, err := agent.NewLook(f.ifi, slog.New(slog.DiscardHandler))
	if err != nil {
		return found{}, err
	}
	defer l.Close()
	ticker := time.NewTicker(settled / 10)
	defer ticker.Stop()
	for {
		all := found{Sources: l.Sources(), Speakers: l.Speakers()}
		now := time.Now()
		if n := len(all.Sources) + len(all.Speakers); n != seen {
			seen, last = n, now
		}
		if seen > 0 && now.Sub(last) > settled {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return all, nil
		case <-ticker.C:
		}
	}
}

// everyRoom is the name that means all speakers.
const everyRoom = "all"

// rooms returns the speakers that a name means, at least one.
func (f *finder) rooms(ctx context.Context, name string) ([]control.Peer, error) {
	if f.address != "" {
		return []control.Peer{{Name: f.address, Address: f.address}}, nil
	}
	all, err := f.look(ctx, f.wait, func(all found) bool {
		p, exact := named(all.Speakers, name)
		return exact && len(p) > 0
	})
	if err != nil {
		return nil, err
	}
	if speakers, _ := named(all.Speakers, name); len(speakers) > 0 {
		return speakers, nil
	}
	if len(all.Speakers) == 0 {
		return nil, notFound("no speaker answered within %v: is one running (tutti run)? `tutti doctor` looks for what is wrong", f.wait)
	}
	near := nearest.To(name, roomNames(all.Speakers))
	if near != "" {
		return nil, notFound("there is no speaker or room %q: did you mean %q?", name, near)
	}
	return nil, notFound("there is no speaker or room %q: there are %s", name, strings.Join(roomNames(all.Speakers), ", "))
}

// named selects speakers: all, or the one of that name, or those of that room.
// exact means that looking longer finds no more.
func named(speakers []control.Peer, name string) (selected []control.Peer, exact bool) {
	if strings.EqualFold(name, everyRoom) {
		return speakers, false
	}
	for _, p := range speakers {
		if strings.EqualFold(p.Name, name) {
			return []control.Peer{p}, true
		}
		if strings.EqualFold(p.Room, name) {
			selected = append(selected, p)
		}
	}
	return selected, false
}

// roomNames lists names and rooms, each once.
func roomNames(speakers []control.Peer) (names []string) {
	seen := map[string]bool{}
	for _, p := range speakers {
		for _, n := range []string{p.Name, p.Room} {
			if !seen[n] && n != "" {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	return names
}

// here returns the speaker on this host: at the usual port, else as announced
// with an address of this host.
func (f *finder) here(ctx context.Context) (control.Peer, error) {
	_, port, _ := net.SplitHostPort(config.DefaultListen)
	usual := net.JoinHostPort("127.0.0.1", port)
	if isTutti(ctx, usual) {
		return control.Peer{Address: usual}, nil
	}
	all, err := f.look(ctx, f.wait, func(all found) bool { return len(ours(all.Speakers)) > 0 })
	if err != nil {
		return control.Peer{}, err
	}
	if mine := ours(all.Speakers); len(mine) > 0 {
		return mine[0], nil
	}
	return control.Peer{}, notFound("no speaker runs on this host: start one with `tutti run`, or name a ROOM (`tutti ls` lists them)")
}

// ours selects the speakers that have an address of this host.
func ours(speakers []control.Peer) (mine []control.Peer) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	own := map[netip.Addr]bool{}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own[p.Addr().WithZone("")] = true
		}
	}
	for _, s := range speakers {
		if at, err := netip.ParseAddrPort(s.Address); err == nil && own[at.Addr().WithZone("")] {
			mine = append(mine, s)
		}
	}
	return mine
}
