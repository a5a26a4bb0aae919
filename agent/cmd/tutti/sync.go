package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/agent"
	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/agent/session/lan"
)

const syncLong = `Show how all rooms are aligned. Each speaker reports to the source when it really
presented which moment of the music (RTCP, RFC 7272); the source works out by how
much that was early or late, and this command compares the rooms with each other.

A deviation without its bound says nothing: the bound is by how much it can be
wrong, and of two rooms both bounds add up.`

// stream is the alignment of one source's speakers.
type stream struct {
	Channel   string             `json:"channel"`
	Source    string             `json:"source"`
	Address   string             `json:"address"`
	Listeners []control.Listener `json:"listeners"`
	Pairs     []control.Pair     `json:"pairs"`
	Worst     *control.Pair      `json:"worst,omitempty"`
	Problem   string             `json:"problem,omitempty"` // why it could not be asked
}

func syncCommand(f *finder) *cobra.Command {
	var plain, watch bool
	var source string
	cmd := &cobra.Command{
		Use: "sync", Short: "Show how all rooms are aligned", GroupID: groupLook, Args: cobra.NoArgs, Long: syncLong,
		Example: "  tutti sync\n  tutti sync --watch\n  tutti sync --json --source 192.168.1.20:8401",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !watch {
				return f.syncOnce(cmd.Context(), source, plain)
			}
			return f.syncWatch(cmd.Context(), source, plain)
		},
	}
	f.flags(cmd, false)
	cmd.Flags().StringVar(&source, "source", "", "`host:port` of a source, where it cannot be found")
	cmd.Flags().BoolVar(&plain, "json", false, "print JSON; with --watch an object in each line")
	cmd.Flags().BoolVar(&watch, "watch", false, "go on, once a second, until interrupted")
	return cmd
}

func (f *finder) syncOnce(ctx context.Context, source string, plain bool) error {
	sources, err := f.sources(ctx, source)
	if err != nil {
		return err
	}
	all := gather(ctx, sources)
	if plain {
		err = asJSON(f.around.out, all)
	} else {
		err = printSync(f.around.out, all)
	}
	if err != nil {
		return err
	}
	for _, s := range all {
		if len(s.Listeners) > 0 {
			return nil
		}
	}
	if all[0].Problem != "" {
		return notFound("%s", all[0].Problem)
	}
	return notFound("no speaker listens: start one with `tutti run`")
}

// syncWatch goes on until the context ends; sources may come and go.
func (f *finder) syncWatch(ctx context.Context, source string, plain bool) error {
	sources := func() []control.Source { return []control.Source{{Address: source}} }
	if source == "" {
		l, err := agent.NewLook(f.ifi, slog.New(slog.DiscardHandler))
		if err != nil {
			return fmt.Errorf("cannot look for sources: %w", err)
		}
		defer l.Close()
		sources = l.Sources
		select { // the first may answer before the first second is over
		case <-ctx.Done():
		case <-l.News():
		case <-time.After(f.wait):
		}
	}
	_, live := terminal(f.around.out)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for ctx.Err() == nil {
		if err := f.show(gather(ctx, sources()), plain, live); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

func (f *finder) show(all []stream, plain, live bool) error {
	if plain {
		return json.NewEncoder(f.around.out).Encode(all)
	}
	var b strings.Builder
	if err := printSync(&b, all); err != nil {
		return err
	}
	if len(all) == 0 {
		b.WriteString("no source is on the network\n")
	}
	text := b.String()
	if live { // to the top, each line cleared behind its end, and all below
		text = "\x1b[H" + strings.ReplaceAll(text, "\n", "\x1b[K\n") + "\x1b[J"
	}
	_, err := io.WriteString(f.around.out, text)
	return err
}

// sources returns the named source, or those on the network, at least one.
func (f *finder) sources(ctx context.Context, source string) ([]control.Source, error) {
	if source != "" {
		return []control.Source{{Address: source}}, nil
	}
	all, err := f.look(ctx, f.wait, nil)
	if err != nil {
		return nil, err
	}
	if len(all.Sources) == 0 {
		return nil, notFound("no source answered within %v: start one with `tutti send`, or name it with --source host:port", f.wait)
	}
	return all.Sources, nil
}

// gather asks each source how its speakers are.
func gather(ctx context.Context, sources []control.Source) []stream {
	all := make([]stream, len(sources))
	for i, s := range sources {
		all[i] = stream{Channel: s.Channel, Source: s.Name, Address: s.Address, Listeners: []control.Listener{}}
		if s.Channel == "" {
			if d, err := lan.Fetch(ctx, s.Address); err == nil {
				all[i].Channel, all[i].Source = d.Channel, d.Name
			}
		}
		found, err := lan.FetchListeners(ctx, s.Address)
		if err != nil {
			all[i].Problem = err.Error()
		}
		all[i].Listeners = append(all[i].Listeners, found...)
		all[i].Pairs, all[i].Worst = control.Align(all[i].Listeners)
	}
	return all
}

func printSync(w io.Writer, all []stream) error {
	for _, s := range all {
		fmt.Fprintln(w, clean(fmt.Sprintf("channel %s from %s (%s)", s.Channel, s.Source, s.Address)))
		if s.Problem != "" {
			fmt.Fprintln(w, clean(s.Problem))
		}
		rows := [][]string{{"ROOM", "STATE", "DEVIATION", "BOUND", "RESAMPLING", "LATENCY", "LOSS", "VOLUME"}}
		for _, l := range s.Listeners {
			rows = append(rows, listenerRow(l))
		}
		if err := table(w, rows...); err != nil {
			return err
		}
		if p := s.Worst; p != nil {
			fmt.Fprintln(w, clean(fmt.Sprintf("furthest apart: %s and %s, %.1f µs (± %.1f µs)", p.A, p.B, max(p.DifferenceUS, -p.DifferenceUS), p.BoundUS)))
		}
		fmt.Fprintln(w)
	}
	return nil
}

func listenerRow(l control.Listener) []string {
	state, deviation, bound := "waiting", "", ""
	if l.Playing {
		state = "playing"
	}
	if l.Unicast {
		state += ", copy"
	}
	if l.HasReport {
		deviation, bound = fmt.Sprintf("%+.1f µs", l.DeviationUS), fmt.Sprintf("± %.1f µs", l.BoundUS)
	}
	volume := fmt.Sprintf("%d %%", l.Volume)
	if l.Muted {
		volume += ", muted"
	}
	return []string{l.Name, state, deviation, bound, fmt.Sprintf("%+.1f ppm", l.PPM), fmt.Sprintf("%.1f ms", l.LatencyMS),
		fmt.Sprintf("%.1f %%", l.LossPercent), volume}
}
