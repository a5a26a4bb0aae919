package hub

import (
	"slices"
	"testing"

	"github.com/tutti-audio/tutti/ostp/line"
)

// of returns the lines about members that may send.
func of(lines []line.Line) (about []line.Line) {
	for _, l := range lines {
		switch l.(type) {
		case line.Member, line.Gone:
			about = append(about, l)
		}
	}
	return about
}

// Of a source that joins again from elsewhere the others are told the newest membership
// alone; when that ends, the former again.
func TestOneDeviceIsOneSource(t *testing.T) {
	s := newStage(t, nil)
	before, listener, again, late := s.client(), s.client(), s.client(), s.client()
	before.join("a:::source:send")
	first := wait[line.ID](before).ID
	listener.join("a")
	listener.heard()
	expect := func(who *client, what string, want ...line.Line) {
		t.Helper()
		if lines, _ := who.heard(); !slices.Equal(of(lines), want) {
			t.Errorf("%s: told %v, want %v", what, of(lines), want)
		}
	}

	again.join("a:::source:send")
	second := wait[line.ID](again).ID
	expect(listener, "it joins again", line.Member{ID: second, Role: line.Owner}, line.Gone{ID: first})
	late.join("a")
	expect(late, "a newcomer", line.Member{ID: second, Role: line.Owner})
	again.say("LEAVE:a")
	again.sync()
	expect(listener, "the newest leaves", line.Member{ID: first, Role: line.Owner}, line.Gone{ID: second})

	third := s.client()
	third.join("a:::source:send")
	expect(listener, "it joins once more", line.Member{ID: wait[line.ID](third).ID, Role: line.Owner}, line.Gone{ID: first})
	before.say("LEAVE:a")
	before.sync()
	expect(listener, "the former leaves")
}
