package syncsim

import "time"

// House is the reference scenario: three speakers with cards at 0, +120 and −150
// ppm that swing with temperature, hosts at 0, +50 and −50 ppm.
func House(seed uint64, length time.Duration, n Network) Scenario {
	swing := func(ppm, phase float64) Crystal {
		return Crystal{PPM: ppm, Swing: 2, Period: 15 * time.Minute, Phase: phase}
	}
	speaker := func(host, card, phase float64) Speaker {
		return Speaker{Host: swing(host, phase), Card: swing(card, phase+1), Granularity: 8, Lateness: 15 * time.Microsecond}
	}
	return Scenario{
		Seed: seed, Length: length, Join: 300 * time.Millisecond, Latency: 100 * time.Millisecond, Network: n,
		Speakers: []Speaker{speaker(0, 0, 0), speaker(50, 120, 2), speaker(-50, -150, 4)},
	}
}

// Wired is a quiet switched LAN.
func Wired() Network { return Network{Delay: 60 * time.Microsecond, Queue: 8 * time.Microsecond} }

// Wireless is 5±3 ms with 2 % loss.
func Wireless() Network {
	return Network{Delay: 2 * time.Millisecond, Jitter: 6 * time.Millisecond, Loss: 0.02}
}
