package hub

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"sync/atomic"
)

const shards = 256

// directory finds members by UDP address. Reading takes no lock; writers hold the
// hub's. Each part is replaced whole, so joining copies a 256th of it.
type directory struct {
	parts [shards]atomic.Pointer[map[netip.AddrPort]*member]
}

func shard(a netip.AddrPort) int {
	b := a.Addr().As16()
	x := (binary.LittleEndian.Uint64(b[:8])^binary.LittleEndian.Uint64(b[8:]))*0x9E3779B97F4A7C15 + uint64(a.Port())
	return int(x * 0x9E3779B97F4A7C15 >> 56)
}

func (d *directory) get(a netip.AddrPort) *member {
	if m := d.parts[shard(a)].Load(); m != nil {
		return (*m)[a]
	}
	return nil
}

// set makes m the member at a; nil removes.
func (d *directory) set(a netip.AddrPort, m *member) {
	part := &d.parts[shard(a)]
	next := map[netip.AddrPort]*member{}
	if old := part.Load(); old != nil {
		next = maps.Clone(*old)
	}
	if m == nil {
		delete(next, a)
	} else {
		next[a] = m
	}
	part.Store(&next)
}
