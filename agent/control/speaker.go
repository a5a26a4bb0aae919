package control

import (
	"time"

	"github.com/tutti-audio/tutti/agent/session/lan"
)

// Speaker is what this package needs of the speaker it shows: the agent. All
// methods are safe for concurrent use.
type Speaker interface {
	Status() Status
	// The setters apply at once and survive a power cut. They refuse values out
	// of range with an error that says what is allowed.
	SetVolume(percent int) error
	SetMuted(muted bool) error
	SetTrim(trim time.Duration) error
	SetChannelMap(name string) error
	SetName(name string) error
	// Join makes the speaker play a channel as soon as that is there; an empty
	// name means the first that is found.
	Join(channel string) error
	// Sources lists the sources that are on the network now.
	Sources() []Source
	// Speakers lists the speakers on the network, this one included.
	Speakers() []Peer
	// Listeners asks the source of the present stream how all its speakers are
	// aligned; empty when nothing is playing.
	Listeners() ([]Listener, error)
	// Artwork returns the picture of what is playing, or nothing.
	Artwork() (picture []byte, mimeType string)
}

// Status is everything a person may want to know of a speaker. Times of day are
// UTC; durations are in the unit that a field's name ends in.
type Status struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Room     string    `json:"room"`
	Version  string    `json:"version"`
	Since    time.Time `json:"since"`
	State    string    `json:"state"`             // searching, joining, playing, waiting, no-output
	Reason   string    `json:"reason,omitempty"`  // why it is in that state
	Problem  string    `json:"problem,omitempty"` // what to do about it
	Channel  string    `json:"channel"`           // asked for; empty: any
	Volume   int       `json:"volume"`            // 0 to 100
	Muted    bool      `json:"muted"`
	TrimMS   float64   `json:"trim_ms"`
	Map      string    `json:"channel_map"`
	Stream   *Stream   `json:"stream,omitempty"`
	Path     *Path     `json:"path,omitempty"`
	Timing   Timing    `json:"timing"`
	Packets  Packets   `json:"packets"`
	Output   Output    `json:"output"`
	Realtime bool      `json:"realtime"` // the audio thread has real-time scheduling
	Hardware Hardware  `json:"hardware"`
}

// Hardware is the board and what is wired to it. What a board does not tell is
// empty, 0 or false.
type Hardware struct {
	Board           string  `json:"board"`
	DAC             string  `json:"dac"`               // sound add-on, where one is known
	Amplifier       string  `json:"amplifier"`         // on or off; empty: none is switched
	TemperatureC    float64 `json:"temperature_c"`     // of the processor
	Throttled       bool    `json:"throttled"`         // the processor is slowed down now
	UnderVoltage    bool    `json:"under_voltage"`     // the supply is too weak now
	HasThrottled    bool    `json:"has_throttled"`     // since the board was switched on
	HasUnderVoltage bool    `json:"has_under_voltage"` //
}

// Path is the way by which the stream comes. What a LAN does not need is 0.
type Path struct {
	Mode        string  `json:"mode"`   // lan, p2p, relay, websocket
	Reason      string  `json:"reason"` // why this one
	Better      string  `json:"better"` // why no better one, where one was tried
	Address     string  `json:"address"`
	LossPercent float64 `json:"loss_percent"`  // on the way of late, before repair
	RoundTripMS float64 `json:"round_trip_ms"` // to the relay or peer
	JitterMS    float64 `json:"jitter_ms"`     // by which 99 of 100 packets are delayed at most
	BufferMS    float64 `json:"buffer_ms"`     // for which packets wait
	KbitPerS    float64 `json:"kbit_per_s"`    // that come, parity included; 0 on the LAN
	NAT         string  `json:"nat"`           // between here and the relay; empty: not known
	SeenAs      string  `json:"seen_as"`       // this host's address as the relay sees it; empty: not known
	Asked       uint64  `json:"asked"`         // packets asked for again,
	Repaired    uint64  `json:"repaired"`      // that came then,
	Recovered   uint64  `json:"recovered"`     // and recovered from parity,
	Parity      uint64  `json:"parity"`        // of which so many packets came

	// What this speaker is in a house that hears a stream from outside: gateway,
	// stand-by, listener; empty: it is no such house.
	Part      string `json:"part,omitempty"`
	StandBy   string `json:"stand_by,omitempty"`  // address of who takes over from the gateway
	PassedOn  uint64 `json:"passed_on,omitempty"` // packets, by a gateway
	Listeners int    `json:"listeners,omitempty"` // of a gateway, itself included
}

// Stream is what is being played.
type Stream struct {
	Channel   string  `json:"channel"`
	Source    string  `json:"source"`  // its name
	Address   string  `json:"address"` // host:port of its HTTP
	Codec     string  `json:"codec"`
	Channels  int     `json:"channels"`
	PacketMS  float64 `json:"packet_ms"`
	LatencyMS float64 `json:"latency_ms"`
	Unicast   bool    `json:"unicast"` // a copy of our own, not multicast
	Group     string  `json:"group"`
	Title     string  `json:"title"`
	Artist    string  `json:"artist"`
	Album     string  `json:"album"`
	Artwork   bool    `json:"artwork"`
}

// Timing says how well the speaker is in time.
type Timing struct {
	Reported       bool    `json:"reported"`         // the fields below mean something
	OffsetUS       float64 `json:"offset_us"`        // what plays now, minus when it was due; above 0: late
	BoundUS        float64 `json:"bound_us"`         // by which that can be wrong
	PPM            float64 `json:"ppm"`              // resampling
	CardPPM        float64 `json:"card_ppm"`         // the card's crystal against this host's
	HostPPM        float64 `json:"host_ppm"`         // the house clock against this host's
	RoundTripUS    float64 `json:"round_trip_us"`    // least, to the source
	ClockSigmaUS   float64 `json:"clock_sigma_us"`   // standard deviation of house time
	ClockSamples   int     `json:"clock_samples"`    //
	HoldoverS      float64 `json:"holdover_s"`       // since the last time exchange
	WorstWakeLate  float64 `json:"wake_late_us"`     // of the audio thread, lately
	PresentedMedia float64 `json:"presented_media"`  // media frame at the output
	PresentedHouse int64   `json:"presented_house"`  // house time of that, ns
	PresentedLocal int64   `json:"presented_local"`  // CLOCK_MONOTONIC of that, ns
	Jumps          uint64  `json:"discontinuities"`  // of playout
	SinceAlignedS  float64 `json:"since_aligned_s"`  // how long playout has run without one
	MarginMS       float64 `json:"margin_ms"`        // how long before its instant the last packet came
	BufferedMS     float64 `json:"buffered_ms"`      // packets and decoded audio at hand
	QueuedMS       float64 `json:"output_queued_ms"` // in the output
}

// Packets counts.
type Packets struct {
	Received    uint64 `json:"received"`
	Lost        uint64 `json:"lost"`
	Late        uint64 `json:"late"`
	Duplicate   uint64 `json:"duplicate"`
	Early       uint64 `json:"early"` // absurdly far ahead
	Damaged     uint64 `json:"damaged"`
	Foreign     uint64 `json:"foreign"`
	OtherStream uint64 `json:"other_stream"`
	UnknownType uint64 `json:"unknown_type"`
	Undecodable uint64 `json:"undecodable"`
	Concealed   uint64 `json:"concealed_frames"`
	Dropped     uint64 `json:"dropped"` // the audio thread was too slow
}

// Output is the sound device.
type Output struct {
	Name   string `json:"name"`
	Open   bool   `json:"open"`
	Rate   int    `json:"rate"`
	Xruns  uint64 `json:"xruns"`
	Opened uint64 `json:"opened"` // how often; above 1: it vanished and came back
}

// Source is a source on the network.
type Source struct {
	Channel   string  `json:"channel"`
	Name      string  `json:"name"`
	Via       string  `json:"via,omitempty"` // the speaker that passes it on, where it comes from outside
	Address   string  `json:"address"`       // host:port of its HTTP
	Codec     string  `json:"codec"`
	LatencyMS float64 `json:"latency_ms"`
}

// Peer is a speaker on the network.
type Peer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Room    string `json:"room"`
	Address string `json:"address"` // host:port of its HTTP API
	Channel string `json:"channel"`
	Version string `json:"version"`
}

// Listener is how one speaker of the stream is aligned, as the stream's source
// worked it out of the speaker's IDMS report.
type Listener = lan.Listener
