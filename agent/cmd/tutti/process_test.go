package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/hostclock"
)

// asProgram makes the test binary behave as tutti itself.
const asProgram = "TUTTI_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program runs tutti as a process of its own.
func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// console is what a process wrote; it may be read while that runs.
type console struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *console) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *console) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// start starts tutti in the background; at the end of the test it must end by
// itself on SIGTERM, without an error.
func start(t *testing.T, args ...string) *console {
	t.Helper()
	cmd, out := program(context.Background(), args...), &console{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("tutti %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		if t.Failed() {
			t.Logf("tutti %s:\n%s", strings.Join(args, " "), out)
		}
	})
	return out
}

// result runs tutti to its end.
func result(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := program(ctx, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

// eventually waits for something; only a hang makes it fail.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func needLoopback(t *testing.T) {
	t.Helper()
	p := &patient{clock: hostclock.New(0)}
	p.config.Interface = "lo"
	p.network(t.Context())
	if f := p.multicast(t.Context()); f.Level != levelGood {
		t.Skipf("no multicast on lo here: %s", f.Detail)
	}
}

// unused finds a free TCP port.
func unused(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// TestHouse: a source and two speakers as processes, and every command on them.
func TestHouse(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	needLoopback(t)
	dir := t.TempDir()
	channel := fmt.Sprintf("test%d", os.Getpid())
	ports := []int{unused(t), unused(t), unused(t)}
	speaker := func(i int) *console { // both of one name
		return start(t, "run", "--interface", "lo", "--name", channel+"-Kitchen", "--room", channel, "--channel", channel, "--output", "null",
			"--state-dir", filepath.Join(dir, "state"), "--http", fmt.Sprint(":", ports[i]))
	}
	sent := start(t, "send", "tune", "--interface", "lo", "--channel", channel, "--name", "Study", "--http", fmt.Sprint(":", ports[2]))
	speaker(0)
	status := func(i int) (s control.Status) {
		_ = client{address: fmt.Sprint("127.0.0.1:", ports[i]), http: http.DefaultClient}.get(t.Context(), "/api/v1/status", &s)
		return s
	}
	eventually(t, "the first speaker plays", func() bool { s := status(0); return s.State == "playing" && s.Stream.Title == "Four Rooms" })
	second := speaker(1)
	eventually(t, "the second speaker plays", func() bool { return status(1).State == "playing" })
	eventually(t, "the second is told apart", func() bool { return status(1).Name == channel+"-Kitchen (2)" })
	if status(0).ID == status(1).ID || !strings.Contains(second.String(), "another speaker on this host uses the state directory") {
		t.Error("two speakers of one host share their identity")
	}
	if s := status(0); s.Name != channel+"-Kitchen" || s.Stream.Channel != channel {
		t.Errorf("the first speaker is %+v", s)
	}
	eventually(t, "the source counts them", func() bool { return strings.Contains(sent.String(), "now=2") })

	t.Run("ls", func(t *testing.T) {
		eventually(t, "JSON of both speakers and the source", func() bool {
			code, out, _ := result(t, "ls", "--json", "--interface", "lo")
			var all found
			if code != exitOK || json.Unmarshal([]byte(out), &all) != nil {
				return false
			}
			speakers, _ := named(all.Speakers, channel)
			return len(speakers) == 2 && strings.Contains(out, `"channel": "`+channel+`"`)
		})
		eventually(t, "a table", func() bool {
			code, out, _ := result(t, "ls", "--interface", "lo")
			return code == exitOK && strings.Contains(out, "SPEAKER") && strings.Contains(out, "Study")
		})
	})
	t.Run("status", func(t *testing.T) {
		if code, out, errs := result(t, "status", channel+"-kitchen", "--interface", "lo", "--wait", "30s"); code != exitOK || !strings.Contains(out, "Four Rooms") || !strings.Contains(out, "µs") {
			t.Errorf("%d %s %s", code, out, errs)
		}
		if code, out, errs := result(t, "status", "--address", fmt.Sprint("127.0.0.1:", ports[1]), "--json"); code != exitOK || !strings.Contains(out, `"state": "playing"`) {
			t.Errorf("%d %s %s", code, out, errs)
		}
		eventually(t, "a name that is nearly right is put right", func() bool {
			code, _, errs := result(t, "status", channel+"-Kichen", "--interface", "lo")
			return code == exitNotFound && strings.Contains(errs, "did you mean")
		})
		if code, _, errs := result(t, "status", "--address", fmt.Sprint("127.0.0.1:", unused(t))); code != exitNotFound || !strings.Contains(errs, "does not answer") {
			t.Errorf("%d %s", code, errs)
		}
	})
	t.Run("change", func(t *testing.T) {
		exactly := func(a, b int) func(control.Status, control.Status) bool {
			return func(x, y control.Status) bool { return x.Volume == a && y.Volume == b }
		}
		for _, c := range []struct {
			room, args string
			want       func(a, b control.Status) bool
		}{
			{"%-Kitchen", "volume 30", exactly(30, 50)},
			{"%-Kitchen", "volume -20", exactly(10, 50)},
			{"%-kitchen (2)", "volume +75", exactly(10, 100)},
			{"%-Kitchen", "mute", func(a, b control.Status) bool { return a.Muted && !b.Muted }},
			{"%-Kitchen", "mute toggle", func(a, b control.Status) bool { return !a.Muted && !b.Muted }},
			{"%", "mute on", func(a, b control.Status) bool { return a.Muted && b.Muted }}, // the room has both
			{"%", "mute off", func(a, b control.Status) bool { return !a.Muted && !b.Muted }},
			{"%", "trim -12.34", func(a, b control.Status) bool { return a.TrimMS == -12.3 && b.TrimMS == -12.3 }},
			{"%-Kitchen", "join nowhere", func(a, b control.Status) bool { return a.Channel == "nowhere" && b.Channel == channel }},
			{"%-Kitchen", "join " + channel, func(a, b control.Status) bool { return a.Channel == channel && b.Channel == channel }},
		} {
			words := strings.Fields(c.args)
			args := append([]string{words[0], strings.ReplaceAll(c.room, "%", channel)}, words[1:]...)
			args = append(args, "--interface", "lo")
			if c.room == "%" { // looks until the time is over, which may be too short on a busy machine
				eventually(t, c.args, func() bool {
					code, _, _ := result(t, args...)
					return code == exitOK && c.want(status(0), status(1))
				})
				continue
			}
			if code, out, errs := result(t, append(args, "--wait", "30s")...); code != exitOK || !c.want(status(0), status(1)) {
				t.Errorf("tutti %q: %d %s %s: %+v %+v", args, code, out, errs, status(0), status(1))
			}
		}
		if code, _, errs := result(t, "trim", channel+"-Kitchen", "5000", "--interface", "lo", "--wait", "30s"); code != exitMisused || !strings.Contains(errs, "use -2s to 2s") {
			t.Errorf("%d %s", code, errs)
		}
	})
	t.Run("sync", func(t *testing.T) {
		source := fmt.Sprint("127.0.0.1:", ports[2])
		var all []stream
		eventually(t, "both report what they present", func() bool {
			code, out, _ := result(t, "sync", "--json", "--source", source)
			return code == exitOK && json.Unmarshal([]byte(out), &all) == nil && len(all) == 1 && len(all[0].Pairs) == 1
		})
		if w := all[0].Worst; all[0].Channel != channel || w == nil || w.BoundUS <= 0 {
			t.Errorf("got %+v", all[0])
		}
		eventually(t, "the source is found", func() bool {
			code, out, _ := result(t, "sync", "--interface", "lo")
			return code == exitOK && strings.Contains(out, "furthest apart: "+channel)
		})
		if code, _, _ := result(t, "sync", "--source", fmt.Sprint("127.0.0.1:", unused(t))); code != exitNotFound {
			t.Errorf("a source that is not there: %d", code)
		}
	})
	t.Run("complete", func(t *testing.T) {
		eventually(t, "channels", func() bool {
			code, out, _ := result(t, "__complete", "join", "--interface", "lo", channel, "test")
			return code == exitOK && strings.Contains(out, channel+"\tfrom Study")
		})
		eventually(t, "rooms", func() bool {
			code, out, _ := result(t, "__complete", "volume", "--interface", "lo", "test")
			return code == exitOK && strings.Contains(out, channel+"-Kitchen (2)")
		})
	})
	t.Run("rename", func(t *testing.T) {
		name := channel + " Bath"
		c := client{address: fmt.Sprint("127.0.0.1:", ports[1]), http: http.DefaultClient}
		if _, err := c.change(t.Context(), http.MethodPut, "/name", control.NameRequest{Name: &name}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the new name is on the network and the old one is not", func() bool {
			_, out, _ := result(t, "ls", "--interface", "lo")
			return strings.Contains(out, name) && !strings.Contains(out, "Kitchen (2)")
		})
		eventually(t, "the source hears the new name", func() bool {
			_, out, _ := result(t, "sync", "--source", fmt.Sprint("127.0.0.1:", ports[2]))
			return strings.Contains(out, name)
		})
	})
}

// TestHouseholdKey: the commands' key reaches the speaker, and is in no log.
func TestHouseholdKey(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	const key = "very-secret-words"
	t.Setenv("TUTTI_KEY", key)
	port := unused(t)
	log := start(t, "run", "--interface", "lo", "--name", "Locked", "--output", "null", "--state-dir", t.TempDir(), "--http", fmt.Sprint("127.0.0.1:", port), "--log-level", "debug")
	address := fmt.Sprint("127.0.0.1:", port)
	eventually(t, "the speaker answers", func() bool { return isTutti(t.Context(), address) })
	if code, _, errs := result(t, "volume", "Locked", "5", "--address", address); code != exitOK {
		t.Errorf("with the key: %d %s", code, errs)
	}
	code, _, errs := result(t, "volume", "Locked", "7", "--address", address, "--key", "another-key")
	if code != exitFailed || !strings.Contains(errs, "household key") {
		t.Errorf("with a wrong key: %d %s", code, errs)
	}
	if strings.Contains(log.String()+errs, key) {
		t.Error("the key is in the log")
	}
}

// TestUsualPortTaken: of two speakers on one host the second takes another port,
// but a stranger on the port is an error.
func TestUsualPortTaken(t *testing.T) {
	var errs bytes.Buffer
	log, err := (surroundings{getenv: os.Getenv}).logger(&errs, "info")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // a web server that is no speaker
		_ = http.Serve(l, http.NotFoundHandler()) //nolint:gosec // a test
	}()
	if _, err := listen(t.Context(), l.Addr().String(), log); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("got %v", err)
	}
}
