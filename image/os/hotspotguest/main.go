// Command hotspotguest meets the set-up hotspot of a real image: it runs as root in a
// virtual machine beside it, with three radios of the kernel's mac80211_hwsim. One is
// the speaker's; the others are put into network namespaces, as the access point of a
// house and as somebody's phone, each with Debian's own wpa_supplicant. Verdicts go
// to the console as internal/vm reads them. Times are generous: the machine is
// emulated.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/internal/notify"
)

const (
	houseName   = "House & Garden"
	houseSecret = "correct horse 7"
	speakerName = "Shelf left"
	patience    = 4 * time.Minute // for each step
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "serve" { // inside the house's namespace
		fmt.Println("the house's address service ends:", giveAddresses("wlan1"))
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "phone" { // inside the phone's
		phone(os.Args[2:])
		return
	}
	if err := run(); err != nil {
		say(false, "run", "%v", err)
	}
	fmt.Println("DONE")
	_ = exec.Command("systemctl", "poweroff", "--force", "--force").Run()
}

func say(ok bool, name, format string, args ...any) {
	word := "FAIL"
	if ok {
		word = "PASS"
	}
	fmt.Printf("%s %s: %s\n", word, name, fmt.Sprintf(format, args...))
}

// run plays the story that is asked for.
func run() error {
	story, err := os.ReadFile("/mnt/story")
	if err != nil {
		return err
	}
	if err := radios(); err != nil {
		return err
	}
	if err := house(); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	switch string(story) {
	case "cable":
		return cable()
	case "again":
		return joined()
	}
	return setUp()
}

// cable has one put in while the hotspot is open.
func cable() error {
	if err := inPhone("look"); err != nil {
		return err
	}
	listens()
	fmt.Println("ASK cable")
	err := until("the end of the hotspot", func() error {
		if out, err := exec.Command("systemctl", "is-active", "tutti-hotspot").Output(); err == nil {
			return fmt.Errorf("it is %s", out)
		}
		return nil
	})
	out, _ := exec.Command("sh", "-c", "systemctl is-failed tutti-hotspot; ls /run/systemd/network").CombinedOutput()
	say(err == nil && strings.TrimSpace(string(out)) == "inactive", "cable", "the hotspot has ended: %v, %q", err, out)
	return nil
}

// listens looks where the hotspot does, and what it costs. There is no grep here.
func listens() {
	out, err := exec.Command("ss", "-Hlntup").CombinedOutput()
	ours, only := 0, err == nil
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, `"tutti-os"`) {
			ours++
			only = only && strings.Contains(line, " 192.168.73.1%wlan0:")
		}
	}
	id, _ := exec.Command("systemctl", "show", "-P", "MainPID", "tutti-hotspot").Output()
	status, _ := os.ReadFile("/proc/" + strings.TrimSpace(string(id)) + "/status")
	_, memory, _ := strings.Cut(string(status), "VmRSS:")
	memory, _, _ = strings.Cut(memory, "\n")
	say(only && ours == 3, "listens", "%d sockets, all on the hotspot's address of wlan0: %v; memory %s", ours, only, strings.TrimSpace(memory))
	if !only || ours != 3 {
		fmt.Printf("%s\n", out)
	}
}

// setUp is the whole way of a new speaker.
func setUp() error {
	began := time.Now()
	if err := inPhone("wrong"); err != nil {
		return err
	}
	say(true, "first visit", "%.0f s", time.Since(began).Seconds())
	if _, err := os.Stat("/data/tutti/wifi/wpa_supplicant.conf"); err == nil {
		say(false, "wrong passphrase", "it was stored")
	}
	if err := inPhone("right"); err != nil {
		return err
	}
	return joined()
}

// inPhone runs a part of the story in the phone's namespace.
func inPhone(part string) error {
	cmd := exec.Command("ip", "netns", "exec", "phone", os.Args[0], "phone", part)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// radios loads the driver, and hands two of its radios on.
func radios() error {
	if err := command("modprobe", "mac80211_hwsim", "radios=3"); err != nil {
		return err
	}
	for _, step := range [][]string{{"netns", "add", "house"}, {"netns", "add", "phone"}} {
		if err := command("ip", step...); err != nil {
			return err
		}
	}
	return until("the radios to be handed on", func() error {
		for ns, device := range map[string]string{"house": "wlan1", "phone": "wlan2"} {
			if _, err := os.Stat("/sys/class/net/" + device); err != nil {
				continue // it is there already
			}
			if err := handOn(device, ns); err != nil {
				return err
			}
		}
		return nil
	})
}

// house opens the network that the speaker is to join.
func house() error {
	conf := "ctrl_interface=DIR=/run/house\nap_scan=1\nnetwork={\nssid=\"" + houseName + "\"\nmode=2\nfrequency=2412\nkey_mgmt=WPA-PSK\nproto=RSN\npairwise=CCMP\npsk=\"" + houseSecret + "\"\n}\n"
	if err := os.WriteFile("/run/house.conf", []byte(conf), 0o600); err != nil {
		return err
	}
	for _, step := range [][]string{
		{"ip", "link", "set", "lo", "up"}, {"ip", "addr", "add", houseAddress + "/24", "dev", "wlan1"}, {"ip", "link", "set", "wlan1", "up"},
		{"sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/wlan1/rp_filter"},
	} {
		if err := command("ip", append([]string{"netns", "exec", "house"}, step...)...); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"/usr/sbin/wpa_supplicant", "-q", "-c/run/house.conf", "-Dnl80211", "-iwlan1"}, {os.Args[0], "serve"}} {
		cmd := exec.Command("ip", append([]string{"netns", "exec", "house"}, args...)...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			return err
		}
	}
	return nil
}

// ready tells systemd, which starts the speaker's hotspot then, that the house's
// network is there to be found.
func ready() error {
	if err := until("the house's network", func() error {
		out, err := exec.Command("wpa_cli", "-p", "/run/house", "-i", "wlan1", "status").CombinedOutput()
		if err == nil && !strings.Contains(string(out), "wpa_state=COMPLETED") {
			err = fmt.Errorf("wpa_supplicant says %s", out)
		}
		return err
	}); err != nil {
		return err
	}
	n, err := notify.New(os.Getenv)
	if err == nil {
		n.Ready("the house's network is there")
	}
	return err
}

// joined looks whether the speaker has come into the house, and what it has kept.
func joined() error {
	var answer string
	err := until("the speaker's page in the house", func() error {
		b, err := exec.Command("ip", "-4", "-o", "addr", "show", "dev", "wlan0").Output()
		if err != nil || !strings.Contains(string(b), housePrefix) {
			return fmt.Errorf("wlan0 has %q", b)
		}
		address := strings.Fields(string(b))[3]
		address, _, _ = strings.Cut(address, "/")
		b, err = exec.Command("ip", "netns", "exec", "house", os.Args[0], "phone", "status", "http://"+address+":8400/api/v1/status").Output()
		answer = string(b)
		if err != nil || !strings.Contains(answer, speakerName) {
			return fmt.Errorf("the speaker answers %q, %w", b, err)
		}
		return nil
	})
	say(err == nil, "in the house", "%v, the speaker's name %q", err, speakerName)
	card, _ := os.ReadFile("/boot/tutti.toml")
	kept, _ := os.ReadFile("/data/tutti/wifi/wpa_supplicant.conf")
	text := string(card)
	say(strings.Contains(text, `wifi = "`+houseName+`"`) && strings.Contains(text, `country = "DE"`) && strings.Contains(text, `name = "`+speakerName+`"`), "card", "its tutti.toml says what was chosen (%d bytes)", len(card))
	say(!strings.Contains(text+string(kept), houseSecret) && strings.Contains(string(kept), "psk="), "secret", "a hash is kept, the passphrase nowhere")
	out, _ := exec.Command("sh", "-c", "systemctl is-active tutti-hotspot wpa_supplicant@wlan0; ls /run/systemd/network; ss -Hlntu | tr -s ' '").CombinedOutput()
	say(!strings.Contains(string(out), "192.168.73.1") && strings.HasPrefix(string(out), "inactive\nactive\n"), "hotspot", "it is not open: %q", out)
	return nil
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return nil
}

// until tries again and again.
func until(what string, try func() error) (err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Second) {
		if err = try(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("waiting for %s: %w", what, err)
}
