package alsa_test

import (
	"math"
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/alsa"
	"github.com/tutti-audio/tutti/alsa/alsatest"
)

func mixer(t *testing.T, elements ...*alsatest.Element) (*alsa.Mixer, []alsa.Control) {
	t.Helper()
	k := &alsatest.Kernel{Now: func() int64 { return 0 }}
	k.Plug(&alsatest.Card{Elements: elements})
	m, err := alsa.OpenMixer(k, 0)
	first(t, err)
	t.Cleanup(func() { _ = m.Close() })
	all, err := m.Controls()
	first(t, err)
	return m, all
}

func hundredths(v int) uint32 { return uint32(int32(v)) }

// Each kind of scale turns values to dB and back.
func TestDecibels(t *testing.T) {
	for name, c := range map[string]struct {
		least, most int
		tlv         []uint32
		wanted      float64
		value       int
		decibels    float64
	}{
		"scale":         {0, 207, []uint32{1, 8, hundredths(-10350), 50}, -20, 167, -20},
		"between steps": {0, 207, []uint32{1, 8, hundredths(-10350), 50}, -20.3, 166, -20.5},
		"muting":        {0, 100, []uint32{1, 8, hundredths(-5000), 50 | 0x10000}, -200, 0, math.Inf(-1)},
		"above the top": {0, 63, []uint32{1, 8, hundredths(-6300), 100}, 12, 63, 0},
		"min and max":   {-10239, 400, []uint32{4, 8, hundredths(-10239), 400}, 0, 0, 0},
		"linear":        {0, 1000, []uint32{2, 8, hundredths(-9999999), 0}, -6.02, 500, -6.02},
		"container":     {0, 10, []uint32{0, 16, 1, 8, hundredths(-1000), 100}, -3, 7, -3},
		"range":         {0, 20, []uint32{3, 48, 0, 9, 1, 8, hundredths(-5000), 400, 10, 20, 1, 8, hundredths(-1000), 100}, -2, 18, -2},
	} {
		e := &alsatest.Element{Name: "PCM Playback Volume", Least: c.least, Most: c.most, TLV: c.tlv, Values: []int{c.least, c.least}}
		m, all := mixer(t, e)
		if len(all) != 1 || !all[0].HasDecibels() {
			t.Errorf("%s: %+v", name, all)
			continue
		}
		first(t, m.SetDecibels(&all[0], c.wanted))
		got, err := m.Decibels(&all[0])
		first(t, err)
		if e.Values[0] != c.value || e.Values[1] != c.value || math.Abs(got-c.decibels) > 0.01 {
			t.Errorf("%s: %g dB makes %v, which is %g dB; want %d, %g dB", name, c.wanted, e.Values, got, c.value, c.decibels)
		}
	}
}

// Damaged scales are no scales.
func TestDecibelsRefused(t *testing.T) {
	for _, tlv := range [][]uint32{{9, 8, 0, 0}, {1, 4, 0}, {1, 4000, 0, 0}, {3, 16, 0, 9, 1, 4000}, {0, 0}} {
		m, all := mixer(t, &alsatest.Element{Name: "PCM Playback Volume", Most: 9, TLV: tlv, Values: []int{5}})
		if len(all) != 1 || all[0].HasDecibels() {
			t.Errorf("%v: %+v", tlv, all)
		}
		if err := m.SetDecibels(&all[0], 0); err == nil {
			t.Errorf("%v: set without a scale", tlv)
		}
	}
}

// What leads to the jack is opened, what comes from elsewhere stays shut.
func TestOpenUp(t *testing.T) {
	scale := []uint32{1, 8, hundredths(-6300), 100}
	volume := func(name string) *alsatest.Element {
		return &alsatest.Element{Name: name, Most: 87, TLV: scale, Values: []int{0, 0}}
	}
	onOff := func(name string) *alsatest.Element {
		return &alsatest.Element{Name: name, Switch: true, Values: []int{0}}
	}
	opened := []*alsatest.Element{volume("Master Playback Volume"), onOff("Master Playback Switch"), volume("Headphone Playback Volume"), onOff("Left Output Mixer PCM Playback Switch"), volume("Speakers Playback Volume")}
	shut := []*alsatest.Element{volume("Mic Playback Volume"), onOff("Line Playback Switch"), volume("Capture Volume"), onOff("Loopback Switch"), volume("Beep Playback Volume"), {Name: "PCM Playback Volume", Most: 9, Values: []int{4}}}
	m, _ := mixer(t, append(append([]*alsatest.Element{}, opened...), shut...)...)
	said, err := m.OpenUp()
	first(t, err)
	for _, e := range opened {
		if e.Switch && e.Values[0] != 1 || !e.Switch && e.Values[0] != 63 {
			t.Errorf("%s is %v", e.Name, e.Values)
		}
	}
	for _, e := range shut {
		if e.Values[0] != 0 && e.Values[0] != 4 {
			t.Errorf("%s is %v", e.Name, e.Values)
		}
	}
	if len(said) != len(opened) || !strings.Contains(strings.Join(said, ", "), "Master Playback Volume +0.0 dB, Master Playback Switch on") {
		t.Errorf("said %q", said)
	}
	if said, err = m.OpenUp(); err != nil || len(said) != 0 {
		t.Errorf("a second time it said %q, %v", said, err)
	}
}

// Devices are named by number, by id, and by what is best.
func TestFind(t *testing.T) {
	k := &alsatest.Kernel{Now: func() int64 { return 0 }}
	cards := []*alsatest.Card{
		{Number: 0, ID: "Loopback", Driver: "Loopback", Name: "Loopback"},
		{Number: 1, ID: "vc4hdmi0", Driver: "vc4-hdmi", Name: "vc4-hdmi-0"},
		{Number: 2, ID: "Headphones", Driver: "bcm2835_headpho", Name: "bcm2835 Headphones"},
		{Number: 3, ID: "Device", Driver: "USB-Audio", Name: "USB Audio Device"},
		{Number: 4, ID: "sndrpihifiberry", Driver: "RPi-simple", Name: "snd_rpi_hifiberry_dac"},
	}
	for i := len(cards) - 1; i >= 0; i-- {
		k.Plug(cards[i])
	}
	for name, want := range map[string]string{
		"hw:3,0": "hw:3,0", "hw:2": "hw:2,0", "4": "hw:4,0", "vc4hdmi0": "hw:1,0", "hw:Device,0": "hw:3,0", "hw:Loopback,0,3": "hw:0,0,3",
		"hw:1,0,2": "hw:1,0,2",
	} {
		d, err := alsa.Find(k, name, false)
		if err != nil || d.String() != want {
			t.Errorf("%s is %v, %v", name, d, err)
		}
	}
	for _, name := range []string{"hw:9", "Nothing", "hw:1,x", "hw:1,2,3,4", ""} {
		if d, err := alsa.Find(k, name, false); err == nil {
			t.Errorf("%q is %v", name, d)
		}
	}
	for i := len(cards) - 1; i > 0; i-- {
		d, err := alsa.Audible(k)
		if err != nil || len(d) != i || d[0].CardID != cards[i].ID {
			t.Errorf("the best are %v, %v, want %s", d, err, cards[i].ID)
		}
		k.Unplug(cards[i])
	}
	if d, err := alsa.Audible(k); err == nil {
		t.Errorf("%v cannot be heard", d)
	}
}
