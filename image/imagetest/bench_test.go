//go:build vm

package imagetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

func TestMain(m *testing.M) { os.Exit(netlab.Main(m)) }

// bench is what the tests work at: a network, a source that plays all the time, a
// server of updates, and one board after the other.
type bench struct {
	*testing.T
	began time.Time
	dir   string
	made  string // folder of images, kept for the next run
	house *netlab.Host
	at    netip.Addr
	*Speaker
	server  string
	halfway chan time.Time // told when half of an update was sent
	asked   chan time.Time // told when an update is asked for whose end never comes
	version string         // that runs, in which slot
	slot    string
	sounded []time.Duration // from power on to sound, after power cuts
	checks  int
}

const (
	toneHz    = 440
	toneLevel = -12
)

func newBench(t *testing.T) *bench {
	if err := netlab.Available(); err != nil {
		t.Fatalf("%v: the test boots the images in an emulator that needs a network of its own", err)
	}
	b := &bench{T: t, began: time.Now(), dir: t.TempDir(), made: top(t, "build/imagetest"), halfway: make(chan time.Time, 1), asked: make(chan time.Time, 1)}
	lab := netlab.ForTest(t)
	var err error
	if b.house, b.at, err = Network(lab); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(b.made, 0o755); err != nil {
		t.Fatal(err)
	}
	b.Speaker = &Speaker{Host: b.house, Key: filepath.Join(b.dir, "id")}
	if err := command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", b.Key); err != nil {
		t.Fatal(err)
	}
	b.serve()
	return b
}

func top(t *testing.T, path string) string {
	dir, err := filepath.Abs(filepath.Join("..", "..", path))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// pass prints a check that came out well.
func (b *bench) pass(format string, args ...any) {
	b.Helper()
	b.checks++
	b.Logf("%5.0f s  PASS "+format, append([]any{time.Since(b.began).Seconds()}, args...)...)
}

func (b *bench) note(format string, args ...any) {
	b.Helper()
	b.Logf("%5.0f s  "+format, append([]any{time.Since(b.began).Seconds()}, args...)...)
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatalf("%5.0f s  FAIL %v", time.Since(b.began).Seconds(), err)
	}
}

// run runs a tool at the top of the source.
func (b *bench) run(name string, args ...string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), name, args...)
	cmd.Dir = top(b.T, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

func (b *bench) keyFile() string { return filepath.Join(b.made, "update.key") }

// file is one of those that an image's building leaves.
func (b *bench) file(board, version, ending string) string {
	return filepath.Join(b.made, "tutti-"+board+"-"+version+ending)
}

// image makes an image and its update, or takes those of an earlier run with REUSE=1.
func (b *bench) image(board, version, console string) {
	b.Helper()
	if _, err := os.Stat(b.file(board, version, ".tutti")); err == nil && os.Getenv("REUSE") != "" {
		b.note("%s %s is that of an earlier run", board, version)
		return
	}
	for _, ending := range []string{".tar", ".list"} { // Debian's packages, fetched by make image
		from := filepath.Join(top(b.T, "build/image"), "debian-"+board+ending)
		to := filepath.Join(b.made, "debian-"+board+ending)
		_ = os.Remove(to) // it may be older
		b.must(os.Link(from, to))
	}
	b.run("make", "image", "BOARD="+board, "IMAGEFLAGS=-out "+b.made+" -key "+b.keyFile()+" -version "+version+" -cmdline '"+console+"'")
	b.note("made %s %s", board, version)
}

// broken makes an image whose speaker ends as soon as it is started.
func (b *bench) broken(board, version, console string) {
	b.Helper()
	if _, err := os.Stat(b.file(board, version, ".tutti")); err == nil && os.Getenv("REUSE") != "" {
		b.note("%s %s is that of an earlier run", board, version)
		return
	}
	program, debs := filepath.Join(b.dir, "tutti"), filepath.Join(b.dir, "deb")
	b.must(os.WriteFile(program, []byte("#!/bin/sh\necho this one never starts >&2\nexit 1\n"), 0o755))
	cmd := exec.CommandContext(b.Context(), "systemd/deb/build.sh", "arm64", program, "0", debs, "build/debcommon")
	cmd.Dir, cmd.Env = top(b.T, "."), append(os.Environ(), "SOURCE_DATE_EPOCH=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	b.run("go", "run", "./image/build", "-board", board, "-package", filepath.Join(debs, "tutti_0_arm64.deb"), "-init", "build/image/init-"+board,
		"-os", "build/image/os-"+board, "-out", b.made, "-key", b.keyFile(), "-version", version, "-cmdline", console)
	b.note("made %s %s, whose speaker does not start", board, version)
}

func (b *bench) hash(file string) string {
	f, err := os.Open(file)
	b.must(err)
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	b.must(err)
	return hex.EncodeToString(h.Sum(nil))
}

// serve gives the folder of images out. Of what is asked for as /half/NAME it stops
// in the middle, and as /endless/NAME before its last byte.
func (b *bench) serve() {
	var listener net.Listener
	b.must(b.house.Do(func() (err error) { listener, err = net.Listen("tcp4", b.at.String()+":0"); return err }))
	b.server = "http://" + listener.Addr().String() + "/"
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(b.made)))
	mux.HandleFunc("/half/{name}", func(w http.ResponseWriter, r *http.Request) {
		b.breakOff(w, r, func(n int) int { return n / 2 }, func() { b.halfway <- time.Now() })
	})
	mux.HandleFunc("/endless/{name}", func(w http.ResponseWriter, r *http.Request) {
		b.asked <- time.Now()
		b.breakOff(w, r, func(n int) int { return n - 1 }, func() {})
	})
	server := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close(); <-done })
}

// breakOff serves the beginning of a file, and then nothing.
func (b *bench) breakOff(w http.ResponseWriter, r *http.Request, part func(n int) int, sent func()) {
	data, err := os.ReadFile(filepath.Join(b.made, r.PathValue("name")))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	_, _ = w.Write(data[:part(len(data))])
	sent()
	<-r.Context().Done()
}

// play starts a source that plays until this part of the test ends.
func (b *bench) play() {
	cmd := b.house.Command(context.Background(), top(b.T, "build/tutti"), "send", "--channel", "test", "--latency", "300ms", fmt.Sprintf("tone:%d:%d", toneHz, toneLevel))
	var said netlab.Transcript
	cmd.Stdout, cmd.Stderr = &said, &said
	p, err := b.house.Start(cmd)
	b.must(err)
	b.Cleanup(func() {
		select {
		case <-p.Done():
			b.Errorf("the source ended: %v\n%s", p.Wait(), said.String())
		default:
			_ = p.Stop(2 * time.Second)
		}
	})
}

// settings fills the card's tutti.toml in, as a person does.
func (b *bench) settings(card Card, device string) {
	public, err := os.ReadFile(b.Key + ".pub")
	b.must(err)
	b.must(card.Write("tutti.toml", fmt.Appendf(nil, "name = \"Proof\"\nroom = \"Workshop\"\nchannel = \"test\"\nvolume = 100\n\n[device]\n"+
		"wifi = \"House\"\npassphrase = \"%s\"\ncountry = \"DE\"\nssh_key = \"%s\"\n%s", passphrase, strings.TrimSpace(string(public)), device)))
}

const passphrase = "correct horse battery"

// up waits until the speaker answers.
func (b *bench) up(m *Machine) (status Status) {
	b.Helper()
	err := Until(b.Context(), "the speaker's status", func(ctx context.Context) (err error) {
		status, err = b.Status(ctx)
		return err
	})
	if err != nil {
		b.Fatalf("%5.0f s  FAIL start %d: %v\n%s", time.Since(b.began).Seconds(), m.Starts, err, m.Tail())
	}
	return status
}

// hears waits until the sound card plays, and returns the frames it had played
// before that was noticed.
func (b *bench) hears(m *Machine, from int) {
	b.Helper()
	err := Until(b.Context(), "sound", func(context.Context) error {
		samples, err := Heard(m.Sound(), from)
		if err == nil {
			err = Sounds(samples)
		}
		return err
	})
	if err != nil {
		b.Fatalf("%5.0f s  FAIL start %d: %v\n%s", time.Since(b.began).Seconds(), m.Starts, err, m.Tail())
	}
}

// system waits until tutti-os says which system runs.
func (b *bench) system(version, slot, trial string) {
	b.Helper()
	out, err := b.ShellUntil(b.Context(), "tutti-os status", version+" for ")
	b.must(err)
	if want := "slot " + slot + ", " + trial; !strings.HasSuffix(out, want) {
		b.Fatalf("FAIL tutti-os status says %q, not %q", out, want)
	}
}
