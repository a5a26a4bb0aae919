package control

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	appName       = "TUTI"
	healthVersion = 1  // as the APP packet's subtype
	healthSize    = 40 // at least: it was so before Mend and Queue
	healthFull    = 48
)

// Flags of the health packet.
const (
	flagPlaying = 1 << iota
	flagMuted
	flagUnicast
)

// appendHealth appends h: flags, volume, asks, a spare byte, then eleven 32-bit numbers,
// signed where they can be below zero, all big-endian.
func appendHealth(dst []byte, h Health) []byte {
	flags := byte(0)
	for i, set := range []bool{h.Playing, h.Muted, h.Unicast} {
		if set {
			flags |= 1 << i
		}
	}
	dst = append(dst, flags, h.Volume, h.Asks, 0)
	for _, v := range []int64{
		int64(h.Late), int64(h.Bound), int64(math.Round(h.PPM * 1000)), h.Latency.Microseconds(), h.Trim.Microseconds(),
		int64(h.LostPackets), int64(h.ConcealedFrames), h.Margin.Microseconds(), h.Burst.Microseconds(), h.Mend.Microseconds(), h.Queue.Microseconds(),
	} {
		dst = binary.BigEndian.AppendUint32(dst, uint32(saturate(v)))
	}
	return dst
}

// parseHealth reads what appendHealth wrote.
func parseHealth(b []byte) (h Health, ok bool) {
	if len(b) < healthSize {
		return h, false
	}
	word := func(i int) int32 { return int32(binary.BigEndian.Uint32(b[4+4*i:])) }
	micro := func(i int) time.Duration { return time.Duration(word(i)) * time.Microsecond }
	h = Health{
		Playing: b[0]&flagPlaying != 0, Muted: b[0]&flagMuted != 0, Unicast: b[0]&flagUnicast != 0, Volume: b[1],
		Late: time.Duration(word(0)), Bound: time.Duration(word(1)), PPM: float64(word(2)) / 1000, Latency: micro(3), Trim: micro(4),
		LostPackets: uint32(word(5)), ConcealedFrames: uint32(word(6)), Margin: micro(7), Burst: micro(8),
	}
	if len(b) >= healthFull {
		h.Asks, h.Mend, h.Queue = b[2], max(0, micro(9)), max(0, micro(10))
	}
	return h, true
}

// saturate keeps v within 32 bits, so that a huge value stays huge.
func saturate(v int64) int32 { return int32(min(max(v, math.MinInt32), math.MaxInt32)) }
