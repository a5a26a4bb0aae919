package control

import (
	_ "embed" // openapi.yaml
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxBody is the longest request body, in bytes.
const maxBody = 4 << 10

// openAPI describes the API; a test holds it and the code to each other.
//
//go:embed openapi.yaml
var openAPI []byte

// Failure is the body of every answer that is an error.
type Failure struct {
	Error string `json:"error"` // what is wrong, and what to do
}

// The bodies of requests. A field that is left out is refused.
type (
	// VolumeRequest sets the volume.
	VolumeRequest struct {
		Percent *int `json:"percent"`
	}
	// MuteRequest mutes or unmutes.
	MuteRequest struct {
		Muted *bool `json:"muted"`
	}
	// TrimRequest sets the trim.
	TrimRequest struct {
		MS *float64 `json:"ms"`
	}
	// MapRequest sets the channel map.
	MapRequest struct {
		Map *string `json:"channel_map"`
	}
	// NameRequest renames the speaker.
	NameRequest struct {
		Name *string `json:"name"`
	}
	// JoinRequest chooses a channel.
	JoinRequest struct {
		Channel *string `json:"channel"`
	}
)

// Health is what /healthz answers.
type Health struct {
	Program string `json:"program"` // tutti
	Version string `json:"version"`
	Asks    bool   `json:"asks_for_key"` // everything else needs the household key
}

func (s *Server) getStatus(w http.ResponseWriter, _ *http.Request) {
	reply(w, s.config.Speaker.Status())
}

func (s *Server) getSources(w http.ResponseWriter, _ *http.Request) {
	reply(w, list(s.config.Speaker.Sources()))
}

func (s *Server) getSpeakers(w http.ResponseWriter, _ *http.Request) {
	reply(w, list(s.config.Speaker.Speakers()))
}

func (s *Server) getOpenAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openAPI)
}

func (s *Server) getHealth(w http.ResponseWriter, _ *http.Request) {
	reply(w, Health{Program: "tutti", Version: s.config.Speaker.Status().Version, Asks: s.guard.keyed})
}

func (s *Server) getSync(w http.ResponseWriter, _ *http.Request) {
	v, err := s.align.get()
	if err != nil {
		fail(w, http.StatusBadGateway, err.Error())
		return
	}
	reply(w, v)
}

func (s *Server) putVolume(w http.ResponseWriter, r *http.Request) {
	var q VolumeRequest
	change(s, w, r, &q, func() error {
		return given("percent", q.Percent, s.config.Speaker.SetVolume)
	})
}

func (s *Server) putMute(w http.ResponseWriter, r *http.Request) {
	var q MuteRequest
	change(s, w, r, &q, func() error {
		return given("muted", q.Muted, s.config.Speaker.SetMuted)
	})
}

func (s *Server) putTrim(w http.ResponseWriter, r *http.Request) {
	var q TrimRequest
	change(s, w, r, &q, func() error {
		return given("ms", q.MS, func(ms float64) error {
			if ms < -1e6 || ms > 1e6 { // would overflow; the speaker knows the true limit
				return fmt.Errorf("trim %g ms is out of range", ms)
			}
			return s.config.Speaker.SetTrim(time.Duration(ms * float64(time.Millisecond)))
		})
	})
}

func (s *Server) putMap(w http.ResponseWriter, r *http.Request) {
	var q MapRequest
	change(s, w, r, &q, func() error {
		return given("channel_map", q.Map, s.config.Speaker.SetChannelMap)
	})
}

func (s *Server) putName(w http.ResponseWriter, r *http.Request) {
	var q NameRequest
	change(s, w, r, &q, func() error {
		return given("name", q.Name, s.config.Speaker.SetName)
	})
}

func (s *Server) postJoin(w http.ResponseWriter, r *http.Request) {
	var q JoinRequest
	change(s, w, r, &q, func() error {
		return given("channel", q.Channel, s.config.Speaker.Join)
	})
}

// given applies a field that must be there.
func given[T any](name string, value *T, apply func(T) error) error {
	if value == nil {
		return fmt.Errorf("the field %q is missing", name)
	}
	return apply(*value)
}

// change reads the request, applies it and answers with the status that results.
func change(s *Server, w http.ResponseWriter, r *http.Request, into any, apply func() error) {
	if err := decode(w, r, into); err != nil {
		var large *http.MaxBytesError
		code := http.StatusBadRequest
		if errors.As(err, &large) {
			code = http.StatusRequestEntityTooLarge
		}
		fail(w, code, err.Error())
		return
	}
	if err := apply(); err != nil {
		fail(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	s.events.soon()
	reply(w, s.config.Speaker.Status())
}

// decode reads exactly one JSON object without unknown fields.
func decode(w http.ResponseWriter, r *http.Request, into any) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("the body is not what this takes, /api/v1/openapi.yaml shows it: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body goes on after its JSON object: send one object")
	}
	return nil
}

// list makes an empty list of nil, which JSON would call null.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}

func reply(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n'))
}

func fail(w http.ResponseWriter, code int, why string) {
	b, _ := json.Marshal(Failure{Error: why})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n'))
}
