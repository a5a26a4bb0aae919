package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/image/hotspot"
)

const (
	controlWait = 10 * time.Second
	scanWait    = 20 * time.Second // a scan of both bands takes 5 s, and longer on a busy board
	scanLeast   = 3 * time.Second  // a shorter one has not seen all
)

// radio is a wpa_supplicant of our own on the device. It belongs to one goroutine.
type radio struct {
	cmd     *exec.Cmd
	control *net.UnixConn
	local   string
	events  []string // that came while an answer was waited for
}

// startRadio starts one with a configuration.
func startRadio(conf []byte) (*radio, error) {
	file := hotspotDir + "/supplicant.conf"
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		return nil, err
	}
	r := &radio{cmd: exec.Command("/usr/sbin/wpa_supplicant", "-q", "-c", file, "-D", "nl80211,wext", "-i", hotspot.Interface), local: hotspotDir + "/us"}
	r.cmd.Stdout, r.cmd.Stderr = os.Stdout, os.Stderr
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("the Wi-Fi program does not start: %w", err)
	}
	if err := r.connect(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// connect waits for the control socket.
func (r *radio) connect() (err error) {
	for end := time.Now().Add(controlWait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		_ = os.Remove(r.local)
		r.control, err = net.DialUnix("unixgram", &net.UnixAddr{Name: r.local, Net: "unixgram"},
			&net.UnixAddr{Name: filepath.Join(controlDir, hotspot.Interface), Net: "unixgram"})
		if err != nil {
			continue
		}
		if _, err = r.ask("PING"); err == nil {
			return nil
		}
		_ = r.control.Close()
	}
	return fmt.Errorf("the Wi-Fi of this board does not answer: %w", err)
}

// close ends it, and waits.
func (r *radio) close() {
	if r.control != nil {
		_ = r.control.Close()
	}
	_ = r.cmd.Process.Signal(os.Interrupt)
	kill := time.AfterFunc(controlWait, func() { _ = r.cmd.Process.Kill() })
	_ = r.cmd.Wait()
	kill.Stop()
}

// ask gives a command and returns the answer; events in between are kept.
func (r *radio) ask(command string) (string, error) {
	if _, err := r.control.Write([]byte(command)); err != nil {
		return "", err
	}
	for end := time.Now().Add(controlWait); ; {
		text, err := r.read(end)
		if err != nil {
			return "", fmt.Errorf("%s: %w", command, err)
		}
		if !strings.HasPrefix(text, "<") {
			return text, nil
		}
		r.events = append(r.events, text)
	}
}

// event returns the next event.
func (r *radio) event(until time.Time) (text string, err error) {
	if len(r.events) > 0 {
		text, r.events = r.events[0], r.events[1:]
		return text, nil
	}
	return r.read(until)
}

// read returns the next message, an event or an answer.
func (r *radio) read(until time.Time) (string, error) {
	buffer := make([]byte, 64<<10)
	if err := r.control.SetReadDeadline(until); err != nil {
		return "", err
	}
	n, err := r.control.Read(buffer)
	return string(buffer[:n]), err
}

// scan looks which networks are around; that works only before our own is open.
func (s *spot) scan(ctx context.Context) error {
	s.networks = nil
	r, err := startRadio(hotspot.Idle(controlDir, s.choice.Country))
	if err != nil {
		return err
	}
	defer r.close()
	for begin := time.Now(); time.Since(begin) < scanWait; {
		if len(s.networks) == 0 { // not yet, or this look heard nobody
			if err := r.look(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
		text, err := r.ask("SCAN_RESULTS")
		if err != nil {
			return err
		}
		if s.networks = hotspot.ParseScan(text, s.name); len(s.networks) > 0 && time.Since(begin) > scanLeast {
			break
		}
	}
	fmt.Printf("%d networks are around\n", len(s.networks))
	return nil
}

// look has the radio look for networks, if it is not doing so already.
func (r *radio) look() error {
	answer, err := r.ask("SCAN")
	if err != nil || strings.HasPrefix(answer, "FAIL") && !strings.Contains(answer, "BUSY") {
		return errors.Join(err, fmt.Errorf("looking for networks: %s: is the Wi-Fi of this board switched off?", strings.TrimSpace(answer)))
	}
	return nil
}

// join tries the network that was chosen. It returns what was wrong, for people.
func (s *spot) join(ctx context.Context) (problem string, err error) {
	conf, err := s.choice.Supplicant()
	if err != nil {
		return "", err
	}
	conf = []byte(strings.Replace(string(conf), "ctrl_interface=DIR=/run/wpa_supplicant\n", "ctrl_interface=DIR="+controlDir+"\n", 1))
	r, err := startRadio(conf)
	if err != nil {
		return "", err
	}
	defer r.close()
	if _, err := r.ask("ATTACH"); err != nil {
		return "", err
	}
	var j hotspot.Joining
	for end := time.Now().Add(joinWait); time.Now().Before(end) && !j.Hopeless(); {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		text, err := r.event(time.Now().Add(time.Second))
		if err == nil {
			j.Event(text)
		} else if !errors.Is(err, os.ErrDeadlineExceeded) {
			return "", err
		}
		if !j.Connected() { // it may have connected before we listened
			if status, err := r.ask("STATUS"); err == nil && strings.Contains(status, "wpa_state=COMPLETED") {
				j.Event("CTRL-EVENT-CONNECTED")
			}
		}
		if j.Connected() && hasAddress() {
			return "", nil
		}
	}
	return j.Problem(s.choice.WiFi), nil
}
