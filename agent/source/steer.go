package source

// steering is a PI loop from the fill of a ring to parts per million. A writer
// delivers in pieces, so the fill is smoothed over seconds; the loop settles
// within a minute or two, far too slowly to be heard.
type steering struct {
	smooth   float64 // fill in frames
	integral float64 // ppm
	ppm      float64
}

// restart forgets the past after a jump of the fill.
func (s *steering) restart(fill int) { s.smooth = float64(fill) }

// update takes the fill before the next n output frames are read and returns
// the correction; released lets it go back to 0.
func (s *steering) update(fill, target, rate, n int, released bool) float64 {
	const (
		seconds = 3.0  // of smoothing
		kp      = 12.0 // ppm per millisecond
		ki      = 0.04 // ppm per millisecond and second
	)
	dt := float64(n) / Rate
	s.smooth += (float64(fill) - s.smooth) * min(dt/seconds, 1)
	if released {
		s.integral, s.ppm = 0, 0
		return 0
	}
	late := 1000 * (s.smooth - float64(target)) / float64(rate)
	s.integral = max(min(s.integral+ki*late*dt, maxPPM), -maxPPM)
	s.ppm = max(min(kp*late+s.integral, maxPPM), -maxPPM)
	return s.ppm
}
