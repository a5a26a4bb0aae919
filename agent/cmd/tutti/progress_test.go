package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/agent/source"
)

func TestLiveLine(t *testing.T) {
	before := moment{at: time.Unix(10, 0), sent: lan.Progress{Bytes: 1000}}
	now := moment{
		at: time.Unix(12, 0), sent: lan.Progress{Bytes: 1000 + 48000, Receivers: 1, Skipped: 2},
		input: source.Status{Index: 1, Count: 3, Elapsed: 65 * time.Second, Tags: source.Tags{Title: "B", Artist: "A", Duration: 200 * time.Second}},
	}
	if got, want := now.line(before), "2/3 A – B  1:05 / 3:20  1 listener  192 kb/s  fell behind 2 times"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestLogAboveLine: a log line takes the place of the live one, which follows it.
func TestLogAboveLine(t *testing.T) {
	var w bytes.Buffer
	p := &progress{w: &w, width: 10, live: true}
	p.set("0123456789 too long")
	_, _ = p.Write([]byte("news\n"))
	p.set("")
	_, _ = p.Write([]byte("end\n"))
	if got, want := w.String(), "\r\x1b[K012345678"+"\r\x1b[Knews\n012345678"+"\r\x1b[K"+"end\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestPlainProgress(t *testing.T) {
	var w bytes.Buffer
	log := slog.New(slog.NewTextHandler(&w, nil))
	first := moment{at: time.Unix(1, 0), input: source.Status{Input: "a.wav", Count: 2}}
	second := moment{at: time.Unix(2, 0), input: source.Status{Input: "b.wav", Index: 1, Count: 2}, sent: lan.Progress{Receivers: 3}}
	first.log(moment{}, log)
	first.log(first, log)
	second.log(first, log)
	for _, want := range []string{"track=a.wav", "track=b.wav", "now=3 before=0"} {
		if strings.Count(w.String(), want) != 1 {
			t.Errorf("%q is not told once:\n%s", want, w.String())
		}
	}
}

// TestClean: what strangers announce cannot steer the terminal.
func TestClean(t *testing.T) {
	var w bytes.Buffer
	if err := table(&w, []string{"a\x1b[2Jb\n\tc", "\u202egnp", ""}); err != nil {
		t.Fatal(err)
	}
	if got := w.String(); strings.ContainsAny(got, "\x1b\u202e") || strings.Count(got, "\n") != 1 || !strings.Contains(got, "-\n") {
		t.Errorf("got %q", got)
	}
}
