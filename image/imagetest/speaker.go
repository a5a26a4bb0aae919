package imagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/netlab"
)

const (
	hardwareAddress = "52:54:00:12:34:56"
	linkLocal       = "fe80::5054:ff:fe12:3456" // by it
	apiPort         = "8400"
)

// Network makes a laboratory's host that a board can be plugged into.
func Network(lab *netlab.Lab) (host *netlab.Host, at netip.Addr, err error) {
	at = netip.MustParseAddr("169.254.7.1")
	if host, err = lab.NewHost("house"); err != nil {
		return nil, at, err
	}
	return host, at, host.Tap(tap, netip.PrefixFrom(at, 16), netip.MustParsePrefix("fe80::7:1/64"))
}

// Speaker is a board seen from its network.
type Speaker struct {
	Host *netlab.Host
	Key  string // file with the private key whose public one is in the card's tutti.toml
}

// Status is what a speaker says of itself.
type Status struct {
	Name   string `json:"name"`
	Room   string `json:"room"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	Output struct {
		Name string `json:"name"`
		Open bool   `json:"open"`
	} `json:"output"`
	Hardware struct {
		Board string `json:"board"`
	} `json:"hardware"`
}

// dial connects from the speaker's network.
func (s *Speaker) dial(_ context.Context, network, address string) (c net.Conn, err error) {
	err = s.Host.Do(func() (err error) {
		c, err = net.DialTimeout(network, address, 5*time.Second)
		return err
	})
	return c, err
}

// Status asks the speaker.
func (s *Speaker) Status(ctx context.Context) (status Status, err error) {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: s.dial, DisableKeepAlives: true}}
	url := "http://[" + linkLocal + "%25" + tap + "]:" + apiPort + "/api/v1/status"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return status, err
	}
	response, err := client.Do(request)
	if err != nil {
		return status, err
	}
	defer response.Body.Close()
	return status, json.NewDecoder(response.Body).Decode(&status)
}

// Shell runs a command on the speaker, by SSH. The host's key is learned at the first
// time, and must stay: also over updates.
func (s *Speaker) Shell(ctx context.Context, command string) (string, error) {
	cmd := s.Host.Command(ctx, "ssh", "-F", "/dev/null", "-i", s.Key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20",
		"-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=6", "-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=accept-new",
		"-o", "UserKnownHostsFile="+s.knownHosts(), "root@"+linkLocal+"%"+tap, command)
	var said netlab.Transcript
	cmd.Stdout, cmd.Stderr = &said, &said
	err := s.Host.Run(cmd)
	out := strings.TrimSpace(said.String())
	if err != nil {
		err = fmt.Errorf("ssh %q: %w: %s", command, err, out)
	}
	return out, err
}

// knownHosts is the file with the host's key.
func (s *Speaker) knownHosts() string { return filepath.Join(filepath.Dir(s.Key), "known_hosts") }

// ShellUntil waits until a command can be run and its output has a text in it.
func (s *Speaker) ShellUntil(ctx context.Context, command, want string) (out string, err error) {
	err = Until(ctx, command, func(ctx context.Context) (err error) {
		if out, err = s.Shell(ctx, command); err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("it prints %q, not %q", out, want)
		}
		return err
	})
	return out, err
}
