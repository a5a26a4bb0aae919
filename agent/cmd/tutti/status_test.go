package main

import (
	"strings"
	"testing"

	"github.com/tutti-audio/tutti/agent/control"
)

// A speaker's part in its house is said in a sentence, with who would take over.
func TestInHouse(t *testing.T) {
	for _, test := range []struct {
		path control.Path
		want []string
	}{
		{control.Path{Part: "gateway", Listeners: 3, PassedOn: 1200, StandBy: "10.0.0.4"}, []string{"gateway", "3 speakers", "1200 packets", "10.0.0.4 stands by"}},
		{control.Path{Part: "gateway", Listeners: 1}, []string{"nobody stands by"}},
		{control.Path{Part: "stand-by", Address: "10.0.0.2:4711"}, []string{"takes over", "10.0.0.2:4711"}},
		{control.Path{Part: "listener", Address: "10.0.0.2:4711", StandBy: "10.0.0.4"}, []string{"hears the gateway at 10.0.0.2:4711", "10.0.0.4 stands by"}},
	} {
		got := inHouse(test.path)
		for _, want := range test.want {
			if !strings.Contains(got, want) {
				t.Errorf("%q lacks %q", got, want)
			}
		}
	}
}
