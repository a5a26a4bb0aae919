package vectors_test

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/fec"
)

// block is one of the vectors: packets as datagrams, by their names d0… and p0….
type block struct {
	names  []string
	packet map[string][]byte
	k, m   int
}

func readBlock(t *testing.T, v *vector) block {
	t.Helper()
	b := block{packet: map[string][]byte{}}
	for key, prefix := range map[string]string{"data": "d", "parity": "p"} {
		for i, text := range v.all(key) {
			b.packet[prefix+strconv.Itoa(i)] = v.bytes(t, text)
			b.names = append(b.names, prefix+strconv.Itoa(i))
		}
	}
	slices.Sort(b.names)
	b.k, _ = strconv.Atoi(v.get("k"))
	b.m, _ = strconv.Atoi(v.get("m"))
	if first := b.parse(t, "d0").Sequence(); len(b.names) != b.k+b.m || strconv.Itoa(int(first)) != v.get("first") {
		t.Errorf("%s: %d packets from %d on, want %d from %s on", v.at, len(b.names), first, b.k+b.m, v.get("first"))
	}
	return b
}

func (b block) parse(t *testing.T, name string) *ostp.Packet {
	t.Helper()
	p := new(ostp.Packet)
	if err := ostp.ParsePacket(p, b.packet[name]); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return p
}

func TestFEC(t *testing.T) {
	all := readVectors(t, "data")
	counted(t, all, 3)
	for _, v := range all {
		b := readBlock(t, v)
		checkParity(t, v, b)
		for _, lost := range v.all("lost") {
			checkRecovery(t, v, b, lost, true)
		}
		for _, lost := range v.all("too_many") {
			checkRecovery(t, v, b, lost, false)
		}
		v.compare(t, nil)
	}
}

// checkParity: the block's data give its parity, byte for byte.
func checkParity(t *testing.T, v *vector, b block) {
	t.Helper()
	var e fec.Encoder
	if err := e.SetShape(b.k, b.m); err != nil {
		t.Fatalf("%s: %v", v.at, err)
	}
	var made []ostp.Packet
	for i := range b.k {
		var err error
		if made, err = e.Add(b.parse(t, "d"+strconv.Itoa(i))); err != nil {
			t.Fatalf("%s: %v", v.at, err)
		}
	}
	for i := range b.m {
		if got, err := ostp.AppendPacket(nil, &made[i]); err != nil || !bytes.Equal(got, b.packet["p"+strconv.Itoa(i)]) {
			t.Errorf("%s: parity %d is %X, %v", v.at, i, got, err)
		}
	}
}

// checkRecovery: without the packets that are lost, all data come back, or none.
func checkRecovery(t *testing.T, v *vector, b block, lost string, back bool) {
	t.Helper()
	var d fec.Decoder
	gone := strings.Fields(lost)
	got := map[string]bool{}
	for _, name := range b.names {
		if slices.Contains(gone, name) {
			continue
		}
		found := d.AddData
		if name[0] == 'p' {
			found = func(p *ostp.Packet) []ostp.Packet {
				packets, err := d.AddParity(p)
				if err != nil {
					t.Errorf("%s: %s: %v", v.at, name, err)
				}
				return packets
			}
		}
		for _, p := range found(b.parse(t, name)) {
			raw, _ := ostp.AppendPacket(nil, &p)
			got[string(raw)] = true
		}
	}
	for _, name := range gone {
		if want := back && name[0] == 'd'; got[string(b.packet[name])] != want {
			t.Errorf("%s: without %s: %s comes back: %v, want %v", v.at, lost, name, !want, want)
		}
	}
}
