package agent

import (
	"context"

	"github.com/tutti-audio/tutti/agent/mode"
	"github.com/tutti-audio/tutti/agent/session/lan"
	"github.com/tutti-audio/tutti/sync/timebase"
)

// judge says what becomes of a way on the network that is a gateway's.
func (h *household) judge(r *lan.Receiver, w *mode.Way) {
	standBy, viaGateway := r.Gateway()
	w.Held = standBy.IsValid()
	w.Gone = r.Gone() || h.former == session(r) || viaGateway && h.speaker.nearby.hasSource(h.channel)
	w.Possible = !w.Gone
}

// outdated reports whether a way on the network is a gateway's that brings nothing, while
// the source itself has come to the network: it is joined in the gateway's place.
func (h *household) outdated(r *lan.Receiver, w mode.Way) bool {
	_, viaGateway := r.Gateway()
	return viaGateway && w.Idle > mode.Lost && h.speaker.nearby.hasSource(h.channel)
}

// takeOver makes a stand-by the gateway when that is dead or leaves.
func (h *household) takeOver(l *listening, now timebase.Local) {
	r, ok := l.ways[mode.LAN].session.(*lan.Receiver)
	if !ok || !h.standing.Load() || !r.Gone() {
		return
	}
	h.standing.Store(false)
	h.former = r
	h.begin(r.Reign(), r.Stream(), now)
}

// assist offers to stand by to the gateway that is heard.
func (h *household) assist(ctx context.Context, l *listening, now timebase.Local) {
	r, ok := l.ways[mode.LAN].session.(*lan.Receiver)
	if !ok {
		return
	}
	standBy, viaGateway := r.Gateway()
	switch {
	case !viaGateway:
		h.close(false)
	case now.Sub(h.offered) < offerEvery || h.offering.Load() || standBy.IsValid() && !h.standing.Load():
	default:
		h.offered = now
		h.offer(ctx, l, r)
	}
}

// offer offers the gateway to stand by.
func (h *household) offer(ctx context.Context, l *listening, r *lan.Receiver) {
	if err := h.open(r.Stream()); err != nil {
		h.speaker.log.Warn("this speaker cannot stand by", "error", err)
		return
	}
	offer := lan.Offer{Clock: h.gateway.ClockPort(), HTTP: h.gateway.HTTPPort()}
	ctx, h.cancel = context.WithCancel(ctx)
	h.offering.Store(true)
	l.wait.Go(func() {
		defer h.offering.Store(false)
		_, err := l.member.get() // at the relay, before there is any hurry
		taken := false
		if err == nil {
			taken, err = r.OfferStandBy(ctx, offer)
		}
		if err != nil { // who stands by already goes on: perhaps it is now that the gateway dies
			h.speaker.log.Debug("no offer to stand by", "reason", err)
			return
		}
		if ctx.Err() != nil { // the ports are closed
			return
		}
		if taken != h.standing.Swap(taken) && taken {
			h.speaker.log.Info("this speaker takes over when the gateway dies")
		}
		r.StandBy(taken)
	})
}
