package playout

// decodeThrough extends the window to media frame until, if packets allow, and
// fills what they leave open.
func (e *Engine) decodeThrough(until int64) {
	if e.window.end < until-2*prerun {
		e.buffer.started = false // the track leapt ahead: do not decode what nobody hears
	}
	if !e.buffer.started && !e.begin(until) {
		return
	}
	for e.window.end < until {
		due := e.buffer.due()
		switch {
		case due != nil && due.media > e.window.end:
			e.pause(min(due.media, until) - e.window.end)
		case due != nil:
			e.decode(due)
			e.buffer.pop()
		default:
			e.missing(until)
		}
		if !e.buffer.started {
			return
		}
	}
}

// prerun is how many frames before the track decoding begins at the earliest.
const prerun = 4096

// begin starts with the earliest packet of use once the track comes near it. The
// window before it is silence, so that its first frame is heard at its instant.
func (e *Engine) begin(until int64) bool {
	first := e.buffer.earliest(0)
	for first != nil && first.media < until-prerun {
		e.buffer.drop(first)
		first = e.buffer.earliest(first.sequence + 1)
	}
	if first == nil || first.media >= until {
		return false
	}
	e.buffer.start(first)
	e.decoder.Reset()
	e.window.reset(first.media, lead)
	e.conceal.active, e.starved = false, 0
	e.fade = fadeIn
	if first.fresh {
		e.fade = 0
	}
	return true
}

// decode appends a packet to the window. Frames that the window already holds,
// because they were late and concealed, are left out.
func (e *Engine) decode(s *slot) {
	frames, err := e.decoder.Decode(e.decoded[:], s.payload)
	if err != nil {
		e.stats.Damaged++
		frames = e.format.Codec.Frames
		e.fill(s.media + int64(frames) - e.window.end)
		return
	}
	skip := int(e.window.end - s.media)
	if skip >= frames {
		return
	}
	channels := e.format.Codec.Channels
	e.mix.mix(e.mixed[:(frames-skip)*outputs], e.decoded[skip*channels:frames*channels])
	e.appendMixed(frames - skip)
	e.starved = 0
}

// appendMixed moves e.mixed into the window, joined to what was made up before.
func (e *Engine) appendMixed(frames int) {
	pcm := e.mixed[:frames*outputs]
	if e.conceal.active {
		e.conceal.join(pcm, e.joint[:])
	}
	for i := 0; e.fade > 0 && i < len(pcm); i += outputs {
		level := 1 - float32(e.fade)/(fadeIn+1)
		pcm[i], pcm[i+1] = pcm[i]*level, pcm[i+1]*level
		e.fade--
	}
	copy(e.window.grow(frames), pcm)
}

// missing fills the place of packets that did not come in time: up to the next
// one that did, or up to until.
func (e *Engine) missing(until int64) {
	next := e.buffer.earliest(e.buffer.next)
	if next == nil {
		e.starve(until - e.window.end)
		return
	}
	if next.media > e.window.end {
		e.fill(min(next.media, until) - e.window.end)
	}
	if next.media <= e.window.end {
		e.stats.Lost += uint64(next.sequence - e.buffer.next)
		e.buffer.next = next.sequence
	}
}

// starve fills frames while no packet is there at all, and gives up in the end.
func (e *Engine) starve(frames int64) {
	e.fill(frames)
	e.starved += frames
	if float64(e.starved) > idleAfter.Seconds()*48000 {
		e.buffer.started = false
	}
}

// pause fills media time that the sender left out on purpose.
func (e *Engine) pause(frames int64) {
	if !e.conceal.active {
		e.conceal.begin(e.window.recent(arHistory))
		e.conceal.age = holdFrames + fadeFrames - joinFrames*2
	}
	e.extrapolate(frames)
}

// fill makes frames up: the codec continues its own sound, else the extrapolator
// does.
func (e *Engine) fill(frames int64) {
	e.stats.Concealed += uint64(max(0, frames))
	for unit := e.format.Codec.Frames; frames > 0 && unit > 0 && e.starved < 4800; {
		n, err := e.decoder.Conceal(e.decoded[:], unit)
		if err != nil || n <= 0 {
			break
		}
		e.mix.mix(e.mixed[:n*outputs], e.decoded[:n*e.format.Codec.Channels])
		e.appendMixed(n)
		frames -= int64(n)
	}
	if frames > 0 && !e.conceal.active {
		e.conceal.begin(e.window.recent(arHistory))
	}
	e.extrapolate(frames)
}

// extrapolate appends frames of the extrapolator's.
func (e *Engine) extrapolate(frames int64) {
	for frames > 0 {
		n := int(min(frames, int64(len(e.mixed)/outputs)))
		e.conceal.next(e.window.grow(n))
		frames -= int64(n)
	}
}
