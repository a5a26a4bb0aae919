package netlab

import (
	"errors"
	"time"
)

// Direction is one of the two ways through an impaired link.
type Direction int

// The directions of a link.
const (
	ToHost Direction = iota
	ToSwitch
)

// Conditions is the fate of the frames that pass an impaired link in one
// direction. Its zero value passes everything on at once.
type Conditions struct {
	Delay  time.Duration // each frame is held this long,
	Jitter time.Duration // plus or minus a uniform part of this, never below 0
	// Reorder lets a frame with less delay overtake; otherwise order is kept and
	// frames behind a slow one bunch up.
	Reorder bool

	Loss float64 // probability that a frame is lost, independent of the others
	// Bursts of loss begin at random with this mean distance (0: none), and all
	// frames of a burst's length are lost.
	BurstEvery, BurstLength time.Duration

	Duplicate float64 // probability that a frame arrives twice
	// Corrupt is the probability that one bit of a frame is inverted. In UDP over
	// IPv4 it is a bit of the payload, and the checksum is cleared, so that the
	// damage reaches the application.
	Corrupt float64

	// Beacon holds group traffic and releases it in bursts at multiples of this,
	// as a Wi-Fi access point does while a station sleeps (102.4 ms); 0 is off.
	Beacon time.Duration
	// BlockMulticast drops group traffic and passes unicast. IGMP, ICMPv6 and
	// broadcast pass, so that hosts still find each other.
	BlockMulticast bool
	// PassDiscovery exempts mDNS (224.0.0.251 and ff02::fb) from BlockMulticast.
	PassDiscovery bool

	Rate  float64       // bits per second of the line; 0 is unlimited
	Queue time.Duration // how much waits for the line before frames are lost; 0 means 100 ms
}

// check refuses what has no meaning.
func (c Conditions) check() error {
	for _, p := range []float64{c.Loss, c.Duplicate, c.Corrupt} {
		if !(p >= 0 && p <= 1) {
			return errors.New("netlab: Loss, Duplicate and Corrupt are probabilities from 0 to 1")
		}
	}
	for _, d := range []time.Duration{c.Delay, c.Jitter, c.BurstEvery, c.BurstLength, c.Beacon, c.Queue} {
		if d < 0 {
			return errors.New("netlab: the durations of Conditions cannot be negative")
		}
	}
	if (c.BurstEvery > 0) != (c.BurstLength > 0) {
		return errors.New("netlab: a burst needs both BurstEvery and BurstLength")
	}
	if !(c.Rate >= 0) {
		return errors.New("netlab: Rate cannot be negative")
	}
	return nil
}

// Counts says what happened to the frames of one direction.
type Counts struct {
	In, Out    uint64 // frames that arrived, and that left (duplicates counted)
	Lost       uint64 // by Loss
	Burst      uint64 // by a burst
	Blocked    uint64 // by BlockMulticast
	Overflow   uint64 // beyond Queue, or beyond what the relay holds
	Duplicated uint64
	Corrupted  uint64
}
