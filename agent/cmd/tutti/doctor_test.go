package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/agent/config"
	"github.com/tutti-audio/tutti/internal/hostclock"
)

func examined(t *testing.T, c config.Config) map[string]finding {
	t.Helper()
	all := map[string]finding{}
	for _, f := range (&patient{config: c, clock: hostclock.New(0), root: fstest.MapFS{}}).examine(t.Context()) {
		all[f.Name] = f
		if f.Detail == "" || f.Level != levelGood && f.Mend == "" {
			t.Errorf("%+v: it needs a detail, and says how to mend it", f)
		}
	}
	return all
}

func TestDoctorFindsFaults(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { _ = http.Serve(l, http.NotFoundHandler()) }() //nolint:gosec // a test
	c := config.Default()
	c.Interface, c.Output, c.StateDir, c.HTTP.Listen = "nope0", "virtual:bogus=1", "/dev/full/x", l.Addr().String()
	all := examined(t, c)
	for _, name := range []string{"interface", "output", "port", "state"} {
		if all[name].Level != levelFailed {
			t.Errorf("%s: %+v, want a failure", name, all[name])
		}
	}
	code, out, _ := command(t, nil, "doctor", "--interface", "nope0", "--output", "null", "--state-dir", t.TempDir())
	if code != exitFailed {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

func TestDoctorPraises(t *testing.T) {
	needLoopback(t)
	c := config.Default()
	c.Interface, c.Output, c.StateDir, c.HTTP.Listen = "lo", "null", t.TempDir(), "127.0.0.1:0"
	all := examined(t, c)
	for _, name := range []string{"interface", "multicast", "wi-fi", "output", "port", "state"} {
		if all[name].Level != levelGood {
			t.Errorf("%s: %+v, want it to be good", name, all[name])
		}
	}
}

// TestDoctorOfBoards: what a board shows is told, with what to do.
func TestDoctorOfBoards(t *testing.T) {
	root := fstest.MapFS{
		"sys/firmware/devicetree/base/model":                  {Data: []byte("Raspberry Pi 3 Model B Plus Rev 1.3\x00")},
		"sys/firmware/devicetree/base/compatible":             {Data: []byte("raspberrypi,3-model-b-plus\x00brcm,bcm2837\x00")},
		"sys/firmware/devicetree/base/hat/product":            {Data: []byte("Pi-DigiAMP+\x00")},
		"sys/devices/platform/soc/soc:firmware/get_throttled": {Data: []byte("50005\n")},
		"sys/class/thermal/thermal_zone0/temp":                {Data: []byte("61000\n")},
	}
	p := &patient{config: config.Default(), root: root}
	if f := p.board(t.Context()); f.Level != levelWarn || !strings.Contains(f.Detail, "DigiAMP+") || !strings.Contains(f.Mend, "dtoverlay=iqaudio-digiampplus") {
		t.Errorf("%+v", f)
	}
	if f := p.power(t.Context()); f.Level != levelFailed || !strings.Contains(f.Mend, "supply") {
		t.Errorf("%+v", f)
	}
	root["sys/class/sound/card0/id"] = &fstest.MapFile{Data: []byte("IQaudIODAC\n")}
	if f := p.board(t.Context()); f.Level != levelWarn || !strings.Contains(f.Mend, `amplifier_pin = "GPIO22"`) {
		t.Errorf("%+v", f)
	}
	p.config.Hardware.AmplifierPin = "TUTTI-NO-SUCH-LINE"
	if f := p.board(t.Context()); f.Level != levelGood {
		t.Errorf("%+v", f)
	}
	if f := p.wires(t.Context()); f.Level != levelFailed || f.Mend == "" {
		t.Errorf("%+v", f)
	}
}

func TestPowerState(t *testing.T) {
	answer := func(attr int, v uint32) []byte {
		return append((&nl.Genlmsg{Command: unix.NL80211_CMD_GET_POWER_SAVE}).Serialize(), nl.NewRtAttr(attr, nl.Uint32Attr(v)).Serialize()...)
	}
	for _, c := range []struct {
		b      []byte
		on, ok bool
	}{
		{answer(unix.NL80211_ATTR_PS_STATE, 1), true, true},
		{answer(unix.NL80211_ATTR_PS_STATE, 0), false, true},
		{answer(unix.NL80211_ATTR_IFINDEX, 1), false, false},
		{nil, false, false},
		{answer(unix.NL80211_ATTR_PS_STATE, 1)[:7], false, false},
	} {
		if on, ok := powerState(c.b); on != c.on || ok != c.ok {
			t.Errorf("%x: %v %v, want %v %v", c.b, on, ok, c.on, c.ok)
		}
	}
}
