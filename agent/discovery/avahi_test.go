package discovery

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tutti-audio/tutti/internal/netlab"
)

// busConfig lets everyone on the private bus do everything.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow eavesdrop="true"/></policy>
</busconfig>`

// avahi is a real avahi-daemon on one host, with its own bus.
type avahi struct {
	t    *testing.T
	host *netlab.Host
	bus  string
	out  netlab.Transcript
}

// program finds one of the programs of the test.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	t.Skipf("%s is not installed: `apt-get install avahi-daemon avahi-utils dbus` for this test", name)
	return ""
}

func startAvahi(t *testing.T, host *netlab.Host, hostname string) *avahi {
	t.Helper()
	bus, daemon := program(t, "dbus-daemon"), program(t, "avahi-daemon")
	dir, err := os.MkdirTemp("", "avahi") // short: a socket's path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	a := &avahi{t: t, host: host, bus: "unix:path=" + filepath.Join(dir, "bus")}
	a.write(filepath.Join(dir, "bus.conf"), fmt.Sprintf(busConfig, filepath.Join(dir, "bus")))
	a.write(filepath.Join(dir, "avahi.conf"), "[server]\nhost-name="+hostname+"\nuse-ipv4=yes\nuse-ipv6=yes\n")
	a.start(bus, "--nofork", "--nopidfile", "--config-file="+filepath.Join(dir, "bus.conf"))
	eventuallyTrue(t, "the bus is up", func() bool { _, err := os.Stat(filepath.Join(dir, "bus")); return err == nil })
	// Its state goes to a /run of its own, and its user is the laboratory's only one.
	a.write(filepath.Join(dir, "passwd"), "root:x:0:0::/:/bin/sh\navahi:x:0:0::/:/bin/false\n")
	a.write(filepath.Join(dir, "group"), "root:x:0:\navahi:x:0:\n")
	a.start("/bin/sh", "-c", "for f in passwd group; do mount --bind "+dir+"/$f /etc/$f || exit 1; done; "+
		"mount -t tmpfs none /run && mkdir -p /run/avahi-daemon && exec "+daemon+
		" --no-drop-root --no-chroot --no-rlimits -f "+filepath.Join(dir, "avahi.conf"))
	eventuallyTrue(t, "avahi-daemon is up", func() bool { return strings.Contains(a.out.String(), "Server startup complete") }, &a.out)
	return a
}

func (a *avahi) write(path, text string) {
	a.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

func (a *avahi) command(argv ...string) *exec.Cmd {
	cmd := a.host.Command(a.t.Context(), argv...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+a.bus, "LC_ALL=C.UTF-8")
	return cmd
}

func (a *avahi) start(argv ...string) *netlab.Process {
	a.t.Helper()
	cmd := a.command(argv...)
	cmd.Stdout, cmd.Stderr = &a.out, &a.out
	cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS
	p, err := a.host.Start(cmd)
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// browse returns what avahi-browse resolves.
func (a *avahi) browse(typ string) string {
	a.t.Helper()
	var out netlab.Transcript
	cmd := a.command(program(a.t, "avahi-browse"), "-rpt", typ)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := a.host.Run(cmd); err != nil {
		a.t.Logf("avahi-browse: %v: %s; daemon: %s", err, out.String(), a.out.String())
	}
	return out.String()
}

func eventuallyTrue(t *testing.T, what string, ok func() bool, said ...fmt.Stringer) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v: %s", what, patience, said)
		}
	}
}

func TestBesideAvahi(t *testing.T) {
	l := newLan(t, 2)
	daemon := startAvahi(t, l.hosts[0], "kitchen")
	publish := daemon.start(program(t, "avahi-publish"), "-s", "From Avahi", "_ostp._udp", "6000", "role=source", "channel=main")
	beside := l.open(0, Config{Hostname: "kitchen"})
	announce(t, beside, speaker("Küche (alt)"))
	announce(t, l.open(1, Config{}), speaker("Remote"))
	for name, n := range map[string]*Node{"beside": beside, "remote": l.open(1, Config{})} {
		b := browse(t, n, "_ostp._udp")
		eventually(t, name+": all three found", b, has("From Avahi", "Küche (alt)", "Remote"))
		// Its IPv6 packet may be first, without the IPv4 address.
		eventually(t, name+": avahi's service is whole", b, func(es []Entry) bool {
			return es[0].Addrs[0].String() == "10.0.0.1:6000" && es[0].Text["channel"] == "main"
		})
	}
	var seen string
	eventuallyTrue(t, "avahi-browse resolves ours and the remote one", func() bool {
		seen = daemon.browse("_ostp._udp")
		return resolves(seen, `K\195\188che\032\040alt\041`, "10.0.0.1", "5004") && resolves(seen, "Remote", "10.0.0.2", "5004")
	})
	if !strings.Contains(seen, `"role=speaker"`) || !strings.Contains(seen, `K`) {
		t.Errorf("avahi-browse does not show our text: %s", seen)
	}
	if err := beside.Close(); err != nil {
		t.Error(err)
	}
	eventuallyTrue(t, "avahi drops ours after its goodbye", func() bool { return !strings.Contains(daemon.browse("_ostp._udp"), "alt") })
	b := browse(t, l.open(1, Config{}), "_ostp._udp")
	eventually(t, "avahi's service is still there", b, has("From Avahi", "Remote"))
	_ = publish.Stop(time.Second)
	eventually(t, "avahi's goodbye is heard", b, has("Remote"))
	if strings.Contains(daemon.out.String(), "conflict") {
		t.Errorf("we took avahi's host name: %s", daemon.out.String())
	}
}

// resolves looks for a line of avahi-browse -p with an instance's address and port.
func resolves(out, instance, addr, port string) bool {
	for _, line := range strings.Split(out, "\n") {
		f := strings.Split(line, ";")
		if len(f) > 8 && f[0] == "=" && f[3] == instance && f[7] == addr && f[8] == port {
			return true
		}
	}
	return false
}
