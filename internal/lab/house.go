package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tutti-audio/tutti/agent/control"
	"github.com/tutti-audio/tutti/internal/netlab"
)

// house is a network with a source and speakers on it: each process on a host of
// its own where namespaces are allowed, else all on loopback.
type house struct {
	binary string
	dir    string
	lab    *netlab.Lab // nil on loopback
	sw     *netlab.Switch
	all    []*machine
}

// machine is one host with one tutti process.
type machine struct {
	name    string
	house   *house
	host    *netlab.Host // nil on loopback
	link    *netlab.Link
	address string   // host:port of its HTTP
	relay   string   // as this machine names it
	env     []string // beside this process's own
	cmd     *exec.Cmd
	process *netlab.Process
	client  *http.Client
	done    chan struct{} // loopback only
}

func newHouse(binary, dir string) (*house, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	h := &house{binary: binary, dir: dir}
	if netlab.Available() != nil {
		return h, nil
	}
	var err error
	if h.lab, err = netlab.New(); err != nil {
		return nil, err
	}
	h.sw, err = h.lab.NewSwitch("house")
	return h, err
}

// close ends every process and takes the network down.
func (h *house) close() error {
	for _, m := range h.all {
		m.stop()
	}
	if h.lab == nil {
		return nil
	}
	return h.lab.Close()
}

// add makes a host without a process.
func (h *house) add(name string, options ...netlab.Option) (*machine, error) {
	m := &machine{name: name, house: h}
	n := len(h.all) + 1
	h.all = append(h.all, m)
	m.address = fmt.Sprintf("127.0.0.1:%d", 8440+n)
	m.client = &http.Client{Timeout: 3 * time.Second}
	if h.lab == nil {
		return m, nil
	}
	var err error
	if m.host, err = h.lab.NewHost(fmt.Sprintf("h%d", n)); err != nil {
		return nil, err
	}
	addr := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77, 0, byte(n)}), 24)
	if m.link, err = m.host.Connect(h.sw, addr, options...); err != nil {
		return nil, err
	}
	m.address = netip.AddrPortFrom(addr.Addr(), 8400).String()
	m.client.Transport = &http.Transport{DialContext: m.dial}
	return m, nil
}

// start runs tutti with the arguments.
func (m *machine) start(ctx context.Context, args ...string) error {
	_, port, _ := net.SplitHostPort(m.address)
	args = append(args, "--http", ":"+port)
	if m.host == nil {
		args = append(args, "--interface", "lo")
	}
	return m.run(ctx, append([]string{m.house.binary}, args...))
}

// run runs a program; its output goes to NAME.log.
func (m *machine) run(ctx context.Context, argv []string) error {
	log, err := os.OpenFile(filepath.Join(m.house.dir, m.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	if m.host == nil {
		return m.startHere(ctx, argv, log)
	}
	m.cmd = m.host.Command(ctx, argv...)
	m.cmd.Env = append(os.Environ(), m.env...)
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.process, err = m.host.Start(m.cmd)
	return err
}

func (m *machine) startHere(ctx context.Context, argv []string, log io.Writer) error {
	m.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	m.cmd.Stdout, m.cmd.Stderr = log, log
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	m.done = make(chan struct{})
	go func() {
		_ = m.cmd.Wait()
		close(m.done)
	}()
	return nil
}

// source starts tutti send.
func (m *machine) source(ctx context.Context, args ...string) error {
	return m.start(ctx, append([]string{"send"}, args...)...)
}

// speaker starts tutti run.
func (m *machine) speaker(ctx context.Context, output string, args ...string) error {
	state := filepath.Join(m.house.dir, m.name+".state")
	args = append([]string{"run", "--name", m.name, "--output", output, "--state-dir", state, "--volume", "100"}, args...)
	return m.start(ctx, args...)
}

// stop ends the process as a service manager would.
func (m *machine) stop() {
	switch {
	case m.process != nil:
		_ = m.process.Stop(5 * time.Second)
		m.process = nil
	case m.done != nil:
		_ = m.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-m.done:
		case <-time.After(5 * time.Second):
			_ = m.cmd.Process.Kill()
			<-m.done
		}
		m.done = nil
	}
}

// signal sends a signal to the process.
func (m *machine) signal(s syscall.Signal) error { return m.cmd.Process.Signal(s) }

// get reads JSON from the process.
func (m *machine) get(path string, into any) error {
	r, err := m.client.Get("http://" + m.address + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return errors.New(r.Status)
	}
	return json.NewDecoder(r.Body).Decode(into)
}

func (m *machine) status() (s control.Status, err error) {
	err = m.get("/api/v1/status", &s)
	return s, err
}

// listeners asks a source how its speakers are.
func (m *machine) listeners() (l []control.Listener, err error) {
	err = m.get("/v1/listeners", &l)
	return l, err
}

// wait polls until every one of the speakers plays.
func waitPlaying(ctx context.Context, limit time.Duration, speakers ...*machine) error {
	deadline := time.Now().Add(limit)
	for _, m := range speakers {
		for {
			s, err := m.status()
			if err == nil && s.State == "playing" && s.Timing.Reported {
				break
			}
			if time.Now().After(deadline) || ctx.Err() != nil {
				return fmt.Errorf("%s does not play after %v (state %q, %s %s, %w); see %s", m.name, limit, s.State, s.Reason, s.Problem, err, filepath.Join(m.house.dir, m.name+".log"))
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	return nil
}
