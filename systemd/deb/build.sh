#!/bin/sh
# Makes one Debian package: build.sh ARCH BINARY VERSION OUTDIR COMMON
# COMMON holds what is the same for all architectures (see common.sh). The same
# input gives the same bytes; SOURCE_DATE_EPOCH is the time of everything.
set -eu
arch=$1 binary=$2 version=$3 out=$4 common=$5
: "${SOURCE_DATE_EPOCH:?set it to the time of the commit}"
here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022

put() { install -D -m "$1" "$2" "$root/$3"; }
put 755 "$binary" usr/bin/tutti
put 644 "$here/../tutti.service" usr/lib/systemd/system/tutti.service
put 644 "$here/../tutti-send@.service" usr/lib/systemd/system/tutti-send@.service
put 644 "$here/../tutti.sysusers" usr/lib/sysusers.d/tutti.conf
put 644 "$here/../tutti.modules" usr/lib/modules-load.d/tutti.conf
put 644 "$here/../60-tutti.rules" usr/lib/udev/rules.d/60-tutti.rules
put 644 "$here/../61-tutti-wifi.rules" usr/share/doc/tutti/examples/61-tutti-wifi.rules
put 644 "$here/../tutti.toml" etc/tutti/tutti.toml
mkdir -p "$root/etc/tutti/send"
cp -r "$common/." "$root/"

mkdir "$root/DEBIAN"
for script in postinst prerm postrm; do put 755 "$here/$script" "DEBIAN/$script"; done
echo /etc/tutti/tutti.toml >"$root/DEBIAN/conffiles"
size=$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' | awk '{ n += int(($1 + 1023) / 1024) } END { print n }')
sed -e "s/@ARCH@/$arch/; s/@VERSION@/$version/; s/@SIZE@/$size/" "$here/control" >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' md5sum) >"$root/DEBIAN/md5sums"
find "$root" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
mkdir -p "$out"
dpkg-deb --root-owner-group -Zxz --build "$root" "$out/tutti_${version}_$arch.deb"
