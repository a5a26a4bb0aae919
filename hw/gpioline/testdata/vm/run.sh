#!/bin/sh
# Tries GPIO lines on a kernel in an emulator: run.sh KERNEL [PI3-DTB]
# KERNEL is Debian's for arm64. Without a device tree the machine is QEMU's virt
# with a PL061 (its power key is pressed), with bcm2837-rpi-3-b.dtb a Raspberry Pi 3.
set -eu
kernel=$1 dtb=${2:-}
here=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/root/dev" "$tmp/root/proc" "$tmp/root/sys"
CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -o "$tmp/root/init" "$here/main.go"
(cd "$tmp/root" && find . | cpio --quiet -o -H newc) | gzip >"$tmp/initrd"
if [ "$dtb" ]; then
	set -- -M raspi3b -dtb "$dtb" -append "console=ttyAMA0 console=ttyS1,115200 rdinit=/init quiet line=GPIO17" -serial "file:$tmp/log" -serial "file:$tmp/log2"
else
	set -- -M virt -cpu cortex-a57 -m 512 -append "console=ttyAMA0 rdinit=/init quiet line=9030000.pl061:5 key=9030000.pl061:3" -serial "file:$tmp/log"
fi
mkfifo "$tmp/monitor"
qemu-system-aarch64 -kernel "$kernel" -initrd "$tmp/initrd" -display none -no-reboot -monitor stdio "$@" <"$tmp/monitor" >/dev/null 2>&1 &
vm=$!
exec 3>"$tmp/monitor"
n=0 pressed=
until grep -qsa -E 'VM (PASSED|.*FAILED)|panic' "$tmp/log" "$tmp/log2" || [ $n -gt 180 ]; do
	sleep 1
	n=$((n + 1))
	if [ -z "$pressed" ] && grep -qsa 'VM press' "$tmp/log"; then
		echo system_powerdown >&3
		pressed=1
	fi
done
kill $vm 2>/dev/null || true
cat "$tmp/log" "$tmp/log2" 2>/dev/null | grep -a '^VM' | tr -d '\r'
grep -qsa 'VM PASSED' "$tmp/log" "$tmp/log2"
