package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

const (
	natDelay    = 10 * time.Millisecond // one way, between each home and the internet
	natLatency  = 300.0                 // ms, of the stream
	natPatience = 4 * time.Second
	natAgree    = time.Second             // from p2p leading to the end, for what ends it again to show
	natSettle   = 2500 * time.Millisecond // until source and speaker are there
	natGiveUp   = 6 * time.Second         // until a source has given UDP up
)

// benchNAT shows, for each pair of networks, by which mode a listener hears a source,
// how soon it hears it at all, and how soon without the relay.
func benchNAT(ctx context.Context, r *results) error {
	kinds := []netlab.NAT{netlab.Routed, netlab.Restricted, doubleNAT, netlab.Symmetric, netlab.IPv6Only, netlab.UDPBlocked}
	for _, sending := range kinds {
		for _, hearing := range kinds {
			if err := natPair(ctx, r, sending, hearing); err != nil {
				return fmt.Errorf("%s to %s: %w", sending, hearing, err)
			}
		}
	}
	return nil
}

// natPair has a speaker in one network hear a source in another.
func natPair(ctx context.Context, r *results, sending, hearing netlab.NAT) error {
	dir := filepath.Join("build", "bench-nat")
	if err := os.RemoveAll(dir); err != nil { // what a run before remembered
		return err
	}
	w, err := newWorld(filepath.Join("build", "tutti"), dir)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.startRelay(ctx, embeddedTURN); err != nil {
		return err
	}
	source, err := w.resident(sending, "source")
	if err != nil {
		return err
	}
	one := &room{name: "Far"}
	if one.machine, err = w.resident(hearing, "Far"); err != nil {
		return err
	}
	if err := source.source(ctx, "--channel", "far", "--relay", source.relay, "tone:440:-6"); err != nil {
		return err
	}
	if err := one.speaker(ctx, one.card(1), "--channel", "nothing", "--relay", one.relay); err != nil {
		return err
	}
	wait(ctx, natSettle) // both are there
	if sending == netlab.UDPBlocked {
		wait(ctx, natGiveUp)
	}
	first, direct, last, err := one.hears("far")
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s → %s: ", sending, hearing)
	limit := 300.0
	if hearing == netlab.UDPBlocked {
		limit = 3000 // it must be found out first
	}
	r.atMost(what+"first sound, less latency ("+last+" at the end)", first, limit, "ms")
	if direct > 0 {
		r.atMost(what+"peer to peer leads", direct, 1500, "ms")
	}
	return nil
}

// resident makes a network of a kind, 10 ms from the internet, with one host.
func (w *world) resident(kind netlab.NAT, name string) (*machine, error) {
	far := netlab.WithImpairment(uint64(len(name)))
	h, err := w.addHome(kind, far)
	if err != nil {
		return nil, err
	}
	m, err := h.add(name, far)
	if err != nil {
		return nil, err
	}
	link := h.far
	if link == nil {
		link = m.link
	}
	slow := netlab.Conditions{Delay: natDelay, BlockMulticast: true} // the internet is no LAN
	return m, errors.Join(link.Impair(netlab.ToHost, slow), link.Impair(netlab.ToSwitch, slow))
}

// hears has the speaker join a channel. It returns when there was sound, less the
// latency, and when peer to peer led (0: never), in ms after the wish, and the mode at
// the end.
func (r *room) hears(channel string) (first, direct float64, last string, err error) {
	began := monotonic()
	body := fmt.Appendf(nil, `{"channel":%q}`, channel)
	response, err := r.client.Post("http://"+r.address+"/api/v1/join", "application/json", bytes.NewReader(body))
	if err != nil {
		return 0, 0, "", err
	}
	response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		return 0, 0, "", fmt.Errorf("join: %s", response.Status)
	}
	for end := time.Now().Add(natPatience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s, err := r.status()
		if err != nil || s.Path == nil {
			continue
		}
		if last = s.Path.Mode; last == "p2p" && direct == 0 {
			direct = float64(monotonic()-began) / 1e6
			end = time.Now().Add(natAgree)
		}
	}
	r.stop()
	recording, err := loadRecording(r.recording())
	if err != nil {
		return 0, 0, "", err
	}
	at, ok := firstSound(recording)
	if !ok {
		return 0, 0, "", fmt.Errorf("no sound; see build/bench-nat/%s.log", strings.ToLower(r.name))
	}
	return float64(at-began)/1e6 - natLatency, direct, last, nil
}
