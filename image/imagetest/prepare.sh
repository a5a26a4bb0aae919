#!/bin/sh
# Installs what the tests of images use: an emulator with EFI, and tools for cards.
set -u
missing=""
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need qemu-system-aarch64 qemu-system-arm
need mcopy mtools
need fdtoverlay device-tree-compiler
need ssh openssh-client
need ssh-keygen openssh-client
[ -e /usr/share/AAVMF/AAVMF_CODE.fd ] || missing="$missing qemu-efi-aarch64"
if [ ! -c /dev/net/tun ]; then
	echo "there is no /dev/net/tun: load the kernel's module tun (as root: modprobe tun)" >&2
	exit 1
fi
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "not installed:$missing (as root: apt-get install$missing)" >&2
	exit 1
fi
echo "installing$missing"
(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing) >/dev/null
