package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/tutti-audio/tutti/image/hotspot"
)

// phone plays one part of a person with a phone.
func phone(args []string) {
	var err error
	switch args[0] {
	case "look":
		var name string
		var end func()
		if name, end, err = associate(); err == nil {
			say(true, "look", "%s is there", name)
			end()
		}
	case "wrong":
		err = visit("horse correct 7", false)
	case "right":
		err = visit(houseSecret, true)
	case "status":
		var text string
		if text, err = fetch(args[1]); err == nil {
			fmt.Println(text)
		}
	}
	if err != nil {
		say(false, "phone, "+args[0], "%v", err)
		os.Exit(1)
	}
}

// visit joins the hotspot, finds its page and fills it in.
func visit(secret string, again bool) error {
	name, end, err := associate()
	if err != nil {
		return err
	}
	defer end()
	lease, err := askAddress("wlan2")
	if err != nil {
		return err
	}
	say(strings.HasPrefix(lease.address, "192.168.73."), "address", "%s joined, address %s, router %s, names by %s", name, lease.address, lease.router, lease.names)
	for _, step := range [][]string{{"addr", "flush", "dev", "wlan2"}, {"addr", "add", lease.address + "/24", "dev", "wlan2"}, {"route", "add", "default", "via", lease.router}} {
		if err := command("ip", step...); err != nil {
			return err
		}
	}
	if err := probe(lease.names); err != nil {
		return err
	}
	return fill(secret, again)
}

// associate joins the first open network whose name begins as ours do.
func associate() (name string, end func(), err error) {
	conf := "ctrl_interface=DIR=/run/phone\nap_scan=1\n"
	if err := os.WriteFile("/run/phone.conf", []byte(conf), 0o600); err != nil {
		return "", nil, err
	}
	_ = command("ip", "link", "set", "lo", "up")
	if err := command("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/wlan2/rp_filter"); err != nil {
		return "", nil, err
	}
	cmd := exec.Command("/usr/sbin/wpa_supplicant", "-q", "-c/run/phone.conf", "-Dnl80211", "-iwlan2")
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	cli := func(args ...string) string {
		b, _ := exec.Command("/usr/sbin/wpa_cli", append([]string{"-p/run/phone", "-iwlan2"}, args...)...).CombinedOutput()
		return strings.TrimSpace(string(b))
	}
	err = until("the hotspot", func() error {
		cli("scan")
		time.Sleep(3 * time.Second)
		seen := cli("scan_results")
		name = regexp.MustCompile(`Tutti-[0-9A-F]{4}`).FindString(seen)
		if name == "" {
			return fmt.Errorf("not among %q", seen)
		}
		return nil
	})
	if err != nil {
		return "", end, err
	}
	for _, args := range [][]string{{"remove_network", "all"}, {"add_network"}, {"set_network", "0", "ssid", `"` + name + `"`}, {"set_network", "0", "key_mgmt", "NONE"}, {"select_network", "0"}} {
		cli(args...)
	}
	return name, end, until("joining the hotspot", func() error {
		if s := cli("status"); !strings.Contains(s, "wpa_state=COMPLETED") {
			return errors.New(s)
		}
		return nil
	})
}

// probe asks for a name and a page as Android does.
func probe(server string) error {
	m := new(dns.Msg)
	m.SetQuestion("connectivitycheck.gstatic.com.", dns.TypeA)
	c := dns.Client{Timeout: 20 * time.Second}
	r, _, err := c.Exchange(m, server+":53")
	if err != nil || len(r.Answer) != 1 {
		return fmt.Errorf("the name server: %v, %w", r, err)
	}
	address, ok := r.Answer[0].(*dns.A)
	say(ok && address.A.String() == hotspot.Address, "names", "%v", r.Answer)
	last, err := client(false).Get("http://connectivitycheck.gstatic.com/generate_204")
	if err != nil {
		return err
	}
	defer last.Body.Close()
	say(last.StatusCode == http.StatusFound && last.Header.Get("Location") == "http://"+hotspot.Address+"/", "probe", "%s to %s", last.Status, last.Header.Get("Location"))
	return nil
}

// client reaches everything at the hotspot's address, as its name server says.
func client(follow bool) *http.Client {
	c := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, hotspot.Address+":80")
	}}}
	if !follow {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return c
}

// fill reads the page and sends its form.
func fill(secret string, again bool) error {
	response, err := client(true).Get("http://" + hotspot.Address + "/")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	page := html.UnescapeString(string(b))
	token := regexp.MustCompile(`name="token" value="([^"]+)"`).FindStringSubmatch(page)
	say(token != nil && strings.Contains(page, `value="`+houseName+`"`), "page", "%d bytes, the house's network is listed: %v", len(b), strings.Contains(page, houseName))
	if told := strings.Contains(page, "did not take the passphrase"); told != again {
		say(false, "page", "it tells of a wrong passphrase: %v, want %v", told, again)
	} else if again {
		say(true, "wrong passphrase", "the hotspot came back and says so")
	}
	form := url.Values{"token": {token[1]}, "wifi": {houseName}, "passphrase": {secret}, "country": {"de"}, "name": {speakerName}, "room": {"Kitchen"}}
	request, err := http.NewRequest(http.MethodPost, "http://"+hotspot.Address+"/", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", "http://"+hotspot.Address)
	sent, err := client(false).Do(request)
	if err != nil {
		return err
	}
	defer sent.Body.Close()
	say(sent.StatusCode == http.StatusOK, "form", "%s", sent.Status)
	return nil
}

func fetch(address string) (string, error) {
	c := http.Client{Timeout: 20 * time.Second}
	response, err := c.Get(address)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return string(b), err
}
