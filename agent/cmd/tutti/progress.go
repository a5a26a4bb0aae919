package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/agent"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/source"
)

// progress is standard error while sending: on a terminal a line that lives at
// the bottom, with log lines above it; elsewhere log lines only.
type progress struct {
	w     io.Writer
	width int
	live  bool

	mu   sync.Mutex
	line string // on the terminal now
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w}
	p.width, p.live = terminal(w)
	return p
}

// Write puts log lines above the live one.
func (p *progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line == "" {
		return p.w.Write(b)
	}
	if _, err := io.WriteString(p.w, "\r\x1b[K"+string(b)+p.line); err != nil {
		return 0, err
	}
	return len(b), nil
}

// set replaces the live line; an empty one ends it.
func (p *progress) set(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := []rune(line); len(r) >= p.width {
		line = string(r[:max(p.width-1, 0)])
	}
	p.line = line
	_, _ = io.WriteString(p.w, "\r\x1b[K"+line)
}

// progressEvery is how often the line is renewed.
const progressEvery = 500 * time.Millisecond

// follow shows what is sent until the input or the context ends.
func (p *progress) follow(ctx context.Context, s *agent.Sending, c agent.SendConfig) {
	d := s.Stream()
	c.Log.Info("sending", "channel", d.Channel, "address", s.Address(), "codec", d.Codec, "channels", d.Channels,
		"packet", time.Duration(d.Frames)*time.Second/48000, "latency", d.Latency, "group", fmt.Sprint(d.Group, ":", d.Port))
	ticker := time.NewTicker(progressEvery)
	defer ticker.Stop()
	var last, now moment
	for {
		now = moment{at: time.Now(), input: s.Playing(), sent: s.Progress()}
		switch {
		case p.live:
			p.set(clean(now.line(last)))
		default:
			now.log(last, c.Log)
		}
		last = now
		select {
		case <-ctx.Done():
		case <-s.Ended():
		case <-ticker.C:
			continue
		}
		if p.live {
			p.set("")
		}
		c.Log.Info("stopped", "sent", now.sent.Sent.Round(time.Second), "packets", now.sent.Packets, "skipped", now.sent.Skipped)
		return
	}
}

// moment is what is known at one time.
type moment struct {
	at    time.Time
	input source.Status
	sent  lan.Progress
}

// line is the live line: track, time, listeners, bit rate.
func (m moment) line(last moment) string {
	track := m.title()
	if m.input.Count > 1 {
		track = fmt.Sprintf("%d/%d %s", m.input.Index+1, m.input.Count, track)
	}
	line := fmt.Sprintf("%s  %s  %s", track, m.elapsed(), plural(m.sent.Receivers, "listener"))
	if between := m.at.Sub(last.at).Seconds(); between > 0 && last.sent.Bytes > 0 {
		line += fmt.Sprintf("  %.0f kb/s", float64(m.sent.Bytes-last.sent.Bytes)*8/1000/between)
	}
	if m.sent.Skipped > 0 {
		line += fmt.Sprintf("  fell behind %d times", m.sent.Skipped)
	}
	return line
}

// log tells what has changed.
func (m moment) log(last moment, log *slog.Logger) {
	if last.at.IsZero() || m.title() != last.title() || m.input.Index != last.input.Index {
		log.Info("playing", "track", m.title(), "of", m.input.Count, "length", m.input.Tags.Duration.Round(time.Second))
	}
	if m.sent.Receivers != last.sent.Receivers {
		log.Info("listeners", "now", m.sent.Receivers, "before", last.sent.Receivers)
	}
	if m.sent.Skipped != last.sent.Skipped {
		log.Warn("this host is too slow: some audio was left out", "times", m.sent.Skipped-last.sent.Skipped)
	}
}

// title is artist and title, or the input's name.
func (m moment) title() string {
	t := m.input.Tags
	switch {
	case t.Title == "":
		return m.input.Input
	case t.Artist == "":
		return t.Title
	}
	return t.Artist + " – " + t.Title
}

// elapsed is how far the track is, of how long if that is known.
func (m moment) elapsed() string {
	if m.input.Tags.Duration <= 0 {
		return clock(m.input.Elapsed)
	}
	return clock(m.input.Elapsed) + " / " + clock(m.input.Tags.Duration)
}

// clock is minutes and seconds.
func clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d", int(d.Minutes()), int(d.Seconds())%60)
}

func plural(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
