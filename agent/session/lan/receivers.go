package lan

import (
	"fmt"
	"log/slog"
	"net/netip"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
)

const (
	maxReceivers = 256 // whose reports are kept
	maxCopies    = 16  // speakers with a copy of their own
)

// receivers is what a sender knows of the speakers that listen.
type receivers struct {
	mu     sync.Mutex
	known  map[uint32]*reporter
	leases map[netip.AddrPort]lease
	send   atomic.Pointer[[]netip.AddrPort] // read by the sending thread
	failed rateLimited
}

// reporter is a speaker that reports.
type reporter struct {
	control.Receiver
	From netip.AddrPort
	Seen time.Time
}

// overtaken is for how long after asking for a copy a report that knows nothing of it
// may still arrive.
const overtaken = time.Second

type lease struct {
	ssrc    uint32 // whose reports renew it
	asked   time.Time
	expires time.Time
}

func newReceivers() *receivers {
	r := &receivers{known: map[uint32]*reporter{}, leases: map[netip.AddrPort]lease{}}
	r.send.Store(&[]netip.AddrPort{})
	return r
}

// report takes a speaker's report in. It renews the speaker's copy, or ends it when
// the speaker says that it needs none.
func (r *receivers) report(from netip.AddrPort, report control.Receiver, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.known[report.SSRC]; known || len(r.known) < maxReceivers {
		r.known[report.SSRC] = &reporter{Receiver: report, From: from, Seen: now}
	}
	for to, l := range r.leases {
		switch {
		case l.ssrc != report.SSRC || to.Addr() != from.Addr().Unmap():
		case report.Health.Unicast:
			l.expires = now.Add(leaseTime)
			r.leases[to] = l
		case now.Sub(l.asked) < overtaken: // this report was on its way before
		default:
			delete(r.leases, to)
			r.publish()
		}
	}
}

// leave removes a speaker that said goodbye from its own address.
func (r *receivers) leave(ssrc uint32, from netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l, known := r.known[ssrc]; known && l.From.Addr() == from.Addr() {
		delete(r.known, ssrc)
		for to, lease := range r.leases {
			if lease.ssrc == ssrc && to.Addr() == from.Addr().Unmap() {
				delete(r.leases, to)
			}
		}
		r.publish()
	}
}

// subscribe gives a speaker a copy of its own until it stops reporting.
func (r *receivers) subscribe(to netip.AddrPort, ssrc uint32, now time.Time) (fresh bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, renewed := r.leases[to]
	if !renewed && len(r.leases) >= maxCopies {
		return false, fmt.Errorf("already sending %d copies, no more fit: let multicast reach this speaker, or start a second source", maxCopies)
	}
	r.leases[to] = lease{ssrc: ssrc, asked: now, expires: now.Add(leaseTime)}
	r.publish()
	return !renewed, nil
}

// expire forgets those that have been silent for too long.
func (r *receivers) expire(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for to, l := range r.leases {
		if now.After(l.expires) {
			delete(r.leases, to)
		}
	}
	for ssrc, l := range r.known {
		if now.Sub(l.Seen) > leaseTime {
			delete(r.known, ssrc)
		}
	}
	r.publish()
}

// publish renews what the sending thread reads.
func (r *receivers) publish() {
	list := make([]netip.AddrPort, 0, len(r.leases))
	for to := range r.leases {
		list = append(list, to)
	}
	r.send.Store(&list)
}

func (r *receivers) copies() []netip.AddrPort { return *r.send.Load() }

// reporters returns where the speakers with a copy send their reports from, which
// is where they take the sender's.
func (r *receivers) reporters() (all []netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.leases {
		if k, known := r.known[l.ssrc]; known {
			all = append(all, k.From)
		}
	}
	return all
}

// others reports whether any but one speaker is known.
func (r *receivers) others(but uint32) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, known := r.known[but]
	return len(r.known) > 1 || len(r.known) == 1 && !known
}

func (r *receivers) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.known)
}

// list returns the speakers, by name.
func (r *receivers) list() []reporter {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]reporter, 0, len(r.known))
	for _, l := range r.known {
		all = append(all, *l)
	}
	sort.Slice(all, func(i, j int) bool {
		return all[i].Name < all[j].Name || all[i].Name == all[j].Name && all[i].SSRC < all[j].SSRC
	})
	return all
}

func (r *receivers) sendFailed(log *slog.Logger, to string, err error) {
	r.failed.warn(log, "cannot send: check that the network is up", "to", to, "error", err)
}

// rateLimited logs what repeats at most once a second, with its count.
type rateLimited struct {
	mu    sync.Mutex
	count int
	last  time.Time
}

func (r *rateLimited) warn(log *slog.Logger, message string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if time.Since(r.last) < time.Second {
		return
	}
	log.Warn(message, append(args, "times", r.count)...)
	r.count, r.last = 0, time.Now()
}
