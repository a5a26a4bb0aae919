package control

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestInBrowser opens the page in a real browser: what plays and how the rooms are
// aligned must appear, and the policy must forbid nothing that the page does.
func TestInBrowser(t *testing.T) {
	program, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("needs chromium")
	}
	f, _, h := serve(t, "")
	_ = f.set(func(s *Status) {
		s.Stream.Title, s.Stream.Artist, s.Output = "Evening <in> Rooms", "The Household", Output{Name: "a card", Open: true, Rate: 48000}
		f.listeners = []Listener{
			{ID: "x", Name: "Kitchen", Playing: true, HasReport: true, DeviationUS: 2, BoundUS: 5},
			{ID: "y", Name: "Bath", Playing: true, HasReport: true, DeviationUS: -1, BoundUS: 5},
		}
		f.sources, f.peers = []Source{{Channel: "jazz", Name: "Study"}}, []Peer{{ID: "y", Name: "Bath", Address: "192.0.2.7:8400"}}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var dom, log bytes.Buffer
	for range 3 { // the budget is virtual time, which may run ahead of the network
		dom.Reset()
		cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
			"--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--user-data-dir="+t.TempDir(), "--virtual-time-budget=20000", "--dump-dom", h.URL+"/")
		cmd.Stdout, cmd.Stderr = &dom, &log
		cmd.WaitDelay = 5 * time.Second
		if err := cmd.Run(); err != nil {
			t.Skipf("chromium does not run here: %v", err)
		}
		if strings.Contains(dom.String(), "Evening") {
			break
		}
	}
	for _, want := range []string{"Evening &lt;in&gt; Rooms", "The Household", ">Kitchen<", `id="percent" for="volume">40<`, ">jazz<", `href="http://192.0.2.7:8400/"`, "a card, 48.0 kHz."} {
		if !strings.Contains(dom.String(), want) {
			t.Errorf("the page does not show %s", want)
		}
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the browser complains: %s", line)
		}
	}
	if t.Failed() {
		t.Log(dom.String())
	}
}
