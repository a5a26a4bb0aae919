package agent

import (
	"slices"

	"github.com/tutti-audio/tutti/hw/front"
	"github.com/tutti-audio/tutti/hw/panel"
)

// hand is the speaker as its front sees and changes it.
type hand struct{ *Speaker }

// Face implements front.Speaker.
func (h *hand) Face() front.Face {
	p := h.player.Status()
	hot := h.board.hot()
	h.mu.Lock()
	defer h.mu.Unlock()
	face := front.Face{Sound: h.session != nil && p.Open && !h.wants.muted && h.wants.volume > 0}
	switch {
	case !p.Open:
		face.Light = panel.TwoFlash
	case hot:
		face.Light = panel.ThreeFlash
	case h.session == nil && h.phase.state == "searching":
		face.Light = panel.Slow
	case !p.Playing:
		face.Light = panel.Quick
	case h.wants.muted:
		face.Light = panel.Wink
	default:
		face.Light = panel.Steady
	}
	return face
}

// Hush implements front.Speaker.
func (h *hand) Hush(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hush = on
	h.setGain()
}

// Pause implements front.Speaker: mute, or sound again.
func (h *hand) Pause() {
	h.mu.Lock()
	muted := h.wants.muted
	h.mu.Unlock()
	_ = h.SetMuted(!muted) // does not fail
}

// Louder implements front.Speaker.
func (h *hand) Louder(step int) {
	h.mu.Lock()
	volume := h.wants.volume
	h.mu.Unlock()
	_ = h.SetVolume(min(max(volume+step, 0), 100)) // is in range
}

// NextChannel implements front.Speaker: the one after the present, by name, of
// those that are on the network.
func (h *hand) NextChannel() {
	h.mu.Lock()
	now := h.wants.channel
	if h.session != nil {
		now = h.session.Stream().Channel
	}
	h.mu.Unlock()
	var all []string
	for _, s := range h.Sources() {
		all = append(all, s.Channel)
	}
	next := nextOf(all, now)
	if next == "" || next == now {
		return
	}
	if err := h.Join(next); err != nil {
		h.log.Warn("the next channel cannot be joined", "channel", next, "error", err)
	}
}

// nextOf returns the name after now, or the first.
func nextOf(all []string, now string) string {
	slices.Sort(all)
	for _, name := range all {
		if name > now {
			return name
		}
	}
	if len(all) > 0 {
		return all[0]
	}
	return ""
}
