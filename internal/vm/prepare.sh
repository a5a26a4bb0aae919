#!/bin/sh
# Installs what the tests in virtual machines use: QEMU, and xz for kernel modules.
# Kernels are fetched by the tests themselves, into the user's cache.
set -u
missing=""
command -v qemu-system-x86_64 >/dev/null || missing="$missing qemu-system-x86"
command -v qemu-system-aarch64 >/dev/null || missing="$missing qemu-system-arm"
command -v xz >/dev/null || missing="$missing xz-utils"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "not installed:$missing (as root: apt-get install$missing)" >&2
	exit 1
fi
echo "installing$missing"
(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing) >/dev/null
