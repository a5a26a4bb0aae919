package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/image/setup"
)

// Where things go. All but the card's files are on the data partition.
const (
	cardSettings  = bootDir + "/tutti.toml"
	cardProblem   = bootDir + "/tutti-problem.txt"
	cardUser      = bootDir + "/user-data"
	cardNetwork   = bootDir + "/network-config"
	cardDAC       = bootDir + "/dac.txt"
	agentSettings = dataDir + "/tutti.toml"
	cardChange    = dataDir + "/card.toml" // what is being written as cardSettings
	wifiSettings  = dataDir + "/wifi/wpa_supplicant.conf"
	sshKeys       = dataDir + "/ssh/authorized_keys"
	defaultName   = "tutti"
)

// takeOver reads the settings on the boot partition and puts them where they work.
// With a mistake in them everything stays as it was, and the card says so in a file.
func takeOver() error {
	if change, err := os.ReadFile(cardChange); err == nil {
		fmt.Println("the power was cut while tutti.toml was written; writing it again")
		if err := changeCard(change); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(cardSettings)
	if errors.Is(err, os.ErrNotExist) {
		text, err = setup.Example, nil
	}
	if err != nil {
		return err
	}
	settings, err := setup.Parse(text)
	if err == nil {
		err = cloud(&settings.Device)
	}
	if err != nil {
		return errors.Join(err, keepOld(), tell(err))
	}
	steps := []func() error{
		func() error { return setHostname(settings.Device.Hostname) },
		func() error { return store(agentSettings, settings.Agent, 0o644) },
		func() error { return storeWiFi(&settings.Device, setup.Forgotten(text)) },
		func() error { return storeKey(settings.Device.SSHKey) },
		func() error { return clean(text, settings.Device.Passphrase) },
		func() error { return chooseDAC(settings.Device.DAC) },
	}
	for _, step := range steps {
		err = errors.Join(err, step())
	}
	return err
}

// cloud reads what Imager may have left.
func cloud(d *setup.Device) error {
	user, err := os.ReadFile(cardUser)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	network, err := os.ReadFile(cardNetwork)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return d.Cloud(user, network)
}

// keepOld makes sure that the agent finds settings, if only empty ones.
func keepOld() error {
	if _, err := os.Stat(agentSettings); err == nil {
		return setHostname("")
	}
	return errors.Join(setHostname(""), store(agentSettings, nil, 0o644))
}

// tell writes a problem onto the card, where the person who made it will look.
func tell(problem error) error {
	text := []byte(problem.Error() + "\r\n\r\nThe speaker goes on with the settings it had. Correct tutti.toml and start it again.\r\n")
	if old, err := os.ReadFile(cardProblem); err == nil && bytes.Equal(old, text) {
		return nil
	}
	return writable(func() error { return os.WriteFile(cardProblem, text, 0o644) })
}

// store writes a file that is wholly there or not at all, if it is not so already; when
// it returns, no power cut takes the file away again.
func store(name string, data []byte, mode os.FileMode) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// setHostname names the machine; without a name it is called after its network
// hardware, so that two new speakers do not meet as one.
func setHostname(name string) error {
	if name == "" {
		name = defaultName
		if mac := hardwareAddress(); mac != "" {
			name += "-" + mac
		}
	}
	return unix.Sethostname([]byte(name))
}

// hardwareAddress is the end of the first interface's address.
func hardwareAddress() string {
	const digits = 4
	for _, name := range []string{"eth0", "wlan0"} {
		text, err := os.ReadFile("/sys/class/net/" + name + "/address")
		if mac := strings.ReplaceAll(strings.TrimSpace(string(text)), ":", ""); err == nil && len(mac) >= digits {
			return mac[len(mac)-digits:]
		}
	}
	return ""
}

// storeWiFi keeps the network that was there when only the passphrase is missing: it
// was taken over at an earlier start. If its hash is lost with the data partition,
// nothing is stored, and the hotspot asks again.
func storeWiFi(d *setup.Device, forgotten bool) error {
	old, err := os.ReadFile(wifiSettings)
	same := strings.Contains(string(old), "ssid="+hex.EncodeToString([]byte(d.WiFi))+"\n")
	if err == nil && (d.WiFi == "" || d.Passphrase == "" && same) {
		return nil
	}
	if d.WiFi == "" {
		return nil
	}
	if d.Passphrase == "" && forgotten {
		return fmt.Errorf("the passphrase of %q is lost: write it on the card once more, or use the set-up hotspot", d.WiFi)
	}
	b, err := d.Supplicant()
	if err != nil {
		return err
	}
	return store(wifiSettings, b, 0o600)
}

func storeKey(key string) error {
	if key == "" {
		err := os.Remove(sshKeys)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := os.MkdirAll(filepath.Dir(sshKeys), 0o700); err != nil {
		return err
	}
	return store(sshKeys, []byte(key+"\n"), 0o600)
}

// clean takes the secrets off the card, once they are stored: they are written over,
// because what is only deleted or replaced can still be read from the card.
func clean(settings []byte, passphrase string) error {
	kept := setup.Forget(settings)
	_, noNetwork := os.Stat(cardNetwork)
	_, noProblem := os.Stat(cardProblem)
	if bytes.Equal(kept, settings) && noNetwork != nil && noProblem != nil {
		return nil
	}
	if passphrase != "" {
		if _, err := os.Stat(wifiSettings); err != nil {
			return fmt.Errorf("the passphrase stays on the card until it is stored: %w", err)
		}
	}
	return writable(func() error {
		for _, name := range []string{cardNetwork, cardProblem} {
			if err := wipe(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		if bytes.Equal(kept, settings) {
			return nil
		}
		return overwrite(cardSettings, kept)
	})
}

// wipe overwrites a file and removes it.
func wipe(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if err := overwrite(name, make([]byte, info.Size())); err != nil {
		return err
	}
	return os.Remove(name)
}

// changeCard replaces the card's tutti.toml. FAT cannot do that at once: the new one is
// kept on the data partition meanwhile, and the next start finishes what a power cut
// has ended.
func changeCard(text []byte) error {
	if err := store(cardChange, text, 0o600); err != nil {
		return err
	}
	if err := writable(func() error { return overwrite(cardSettings, text) }); err != nil {
		return err
	}
	return os.Remove(cardChange)
}

// overwrite replaces a file's contents where they are.
func overwrite(name string, data []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Truncate(int64(len(data))), f.Sync(), f.Close())
}

// chooseDAC writes the overlay's name for the Pi's firmware and starts again with it.
func chooseDAC(name string) error {
	old, err := os.ReadFile(cardDAC)
	if errors.Is(err, os.ErrNotExist) {
		if name != "" {
			return fmt.Errorf("dac = %q: this board's sound cannot be chosen so, only a Raspberry Pi's", name)
		}
		return nil
	}
	if err != nil {
		return err
	}
	line := "# chosen by tutti.toml\n"
	if name != "" {
		line = "dtoverlay=tutti-" + name + "\n"
	}
	if string(old) == line {
		return nil
	}
	fmt.Printf("sound board: %q; starting again with it\n", name)
	if err := writable(func() error { return overwrite(cardDAC, []byte(line)) }); err != nil {
		return err
	}
	return restart()
}
