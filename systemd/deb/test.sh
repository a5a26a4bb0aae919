#!/bin/sh
# Installs, upgrades, removes and purges the package: test.sh DEBDIR WORKDIR
#
# First in a plain chroot, then under a systemd of its own in a container: the
# service starts by itself, is ready, survives an upgrade, and is started again
# when it stands still. It needs root, mmdebstrap and systemd-nspawn.
set -eu
debs=$(realpath "$1") work=$2
here=$(realpath "$(dirname "$0")")
arch=$(dpkg --print-architecture)
first=$(ls "$debs"/tutti_*_"$arch".deb)
mkdir -p "$work"
work=$(realpath "$work")
say() { echo "test-deb: $*"; }
die() { say "FAILED: $*"; exit 1; }

base=$work/base.tar
[ -s "$base" ] || mmdebstrap --quiet --variant=minbase --include=systemd,udev "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$base"
root=$work/root
cleanup() { rm -rf "$root"; }
trap cleanup EXIT
cleanup
mkdir "$root"
tar -xf "$base" -C "$root" --exclude='./dev/*'

# A second version: the same, a conffile changed as an update may change it.
again=$work/again
rm -rf "$again"
dpkg-deb -R "$first" "$again"
sed -i 's/^Version: .*/&+next/' "$again/DEBIAN/control"
echo '# a new line of the new version' >>"$again/etc/tutti/tutti.toml"
dpkg-deb --root-owner-group -Znone --build "$again" "$work/next.deb" >/dev/null
cp "$first" "$root/root/first.deb"
cp "$work/next.deb" "$root/root/next.deb"
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
snapshot() { (cd "$root" && find . \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./var/lib/dpkg -o -path ./root -o -path ./var/log -o -path ./var/cache \) -prune -o -print | LC_ALL=C sort); }

say "install"
snapshot >"$work/before"
inside dpkg -i /root/first.deb >"$work/log" 2>&1 || { cat "$work/log"; die install; }
inside tutti version
inside tutti run --print-config >/dev/null || die "the shipped configuration is refused"
inside dpkg --verify tutti || die "files differ from the package"
inside dpkg-query -W -f '${Conffiles}\n' tutti | grep -q '/etc/tutti/tutti.toml' || die "tutti.toml is no conffile"
inside id tutti >/dev/null || die "no user"
inside test -L /etc/systemd/system/multi-user.target.wants/tutti.service || die "the service is not enabled"

say "upgrade keeps what a person wrote"
echo 'name = "Bath"' >>"$root/etc/tutti/tutti.toml"
echo 'TUTTI_SEND=tune' >"$root/etc/tutti/send/house.conf"
mkdir -p "$root/var/lib/tutti" && echo '{}' >"$root/var/lib/tutti/state.json"
inside dpkg --force-confdef --force-confold -i /root/next.deb >"$work/log" 2>&1 || { cat "$work/log"; die upgrade; }
grep -q 'name = "Bath"' "$root/etc/tutti/tutti.toml" || die "tutti.toml was overwritten"
grep -q 'new line' "$root/etc/tutti/tutti.toml.dpkg-dist" || die "the new tutti.toml is not beside the old one"
rm "$root/etc/tutti/tutti.toml.dpkg-dist"
inside dpkg-query -W -f '${Version}\n' tutti | grep -q next || die "it is the old version"

say "a service that a person disabled stays so"
inside systemctl disable tutti.service >/dev/null 2>&1
inside dpkg --force-confold -i /root/next.deb >"$work/log" 2>&1 || { cat "$work/log"; die upgrade; }
if inside test -e /etc/systemd/system/multi-user.target.wants/tutti.service; then die "it is enabled again"; fi

say "remove keeps the settings"
inside dpkg -r tutti >"$work/log" 2>&1 || { cat "$work/log"; die remove; }
grep -q Bath "$root/etc/tutti/tutti.toml" && test -e "$root/var/lib/tutti/state.json" || die "settings are gone"
if inside test -e /usr/bin/tutti; then die "the program is still there"; fi

say "purge leaves nothing"
inside dpkg -P tutti >"$work/log" 2>&1 || { cat "$work/log"; die purge; }
snapshot >"$work/after"
diff "$work/before" "$work/after" | grep -v '^[0-9]' | grep -v -E '^> \./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' && die "purge left the above"
if inside id tutti >/dev/null 2>&1; then die "the user is still there"; fi

say "a real systemd"
"$here/boot.sh" "$root" /root/first.deb /root/next.deb
say "all is well"
