#!/bin/sh
# Installs the tools that images are made with.
set -u
missing=""
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
PATH=$PATH:/usr/sbin:/sbin
need mmdebstrap mmdebstrap
need mksquashfs squashfs-tools
need mkfs.vfat dosfstools
need mcopy mtools
need mke2fs e2fsprogs
need dtc device-tree-compiler
need depmod kmod
need xz xz-utils
need dpkg-deb dpkg
[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "not installed:$missing (as root: apt-get install$missing)" >&2
	exit 1
fi
echo "installing$missing"
(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing) >/dev/null
