// Package playout turns OSTP packets into the frames that a sound card plays:
// jitter buffer, decoding, concealment, exact start, steered resampling, channel
// map and volume.
//
// An [Engine] is pull-driven and pure. Packets go in with Push whenever they
// arrive; Render is asked for the card's next frames and decides only then what
// is lost, so that every packet has until its last possible moment. What plays
// when is servo.Timeline's business; the engine reads the decoded audio along
// the track it is given:
//
//	Push → jitter buffer ─(due)→ decoder → mixer → window ─(track)→ resampler → gain → card
//
// Gaps are filled as they are: media time that the sender left out is silence,
// a lost packet is continued by the codec (Opus) or by extrapolation. A jump of
// the timeline is crossfaded.
//
// Units are frames; the output is interleaved stereo float32. An Engine belongs
// to one goroutine and does not allocate in steady state.
package playout

import (
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/codec"
	"github.com/tutti-audio/tutti/sync/offset"
	"github.com/tutti-audio/tutti/sync/resample"
	"github.com/tutti-audio/tutti/sync/servo"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	windowFrames = 16384
	lead         = 2048 // frames of silence before the first packet
	fadeIn       = 240  // 5 ms, when joining in the middle
	crossfade    = 480  // 10 ms, at a jump
	maxBlock     = 4096 // frames per Render, at most
	idleAfter    = 2 * time.Second
	maxAhead     = 30 * time.Second // a packet further from now is absurd
)

// Format is what the engine must know of a stream to play it.
type Format struct {
	Codec   codec.Params
	Latency time.Duration
	Anchor  servo.Anchor
	// Queue is how much of the latency is to wait in the device, where no more can be
	// mended. 0: as much as the player thinks right.
	Queue time.Duration
}

// Engine plays one stream on one card. Make it with New.
type Engine struct {
	Timeline *servo.Timeline

	kernel  *resample.Kernel
	buffer  *jitterBuffer
	window  *window
	decoder codec.Decoder
	format  Format
	trim    time.Duration
	wrap    ostp.Unwrapper // of media timestamps
	hasWrap bool

	mapping ChannelMap
	mix     mixer
	gain    gain
	conceal extrapolator
	fade    int // frames of fade-in still to come

	decoded [codec.MaxFrames * codec.MaxChannels]float32
	mixed   [codec.MaxFrames * outputs]float32
	joint   [joinFrames * outputs]float32
	old     [crossfade * outputs]float32
	last    servo.Block
	starved int64 // frames without any packet
	stats   Stats
}

// New returns an engine for a card. volume is as SetVolume takes it; it applies
// without a ramp.
func New(card *servo.Card, volume int, muted bool, mapping ChannelMap) *Engine {
	e := &Engine{
		Timeline: servo.NewTimeline(card),
		kernel:   resample.NewKernel(), window: newWindow(windowFrames), buffer: newJitterBuffer(64),
		mapping: mapping,
	}
	e.SetVolume(volume, muted)
	e.gain = gain{current: e.gain.target, target: e.gain.target}
	return e
}

// Start begins a stream. What was playing is forgotten.
func (e *Engine) Start(f Format) error {
	decoder, err := codec.NewDecoder(f.Codec)
	if err != nil {
		return err
	}
	packet := max(f.Codec.Frames, 48)
	held := f.Latency + time.Second
	e.decoder, e.format = decoder, f
	e.buffer = newJitterBuffer(int(timebase.Frames(held)) / packet)
	e.hasWrap, e.conceal.active, e.starved = false, false, 0
	e.mix.set(e.mapping, f.Codec.Channels, true)
	e.Timeline.Stop()
	e.SetAnchor(f.Anchor)
	return nil
}

// Stop ends the stream; Render goes on with silence.
func (e *Engine) Stop() {
	e.decoder = nil
	e.buffer.clear()
	e.Timeline.Stop()
}

// SetAnchor moves the stream in house time: a sender's report may do it.
func (e *Engine) SetAnchor(a servo.Anchor) {
	e.format.Anchor = a
	e.Timeline.SetAnchor(a, e.format.Latency+e.trim)
}

// SetTrim moves this speaker: above 0 it plays later.
func (e *Engine) SetTrim(trim time.Duration) {
	e.trim = trim
	e.SetAnchor(e.format.Anchor)
}

// SetVolume sets the volume, 0 to 100, and mute; both ramp.
func (e *Engine) SetVolume(volume int, muted bool) {
	target := GainOf(volume)
	if muted {
		target = 0
	}
	e.gain.set(target)
}

// SetChannelMap chooses which channels the outputs play.
func (e *Engine) SetChannelMap(m ChannelMap) {
	e.mapping = m
	if e.decoder != nil {
		e.mix.set(m, e.format.Codec.Channels, false)
	}
}

// SetClock gives the newest estimate of house time.
func (e *Engine) SetClock(c offset.Estimate) { e.Timeline.SetClock(c) }

// Push takes a packet of the stream. The payload is copied. now is the local
// time, against which absurd media timestamps are told.
func (e *Engine) Push(sequence, mediaTimestamp uint32, fresh bool, payload []byte, now timebase.Local) Verdict {
	if e.decoder == nil {
		return Late
	}
	media := e.unwrapMedia(mediaTimestamp)
	verdict := Early
	if !e.absurd(media, now) {
		verdict = e.buffer.push(sequence, media, fresh, payload)
	}
	e.stats.count(verdict)
	if verdict == Stored {
		e.stats.Margin = e.margin(media, now)
	}
	return verdict
}

// unwrapMedia takes the anchor for the reference of the 32-bit timestamp.
func (e *Engine) unwrapMedia(ts uint32) int64 {
	if !e.hasWrap {
		e.hasWrap = true
		e.wrap = ostp.Unwrapper{}
		e.wrap.Unwrap(uint32(e.format.Anchor.Media))
	}
	near := e.wrap.Near(ts)
	return near + int64(e.format.Anchor.Media) - int64(uint32(e.format.Anchor.Media))
}

// absurd reports whether a media time cannot belong to what is played now.
func (e *Engine) absurd(media int64, now timebase.Local) bool {
	if !e.Timeline.Ready() {
		return false
	}
	ahead := e.margin(media, now)
	if ahead > 0 && ahead < maxAhead {
		e.wrap.Unwrap(uint32(media)) // trusted: follow it across its wraps
	}
	return ahead > maxAhead || ahead < -maxAhead
}

// margin is how long before its instant at the DAC a frame arrived.
func (e *Engine) margin(media int64, now timebase.Local) time.Duration {
	if !e.Timeline.Ready() {
		return 0
	}
	at := e.Timeline.Target(timebase.Card(e.Timeline.Card.FrameAt(now)))
	return time.Duration((float64(media) - at) / timebase.Rate * 1e9)
}

// Render writes the card frames from n on, interleaved stereo; n continues the
// last call unless the card was restarted.
func (e *Engine) Render(dst []float32, n timebase.Card) {
	for len(dst) > 0 {
		frames := min(len(dst)/outputs, maxBlock)
		e.renderBlock(dst[:frames*outputs], n)
		dst, n = dst[frames*outputs:], n+timebase.Card(frames)
	}
}

func (e *Engine) renderBlock(dst []float32, n timebase.Card) {
	if e.decoder == nil || !e.Timeline.Ready() {
		clear(dst)
		e.gain.apply(dst)
		return
	}
	block := e.Timeline.Next(n, len(dst)/outputs)
	fading := 0
	if block.Jumped && e.last.Frames > 0 && n == e.last.From+timebase.Card(e.last.Frames) {
		fading = min(crossfade, block.Frames)
		e.read(e.old[:fading*outputs], e.last.Track.At(e.last.Frames))
	}
	e.last = block
	e.read(dst, block.Track)
	for i := range fading {
		in := float32(i+1) / float32(fading+1)
		for at := i * outputs; at < (i+1)*outputs; at++ {
			dst[at] = dst[at]*in + e.old[at]*(1-in)
		}
	}
	e.gain.apply(dst)
}

// read fills dst with the audio along a track: silence before the window, then
// what the packets gave.
func (e *Engine) read(dst []float32, t resample.Track) {
	frames := len(dst) / outputs
	end := int64(t.At(frames).Pos) + int64(e.kernel.After()) + 2
	e.decodeThrough(end)
	silent := 0
	first := float64(e.window.start + int64(e.kernel.Before()) + 1)
	for silent < frames && t.At(silent).Pos < first {
		silent++
	}
	clear(dst[:silent*outputs])
	if silent == frames {
		return
	}
	rest := t.At(silent)
	rest.Pos -= float64(e.window.start)
	done := silent + e.kernel.Interpolate(dst[silent*outputs:], e.window.samples, outputs, rest)
	clear(dst[done*outputs:])
}
