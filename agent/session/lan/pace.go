package lan

import (
	"runtime"
	"time"

	"github.com/tutti-audio/tutti/internal/hostclock"
	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// giveUp is how late a packet may leave as a share of the latency before the
// sender leaves media time out instead of sending what comes too late.
const giveUp = 0.5

// pace is the sending thread: packet k leaves when its first frame is due.
func (s *Sender) pace() {
	runtime.LockOSThread() // ends with the goroutine
	hostclock.RaiseThread()
	defer close(s.ended)
	var p ostp.Packet
	p.SSRC, p.StreamID, p.PayloadType = s.stream.SSRC, s.stream.StreamID, uint8(s.stream.Codec)
	p.Marker = true
	media, house := timebase.Media(0), s.house.Load()
	for sequence := uint32(0); !s.closing.Load(); sequence++ {
		frames, err := s.fill()
		if frames == 0 {
			s.err = err
			return
		}
		s.steer()
		if s.payload, err = s.encoder.Append(s.payload[:0], s.pcm); err != nil {
			s.err = err
			return
		}
		if skip := s.behind(media); skip > 0 {
			media += skip
			p.Marker = true
			s.skipped.Add(1)
		}
		p.SetSequence(sequence)
		p.MediaTimestamp, p.Timestamp, p.Payload = uint32(media), s.stream.Offset+uint32(media), s.payload
		if s.packet, err = ostp.AppendPacket(s.packet[:0], &p); err != nil {
			s.err = err
			return
		}
		due := house.local(s.stream.HouseAt(media))
		s.config.Clock.SleepUntil(due)
		s.send(s.packet)
		if s.config.Also != nil {
			s.config.Also(s.packet)
		}
		s.lateBy.Store(int64(s.config.Clock.Now().Sub(due)))
		media += timebase.Media(s.config.Codec.Frames)
		p.Marker = false
	}
}

// fill reads one packet's frames; what the source lacks at its end is silence.
func (s *Sender) fill() (frames int, err error) {
	channels := s.config.Codec.Channels
	for frames < s.config.Codec.Frames {
		n, err := s.config.Source.Read(s.pcm[frames*channels:])
		frames += n
		if err != nil {
			clear(s.pcm[frames*channels:])
			return frames, err
		}
	}
	return frames, nil
}

// behind returns how much media time to leave out because this host stood still:
// whole packets, so that the next one is due now.
func (s *Sender) behind(media timebase.Media) timebase.Media {
	late := s.config.Clock.Now().Sub(s.house.Load().local(s.stream.HouseAt(media)))
	if late < time.Duration(float64(s.config.Latency)*giveUp)+20*time.Millisecond {
		return 0
	}
	packet := timebase.Media(s.config.Codec.Frames)
	return (timebase.Frames(late)/packet + 1) * packet
}
