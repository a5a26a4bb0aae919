package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/tutti-audio/tutti/image/rootfs"
	"github.com/tutti-audio/tutti/image/system"
)

// configure turns unpacked packages into a system that starts: what their
// installation scripts would have done, as far as it is needed.
func configure(ctx context.Context, t *rootfs.Tree, o options, public ed25519.PublicKey) error {
	prune(t)
	t.Put("usr/lib/sysusers.d/tutti-image.conf", 0o644, []byte("g netdev -\n"))
	if err := makeUsers(t); err != nil {
		return err
	}
	if err := certificates(t); err != nil {
		return err
	}
	if err := depmod(ctx, t); err != nil {
		return err
	}
	program, err := os.ReadFile(o.system)
	if err != nil {
		return err
	}
	t.Put("usr/bin/tutti-os", 0o755, program)
	t.Put("etc/tutti/update.pub", 0o644, []byte(base64.StdEncoding.EncodeToString(public)+"\n"))
	t.Put("etc/tutti/image", 0o644, []byte("board="+o.board.name+"\nversion="+o.version+"\n"))
	files(t)
	return units(t)
}

// prune takes away what a speaker never needs.
func prune(t *rootfs.Tree) {
	gone := []string{
		"dev/", "usr/share/doc/", "usr/share/man/", "usr/share/locale/", "usr/share/info/", "usr/share/lintian/", "usr/share/bug/", "usr/share/bash-completion/",
		"usr/share/zsh/", "usr/share/initramfs-tools/", "usr/share/polkit-1/", "usr/share/perl", "usr/lib/udev/hwdb.d/", "usr/lib/systemd/catalog/", "var/cache/", "var/log/",
		"var/lib/apt/", "etc/apt/", "etc/kernel/", "etc/initramfs-tools/", "boot/System.map", "usr/lib/aarch64-linux-gnu/perl", "usr/lib/arm-linux-gnueabi/perl",
	}
	drivers := []string{
		"gpu/drm/amd", "gpu/drm/nouveau", "gpu/drm/radeon", "gpu/drm/i915", "gpu/drm/xe", "infiniband", "isdn", "scsi/lpfc", "scsi/qla2xxx", "scsi/mpt3sas",
		"net/ethernet/mellanox", "net/ethernet/broadcom/bnx", "net/ethernet/chelsio", "net/ethernet/intel/ice", "net/ethernet/qlogic", "staging", "target",
		"net/wireless/ath/ath1", "net/wireless/intel", "media/dvb", "media/pci", "media/tuners", "media/usb", "media/i2c", "iio", "md/",
	}
	t.Remove(func(name string) bool {
		for _, p := range gone {
			if strings.HasPrefix(name, p) && name+"/" != p {
				return true
			}
		}
		if _, driver, ok := strings.Cut(name, "/kernel/drivers/"); ok {
			for _, p := range drivers {
				if strings.HasPrefix(driver, p) {
					return true
				}
			}
		}
		return false
	})
}

// certificates makes the one file that programs read: without it no update comes by
// HTTPS.
func certificates(t *rootfs.Tree) error {
	var all []byte
	for _, name := range t.List("usr/share/ca-certificates/mozilla/") {
		if !strings.HasSuffix(name, ".crt") {
			continue
		}
		b, err := t.Read(name)
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(all) {
		return errors.New("usr/share/ca-certificates/mozilla holds no certificate: fetch Debian's packages again with -fresh")
	}
	t.Put("etc/ssl/certs/ca-certificates.crt", 0o644, all)
	return nil
}

// kernelVersion is the one whose modules are there.
func kernelVersion(t *rootfs.Tree) string {
	for _, name := range t.List("usr/lib/modules/") {
		if rest := strings.TrimPrefix(name, "usr/lib/modules/"); !strings.Contains(rest, "/") {
			return rest
		}
	}
	return ""
}

// depmod lets the host's tool index the modules.
func depmod(ctx context.Context, t *rootfs.Tree) error {
	version := kernelVersion(t)
	dir, err := os.MkdirTemp("", "tutti-depmod")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	prefix := "usr/lib/modules/" + version + "/"
	for _, name := range t.List(prefix) {
		data, err := t.Read(name)
		if err != nil {
			continue // a folder or link
		}
		to := filepath.Join(dir, "lib/modules", version, strings.TrimPrefix(name, prefix))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, 0o644); err != nil {
			return err
		}
	}
	if err := run(exec.CommandContext(ctx, "depmod", "-b", dir, version)); err != nil {
		return err
	}
	made, err := filepath.Glob(filepath.Join(dir, "lib/modules", version, "modules.*"))
	if err != nil {
		return err
	}
	for _, file := range made {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		t.Put(prefix+filepath.Base(file), 0o644, data)
	}
	return nil
}

// files puts the small files in place. The root is read-only, so what changes is a
// link to the data partition or to memory.
func files(t *rootfs.Tree) {
	for name, text := range map[string]string{
		"etc/hostname":    "tutti\n",
		"etc/hosts":       "127.0.0.1 localhost\n::1 localhost\n",
		"etc/machine-id":  "",
		"etc/fstab":       "",
		"etc/shells":      "/bin/sh\n",
		"etc/pam.d/other": "auth required pam_deny.so\naccount required pam_permit.so\npassword required pam_deny.so\nsession required pam_permit.so\n",
		"etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files resolve [!UNAVAIL=return] dns\nnetworks: files\n" +
			"protocols: files\nservices: files\n",
		"etc/systemd/journald.conf.d/tutti.conf":  "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\n",
		"etc/systemd/system.conf.d/tutti.conf":    "[Manager]\nRuntimeWatchdogSec=30s\nDefaultTimeoutStopSec=15s\n",
		"etc/systemd/resolved.conf.d/tutti.conf":  "[Resolve]\nMulticastDNS=no\nLLMNR=no\n",
		"etc/systemd/timesyncd.conf.d/tutti.conf": "[Time]\nSaveIntervalSec=1h\n",
		"etc/sysctl.d/tutti.conf":                 "net.core.rmem_max=4194304\n",
		"etc/tmpfiles.d/tutti-image.conf":         "d /data/tutti 0755 root root -\nd /data/tutti/ssh 0700 root root -\nd /data/tutti/dropbear 0700 root root -\nd /data/tutti/wifi 0700 root root -\n",
		"etc/systemd/system/wpa_supplicant@.service.d/tutti.conf": "[Unit]\nConditionPathExists=/data/tutti/wifi/wpa_supplicant.conf\n" +
			"[Service]\nExecStart=\nExecStart=/usr/sbin/wpa_supplicant -c/data/tutti/wifi/wpa_supplicant.conf -Dnl80211,wext -i%I\n",
	} {
		t.Put(name, 0o644, []byte(text))
	}
	for name, to := range map[string]string{
		"etc/mtab": "../proc/self/mounts", "etc/resolv.conf": "../run/systemd/resolve/stub-resolv.conf", "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
		// Debian's scripts choose among alternatives; without the first no country is known to Wi-Fi.
		"usr/lib/firmware/regulatory.db": "regulatory.db-debian", "usr/lib/firmware/regulatory.db.p7s": "regulatory.db.p7s-debian",
		"usr/bin/awk": "mawk", "usr/bin/which": "which.debianutils",
		"etc/tutti/tutti.toml": "/data/tutti/tutti.toml", "root/.ssh": "/data/tutti/ssh", "etc/dropbear": "/data/tutti/dropbear",
	} {
		t.Remove(func(n string) bool { return n == name || strings.HasPrefix(n, name+"/") })
		t.Link(name, to)
	}
	for _, dir := range []string{"boot", "data", "dev", "proc", "sys", "run", "tmp", "var", "root", "home", "mnt"} {
		t.Folder(dir, 0o755)
	}
}

// units switches services on and off.
func units(t *rootfs.Tree) error {
	const dir = "etc/systemd/system/"
	own, err := fs.Glob(system.Files, "*.service")
	if err != nil {
		return err
	}
	for _, name := range own {
		b, err := system.Files.ReadFile(name)
		if err != nil {
			return err
		}
		t.Put("usr/lib/systemd/system/"+name, 0o644, b)
	}
	for name, dir := range map[string]string{"80-tutti.network": "usr/lib/systemd/network/", "80-tutti-wifi.rules": "usr/lib/udev/rules.d/"} {
		b, err := system.Files.ReadFile(name)
		if err != nil {
			return err
		}
		t.Put(dir+name, 0o644, b)
	}
	for unit, wanted := range map[string]string{
		"systemd-networkd.service": "multi-user.target", "systemd-networkd.socket": "sockets.target", "systemd-resolved.service": "sysinit.target",
		"systemd-timesyncd.service": "sysinit.target", "tutti.service": "multi-user.target", "tutti-setup.service": "multi-user.target",
		"tutti-health.service": "multi-user.target", "tutti-hotspot.service": "multi-user.target", "dropbear.service": "multi-user.target",
	} {
		t.Link(dir+wanted+".wants/"+unit, "/usr/lib/systemd/system/"+unit)
	}
	t.Link(dir+"dbus-org.freedesktop.resolve1.service", "/usr/lib/systemd/system/systemd-resolved.service")
	t.Link(dir+"dbus-org.freedesktop.network1.service", "/usr/lib/systemd/system/systemd-networkd.service")
	t.Link(dir+"default.target", "/usr/lib/systemd/system/multi-user.target")
	for _, unit := range []string{
		"getty@.service", "serial-getty@.service", "console-getty.service", "systemd-firstboot.service", "systemd-machine-id-commit.service",
		"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer", "man-db.timer",
		"wpa_supplicant.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service", "ldconfig.service", "systemd-networkd-wait-online.service", "systemd-pcrmachine.service",
	} {
		t.Link(dir+path.Base(unit), "/dev/null")
	}
	return nil
}
