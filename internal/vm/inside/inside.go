// Package inside is what a test's /init needs in a machine of internal/vm: file
// systems, modules, a network, verdicts on the console.
package inside

import (
	"fmt"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Start mounts the kernel's file systems, loads the modules and brings the loopback
// interface up, with multicast.
func Start() error {
	for path, kind := range map[string]string{"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs", "/tmp": "tmpfs"} {
		if err := unix.Mount(kind, path, kind, 0, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", path, err)
		}
	}
	if err := unix.Sethostname([]byte("machine")); err != nil {
		return err
	}
	if err := LoadAll("/modules/order"); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	return netlink.LinkSetMulticastOn(lo)
}

// LoadAll loads the modules that a file lists.
func LoadAll(list string) error {
	b, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(b)) {
		if err := Load(name, ""); err != nil {
			return err
		}
	}
	return nil
}

// Load loads one module.
func Load(name, parameters string) error {
	code, err := os.ReadFile("/modules/" + name + ".ko")
	if err != nil {
		return err
	}
	if err := unix.InitModule(code, parameters); err != nil {
		return fmt.Errorf("module %s: %w", name, err)
	}
	return nil
}

// Say prints a verdict.
func Say(ok bool, name, format string, args ...any) {
	word := "FAIL"
	if ok {
		word = "PASS"
	}
	fmt.Printf("%s %s: %s\n", word, name, fmt.Sprintf(format, args...))
}

// Stop ends the machine.
func Stop() {
	fmt.Println("DONE")
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	select {}
}
