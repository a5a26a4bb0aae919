package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/ostp/describe"
)

const askFor = 3 * time.Second

// errNone says that no source has described its stream yet.
var errNone = errors.New("no source plays on this channel yet")

// descriptionOf is the path of a channel's description; names may contain slashes.
func descriptionOf(channel string) string {
	parts := strings.Split(channel, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/api/channel/" + strings.Join(parts, "/") + "/description"
}

// fetch gets the description of what plays on the channel.
func (m *member) fetch(ctx context.Context) (*describe.Stream, error) {
	b, err := m.request(ctx, http.MethodGet, nil)
	if err != nil {
		return nil, err
	}
	return describe.ParseSDP(b)
}

// publish gives the relay the description of what this member sends.
func (m *member) publish(ctx context.Context, s *describe.Stream) error {
	b, err := describe.AppendSDP(nil, s)
	if err != nil {
		return err
	}
	_, err = m.request(ctx, http.MethodPut, b)
	return err
}

func (m *member) request(ctx context.Context, method string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, m.config.Relay.URL(descriptionOf(m.config.Channel)), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+m.token())
	request.Header.Set("Content-Type", "application/sdp")
	response, err := http.DefaultClient.Do(request)
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
		return nil, fmt.Errorf("relay %s answers %s to a description", m.config.Relay, response.Status)
	}
	return answer, nil
}
