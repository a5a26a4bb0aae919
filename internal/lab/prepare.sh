#!/bin/sh
# Installs what the end-to-end tests use besides Go: a real PulseAudio, avahi-daemon and
# coturn. Without root, or without apt, the tests that need them say that they are
# skipped, and why.
set -u
missing=""
command -v pulseaudio >/dev/null || missing="$missing pulseaudio"
command -v avahi-daemon >/dev/null || missing="$missing avahi-daemon avahi-utils dbus"
command -v nft >/dev/null || missing="$missing nftables"
command -v turnserver >/dev/null || missing="$missing coturn"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "not installed:$missing; the tests that need them will be skipped (as root: apt-get install$missing)"
	exit 0
fi
echo "installing$missing for the end-to-end tests"
(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing) >/dev/null 2>&1 ||
	echo "could not install$missing; the tests that need them will be skipped"
exit 0
