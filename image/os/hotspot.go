package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/image/hotspot"
	"github.com/tutti-audio/tutti/image/setup"
)

const (
	wireWait    = 30 * time.Second // for an Ethernet cable, before the hotspot opens
	joinWait    = 60 * time.Second // for the network of the house
	goodbye     = 2 * time.Second  // for the last page to arrive
	hotspotDir  = "/run/tutti-hotspot"
	controlDir  = hotspotDir + "/control"
	networkFile = "/run/systemd/network/10-tutti-hotspot.network"
	oldSettings = bootDir + "/tutti-old.toml"
	wifiUnit    = "wpa_supplicant@" + hotspot.Interface + ".service"
)

// errWired says that an Ethernet cable is there: the hotspot is not needed.
var errWired = errors.New("there is a wired network")

// spot is the hotspot at work.
type spot struct {
	name     string // of our network
	choice   hotspot.Choice
	problem  string
	networks []hotspot.WiFi
}

// runHotspot opens the speaker's own Wi-Fi while there is no other way to reach it,
// and ends when the speaker is in the network that was chosen, or wired.
func runHotspot(ctx context.Context) error {
	if _, err := os.Stat(networkFile); err == nil { // of one that was killed
		if err := configureNetwork(false); err != nil {
			return err
		}
	}
	if !needed(ctx) {
		return nil
	}
	s := &spot{}
	mac, err := os.ReadFile("/sys/class/net/" + hotspot.Interface + "/address")
	if err != nil {
		return err
	}
	s.name = hotspot.Name(string(mac))
	s.remember()
	if err := os.MkdirAll(controlDir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(hotspotDir)
	for {
		done, err := s.round(ctx)
		if errors.Is(err, errWired) {
			fmt.Println("an Ethernet cable is there: the set-up hotspot ends")
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		if done || err != nil {
			return err
		}
	}
}

// round asks once, and tries what was answered.
func (s *spot) round(ctx context.Context) (done bool, err error) {
	if err := s.scan(ctx); err != nil {
		return false, err
	}
	if err := s.ask(ctx); err != nil {
		return false, err
	}
	fmt.Printf("joining %q\n", s.choice.WiFi)
	if s.problem, err = s.join(ctx); err != nil {
		return false, err
	}
	if s.problem != "" {
		fmt.Println(s.problem)
		return false, nil
	}
	return true, s.keep()
}

// needed waits for a wired network, and says whether there is none and no Wi-Fi is
// known either.
func needed(ctx context.Context) bool {
	for end := time.Now().Add(wireWait); time.Now().Before(end); {
		if _, err := os.Stat(wifiSettings); err == nil || wired() {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
		}
	}
	_, err := os.Stat("/sys/class/net/" + hotspot.Interface)
	return err == nil
}

// wired reports whether a cable is in an Ethernet interface.
func wired() bool {
	const ethernet = "1"
	all, _ := filepath.Glob("/sys/class/net/*")
	for _, dir := range all {
		kind, _ := os.ReadFile(dir + "/type")
		carrier, _ := os.ReadFile(dir + "/carrier")
		_, notWireless := os.Stat(dir + "/phy80211")
		_, notReal := os.Stat(dir + "/device")
		if strings.TrimSpace(string(kind)) == ethernet && strings.TrimSpace(string(carrier)) == "1" && notWireless != nil && notReal == nil {
			return true
		}
	}
	return false
}

// remember fills the form with what the card says already.
func (s *spot) remember() {
	text, err := os.ReadFile(cardSettings)
	if err != nil {
		return
	}
	settings, err := setup.Parse(text)
	if err != nil {
		return
	}
	s.choice.Country, s.choice.WiFi = settings.Device.Country, settings.Device.WiFi
	s.choice.Name, s.choice.Room, _ = settings.Names()
}

// keep makes the choice last: the hash on the data partition, the rest on the card,
// as if a person had written it there.
func (s *spot) keep() error {
	conf, err := s.choice.Supplicant()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(wifiSettings), 0o700); err != nil {
		return err
	}
	if err := store(wifiSettings, conf, 0o600); err != nil {
		return err
	}
	err = errors.Join(s.rewriteCard(), takeOver())
	for _, args := range [][]string{{"start", wifiUnit}, {"try-restart", "tutti.service"}} {
		err = errors.Join(err, exec.Command("systemctl", args...).Run())
	}
	return err
}

// rewriteCard puts the choice into the card's tutti.toml. One that has a mistake in
// it is kept beside it, under another name.
func (s *spot) rewriteCard() error {
	text, err := os.ReadFile(cardSettings)
	if errors.Is(err, os.ErrNotExist) {
		text, err = setup.Example, nil
	}
	if err != nil {
		return err
	}
	changed, wrong := s.choice.Card(text)
	if wrong != nil {
		if changed, err = s.choice.Card(setup.Example); err != nil {
			return err
		}
	}
	if wrong != nil {
		if err := writable(func() error { return overwrite(oldSettings, text) }); err != nil {
			return err
		}
	}
	return changeCard(changed)
}

// hasAddress reports whether the device has an address that the network gave it.
func hasAddress() bool {
	device, err := net.InterfaceByName(hotspot.Interface)
	if err != nil {
		return false
	}
	all, _ := device.Addrs()
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.String() != hotspot.Address {
			return true
		}
	}
	return false
}

// configureNetwork gives the device our own address, or leaves it to the image's
// usual settings again.
func configureNetwork(own bool) error {
	if err := os.MkdirAll(filepath.Dir(networkFile), 0o755); err != nil {
		return err
	}
	err := os.Remove(networkFile)
	if own {
		err = os.WriteFile(networkFile, hotspot.Network(), 0o644)
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	for _, args := range [][]string{{"reload"}, {"reconfigure", hotspot.Interface}} {
		if out, failed := exec.Command("networkctl", args...).CombinedOutput(); failed != nil {
			err = errors.Join(err, fmt.Errorf("networkctl %v: %w: %s", args, failed, out))
		}
	}
	return err
}
