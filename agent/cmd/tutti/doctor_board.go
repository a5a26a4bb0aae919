package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tutti-audio/tutti/hw"
	"github.com/tutti-audio/tutti/hw/dac"
	"github.com/tutti-audio/tutti/hw/gpioline"
	"github.com/tutti-audio/tutti/hw/i2cdev"
)

// board names the board and its sound add-on, and what that still lacks.
func (p *patient) board(context.Context) finding {
	b := hw.Detect(p.root)
	name := cmp.Or(b.Name, "a board that does not say what it is")
	m, known := b.DAC()
	if set := p.config.Hardware.DAC; set != "" {
		m, known = dac.Find(set)
	}
	if !known {
		return good("%s, no sound add-on known%s", name, cardNames(b))
	}
	detail := fmt.Sprintf("%s with %s%s", name, m.Title, cardNames(b))
	if b.Family == hw.RaspberryPi && !playable(b) && m.Overlay != "" {
		return warning("put dtoverlay="+m.Overlay+" into config.txt and start the board again", "%s: it has no sound card yet", detail)
	}
	if a := m.Amplifier; a.Pin != "" && !m.Driver && p.config.Hardware.AmplifierPin == "" {
		level := ""
		if a.On != "" {
			level = fmt.Sprintf(", amplifier_on = %q", a.On)
		}
		return warning(fmt.Sprintf("set [hardware] amplifier_pin = %q%s in tutti.toml, unless a parameter of its overlay does it", a.Pin, level),
			"%s: its amplifier is not switched", detail)
	}
	return good("%s", detail)
}

// playable reports whether there is a sound card besides HDMI and the Pi's jack.
func playable(b hw.Board) bool {
	return slices.ContainsFunc(b.Cards, func(c hw.Card) bool {
		return !strings.HasPrefix(c.ID, "vc4hdmi") && c.ID != "Headphones" && c.ID != "b1" && c.ID != "ALSA"
	})
}

func cardNames(b hw.Board) string {
	var all []string
	for _, c := range b.Cards {
		all = append(all, c.ID)
	}
	if all == nil {
		return ""
	}
	return " (cards " + strings.Join(all, ", ") + ")"
}

// power looks at heat and supply.
func (p *patient) power(context.Context) finding {
	const cable, air = "use the board's own power supply and a short, thick cable", "give the board air or a heat sink"
	v := hw.ReadPower(p.root)
	warm := "no temperature is told"
	if v.Temperature > 0 {
		warm = fmt.Sprintf("%.0f °C", v.Temperature)
	}
	switch {
	case v.UnderVoltage:
		return failed(cable, "the supply is too weak just now, %s", warm)
	case v.Throttled:
		return warning(air, "the processor is slowed down just now, %s", warm)
	case v.HasUnderVoltage:
		return warning(cable, "the supply was too weak for a moment since the board was switched on, %s", warm)
	case v.HasThrottled:
		return warning(air, "the processor was slowed down since the board was switched on, %s", warm)
	}
	return good("%s, not slowed down", warm)
}

// wires looks whether what is configured can be opened. A running speaker has it
// open already, which is no failure.
func (p *patient) wires(context.Context) finding {
	c := p.config.Hardware
	names, problems := []string{}, []error{}
	for _, name := range []string{c.AmplifierPin, c.LightPin, c.PlayPin, c.UpPin, c.DownPin, c.NextPin, c.EncoderAPin, c.EncoderBPin} {
		if name == "" {
			continue
		}
		names = append(names, name)
		if line, err := gpioline.Find(name); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		} else {
			_ = line.Close()
		}
	}
	if c.AmplifierChip != "" {
		names = append(names, c.AmplifierChip)
		if bus, err := i2cdev.Open(c.AmplifierBus); err != nil {
			problems = append(problems, err)
		} else {
			_ = bus.Close()
		}
	}
	switch {
	case len(problems) > 0:
		return failed("see [hardware] in tutti.toml", "%s", strings.ReplaceAll(errors.Join(problems...).Error(), "\n", "; "))
	case len(names) == 0:
		return good("nothing is wired to this board")
	}
	return good("%s are there", strings.Join(names, ", "))
}
