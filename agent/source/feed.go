package source

// What follows is called by the feeder of a live input.

// connected notes whether a writer or server is there. When it goes, what is
// left in the ring is played out.
func (l *live) connected(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status.Connected, l.ended = yes, !yes
}

// feed puts frames into the ring. Where the ring is full it waits, when the
// writer is elastic, which pressure tells; otherwise it drops the oldest. It
// returns false after Close.
func (l *live) feed(pcm []float32, pressure func() bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(pcm) > 0 && !l.closed {
		free := l.capacity() - l.fill
		if free == 0 {
			if pressure == nil || l.calm(pressure()) {
				l.overrun(len(pcm) / l.channels)
			} else {
				l.space.Wait()
			}
			continue
		}
		at := (l.first + l.fill) % l.capacity()
		n := min(len(pcm)/l.channels, free, l.capacity()-at)
		copy(l.ring[at*l.channels:], pcm[:n*l.channels])
		l.fill += n
		pcm = pcm[n*l.channels:]
	}
	return !l.closed
}

// calm notes that the ring is full, and tells whether it has been so for two
// seconds of audio while the writer did not push: then it is not elastic, but
// ahead of us since the start.
func (l *live) calm(pressed bool) bool {
	if !l.waits || pressed || l.taken-l.waited > int64(l.rate/2) {
		l.calmFrom = l.taken
	}
	l.waits, l.waited = true, l.taken
	return l.taken-l.calmFrom > int64(2*l.rate)
}

// overrun drops the oldest frames down to the target, so that more frames fit,
// and fades from what was next into what is next now.
func (l *live) overrun(frames int) {
	keep := max(min(l.target, l.capacity()-frames), 0)
	drop := l.fill - keep
	if drop <= 0 {
		drop = min(frames, l.fill)
	}
	fade := min(fadeFrames*l.rate/Rate, l.fill-drop)
	for i := range fade {
		old := (l.first + i) % l.capacity() * l.channels
		now := (l.first + drop + i) % l.capacity() * l.channels
		w := (float32(i) + 0.5) / float32(fade)
		for c := range l.channels {
			l.ring[now+c] = l.ring[old+c] + w*(l.ring[now+c]-l.ring[old+c])
		}
	}
	l.first = (l.first + drop) % l.capacity()
	l.fill -= drop
	l.calmFrom, l.waits = l.taken, false
	l.status.Overruns++
	l.status.Dropped += uint64(drop)
	l.steer.restart(l.fill)
}
