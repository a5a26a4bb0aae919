package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/tutti-audio/tutti/agent/control"
)

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 4 << 20

// client speaks to the API of one speaker.
type client struct {
	address string // host:port
	key     string // household key
	http    *http.Client
}

func (c client) get(ctx context.Context, path string, into any) error {
	return c.do(ctx, http.MethodGet, path, nil, into)
}

// status asks how the speaker is.
func (c client) status(ctx context.Context) (s control.Status, err error) {
	err = c.get(ctx, "/api/v1/status", &s)
	return s, err
}

// change asks for a change and returns the status that results.
func (c client) change(ctx context.Context, method, path string, body any) (s control.Status, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return s, err
	}
	err = c.do(ctx, method, "/api/v1"+path, b, &s)
	return s, err
}

func (c client) do(ctx context.Context, method, path string, body []byte, into any) error {
	url := "http://" + strings.Replace(c.address, "%", "%25", 1) + path
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return misused("address %q: use host:port", c.address)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return notFound("%s does not answer: %w", c.address, errors.Unwrap(err))
	}
	defer response.Body.Close()
	b, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return notFound("%s stopped answering: %w", c.address, err)
	}
	if response.StatusCode != http.StatusOK {
		return c.refusal(response, b)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%s answers something else than a speaker would: %w", c.address, err)
	}
	return nil
}

// refusal explains an answer that is an error.
func (c client) refusal(response *http.Response, b []byte) error {
	var f control.Failure
	if json.Unmarshal(b, &f) != nil || f.Error == "" {
		return fmt.Errorf("%s answers %s: is it a speaker of this version?", c.address, response.Status)
	}
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return fmt.Errorf("%s asks for the household key, and this is not it: set $TUTTI_KEY or give --key KEY", c.address)
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return coded{errors.New(f.Error), exitMisused}
	}
	return fmt.Errorf("%s: %s", c.address, f.Error)
}
