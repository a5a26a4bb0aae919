package ostp

// Unwrapper follows a 32-bit counter across its wraps. The zero value is ready;
// the first value it sees is taken as it is.
type Unwrapper struct {
	last  int64
	ready bool
}

// Unwrap returns the 64-bit value nearest to the last one whose low 32 bits are
// v: at most 2^31 before it or 2^31−1 after it. Later calls measure from the
// highest value seen, so a late packet moves nothing.
func (u *Unwrapper) Unwrap(v uint32) int64 {
	if !u.ready {
		u.last, u.ready = int64(v), true
		return u.last
	}
	full := u.Near(v)
	u.last = max(u.last, full)
	return full
}

// Near is Unwrap without moving the reference, for a value not yet trusted.
func (u *Unwrapper) Near(v uint32) int64 {
	if !u.ready {
		return int64(v)
	}
	return u.last + int64(int32(v-uint32(u.last)))
}
