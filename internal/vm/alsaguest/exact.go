package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/internal/vm/inside"
)

func playback(sub int) alsa.Address { return alsa.Address{Card: 0, Device: 0, Subdevice: sub} }
func record(sub int) alsa.Address   { return alsa.Address{Card: 0, Device: 1, Subdevice: sub} }

func config(f alsa.Format, rate int) alsa.Config {
	return alsa.Config{Format: f, Rate: rate, Channels: 2, PeriodTime: 5 * time.Millisecond, BufferTime: 250 * time.Millisecond}
}

// noise is a number that belongs to a frame, never 0, and exact in 16 bits.
func noise(frame int64) float32 {
	x := uint64(frame) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	x *= 0xbf58476d1ce4e5b9
	return float32(int16(x>>40)|1) / (1 << 15)
}

// exact plays numbered noise and looks whether just that is recorded. A busy host
// may stop the machine for longer than the rings last, so there are some attempts;
// a frame that is wrong ends them.
func exact(want alsa.Config) {
	name := fmt.Sprintf("exact-%v-%d", want.Format, want.Rate)
	if want.Copied {
		name += "-copied"
	}
	for attempt := 1; ; attempt++ {
		right, silent, wrong, got, err := once(want)
		switch {
		case (errors.Is(err, alsa.ErrStopped) || err == nil && wrong == 0 && right < want.Rate) && attempt < 6:
			fmt.Println("not yet:", name, right, silent, err)
			continue
		case err != nil:
			inside.Say(false, name, "%v", err)
		default:
			inside.Say(wrong == 0 && right >= want.Rate, name, "%d frames as sent, %d silent, %d wrong; mapped %v, period %d, buffer %d; attempt %d",
				right, silent, wrong, got.Mapped, got.Period, got.Buffer, attempt)
		}
		return
	}
}

func once(want alsa.Config) (right, silent, wrong int, got alsa.Config, err error) {
	out, err := alsa.OpenPlayback(alsa.Linux{}, playback(0), want)
	if err != nil {
		return 0, 0, 0, got, err
	}
	defer out.Close()
	in, err := alsa.OpenCapture(alsa.Linux{}, record(0), want)
	if err != nil {
		return 0, 0, 0, got, err
	}
	defer in.Close()
	got = out.Config()
	if got.Format != want.Format || got.Rate != want.Rate || got.Copied != want.Copied {
		return 0, 0, 0, got, fmt.Errorf("granted %+v", got)
	}
	recorded, err := exchange(out, in, 2*want.Rate)
	if err == nil {
		right, silent, wrong = compare(recorded, tolerance(want.Format))
	}
	return right, silent, wrong, got, err
}

// tolerance is what dither may change.
func tolerance(f alsa.Format) float64 {
	if f == alsa.S16 {
		return 1.6 / (1 << 15)
	}
	return 0
}

// exchange plays by frame number and records at the same time.
func exchange(out, in *alsa.PCM, frames int) (left []float32, err error) {
	pcm := make([]float32, 2*out.Config().Buffer)
	next := int64(0)
	for len(left) < frames {
		s, err := out.Status(0)
		if err != nil {
			return nil, err
		}
		next = max(next, s.Frames)
		n := min(int(s.Frames+int64(out.Config().Buffer)*3/4-next), out.Config().Buffer)
		for i := range max(n, 0) {
			pcm[2*i] = noise(next + int64(i))
			pcm[2*i+1] = -pcm[2*i]
		}
		if n > 0 {
			took, err := out.Write(next, pcm[:2*n])
			if err != nil {
				return nil, err
			}
			next += int64(took)
		}
		if left, err = take(in, left, pcm); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// take appends what was recorded, of the left channel, waiting for a period.
func take(in *alsa.PCM, left, pcm []float32) ([]float32, error) {
	if err := in.Wait(time.Second); err != nil {
		return nil, err
	}
	n, err := in.Read(pcm)
	for i := range n {
		left = append(left, pcm[2*i])
	}
	return left, err
}

// compare finds the recording's place in the noise and counts.
func compare(recorded []float32, near float64) (right, silent, wrong int) {
	same := func(i int, frame int64) bool {
		return math.Abs(float64(recorded[i])-float64(noise(frame))) <= near
	}
	middle := len(recorded) / 2
	for recorded[middle] == 0 && middle < len(recorded)-64 {
		middle++
	}
	offset, found := int64(0), false
	for f := int64(0); f < int64(8*len(recorded)) && !found; f++ {
		found = true
		for i := 0; i < 8 && found; i++ {
			found = same(middle+i, f+int64(i))
		}
		offset = f - int64(middle)
	}
	for i, x := range recorded {
		switch {
		case found && same(i, offset+int64(i)):
			right++
		case x == 0:
			silent++
		default:
			wrong++
		}
	}
	return right, silent, wrong
}

// clock looks at position and time stamp while nothing is played.
func clock() {
	out, err := alsa.OpenPlayback(alsa.Linux{}, playback(0), config(alsa.S32, 48000))
	if err != nil {
		inside.Say(false, "clock", "%v", err)
		return
	}
	defer out.Close()
	var first, last alsa.Status
	least, most, backwards := 0.0, 0.0, 0
	for range 400 {
		time.Sleep(5 * time.Millisecond)
		s, err := out.Status(1)
		if err != nil {
			inside.Say(false, "clock", "%v", err)
			return
		}
		if first.At == 0 {
			first, last = s, s
		}
		if s.At < last.At || s.Frames < last.Frames {
			backwards++
		}
		ahead := float64(s.Frames-first.Frames) - float64(s.At-first.At)*48e-6
		least, most, last = min(least, ahead), max(most, ahead), s
	}
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	age := time.Duration(now.Nano() - last.At)
	ok := backwards == 0 && age >= 0 && age < time.Second && most-least < 2400 && last.Frames-first.Frames > 48000
	inside.Say(ok, "clock", "%d frames in %.3f s, %d steps back, scatter %.0f frames, stamp %v old, the card's own clock is of type %d",
		last.Frames-first.Frames, float64(last.At-first.At)*1e-9, backwards, most-least, age, last.AudioType)
}
