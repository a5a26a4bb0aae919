package remote

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tutti-audio/tutti/internal/tcp"
	"github.com/tutti-audio/tutti/ostp/describe"
)

const (
	askFor     = 3 * time.Second
	helpersFor = 50 * time.Second
	showFor    = 200 * time.Millisecond // longer than the quicker family takes, for the other
)

// errNone says that no source has described its stream yet.
var errNone = errors.New("no source plays on this channel yet")

// pathOf is a path of a channel at the relay; names may contain slashes.
func pathOf(channel, what string) string {
	parts := strings.Split(channel, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/api/channel/" + strings.Join(parts, "/") + "/" + what
}

// client asks the relay's HTTP.
func (e Endpoint) client() *http.Client {
	return &http.Client{Transport: e.transport()}
}

func (e Endpoint) transport() *http.Transport {
	return &http.Transport{DialContext: tcp.Dial, TLSClientConfig: &tls.Config{RootCAs: e.Roots, MinVersion: tls.VersionTLS13}}
}

// clientBy asks it by one family of addresses, tcp4 or tcp6, once.
func (e Endpoint) clientBy(family string) *http.Client {
	t := e.transport()
	t.DisableKeepAlives = true
	t.DialContext = func(ctx context.Context, _, address string) (net.Conn, error) { return tcp.Dial(ctx, family, address) }
	return &http.Client{Transport: t}
}

// fetch gets the description of what plays on the channel.
func (m *Member) fetch(ctx context.Context) (*describe.Stream, error) {
	b, err := m.get(ctx, m.http, http.MethodGet, "description", nil)
	if err != nil {
		return nil, err
	}
	return describe.ParseSDP(b)
}

// publish gives the relay the description of what this member sends.
func (m *Member) publish(ctx context.Context, s *describe.Stream) error {
	b, err := describe.AppendSDP(nil, s)
	if err != nil {
		return err
	}
	_, err = m.get(ctx, m.http, http.MethodPut, "description", b)
	return err
}

// get asks the relay's HTTP for something of the channel, as this member.
func (m *Member) get(ctx context.Context, by *http.Client, method, what string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, m.config.Relay.URL(pathOf(m.config.Channel, what)), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+m.token())
	if body != nil {
		request.Header.Set("Content-Type", "application/sdp")
	}
	response, err := by.Do(request)
	if err != nil {
		return nil, fmt.Errorf("relay %s: its HTTP does not answer: %w", m.config.Relay, err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, describe.MaxSize+1))
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusNotFound:
		return nil, errNone
	case response.StatusCode/100 != 2:
		return nil, fmt.Errorf("relay %s answers %s when asked for the %s", m.config.Relay, response.Status, what)
	}
	return answer, nil
}

// ICEServer is a STUN or TURN server, as browsers write it.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// ICEServers returns the servers that help to find a way to a peer, as the relay said
// within the last 50 seconds: whoever wants to meet a peer need not wait for it.
func (m *Member) ICEServers(ctx context.Context) ([]ICEServer, error) {
	m.helpers.Lock()
	defer m.helpers.Unlock()
	if m.helpers.servers == nil || time.Since(m.helpers.at) > helpersFor {
		servers, err := m.askForServers(ctx)
		if err != nil {
			return nil, err
		}
		m.helpers.servers, m.helpers.at = servers, time.Now()
	}
	return m.helpers.servers, nil
}

// helpers is what the relay last said.
type helpers struct {
	sync.Mutex
	servers []ICEServer
	at      time.Time
}

// askForServers asks the relay. The servers answer addresses by which it knows this
// member, so it is asked by both families; the first answer counts.
func (m *Member) askForServers(ctx context.Context) ([]ICEServer, error) {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	type answer struct {
		text []byte
		err  error
	}
	answers := make(chan answer, 2)
	for _, family := range []string{"tcp4", "tcp6"} {
		wait.Go(func() {
			b, err := m.get(ctx, m.config.Relay.clientBy(family), http.MethodGet, "bootstrap", nil)
			answers <- answer{b, err}
		})
	}
	first := <-answers
	if first.err != nil {
		first = <-answers
	} else {
		select {
		case <-answers:
		case <-time.After(showFor):
		}
	}
	if first.err != nil {
		return nil, first.err
	}
	var said struct {
		Servers []ICEServer `json:"ice_servers"`
	}
	if err := json.Unmarshal(first.text, &said); err != nil {
		return nil, fmt.Errorf("relay %s answers no bootstrap: %w", m.config.Relay, err)
	}
	return said.Servers, nil
}
