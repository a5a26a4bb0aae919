#!/bin/sh
# Verifies the units, and that systemd-analyze gives them no more than 1.5 of 10
# points of exposure (1.6 for the source, which may read homes).
set -eu
cd "$(dirname "$0")"
for unit in tutti.service:15 tutti-send@.service:16 tutti-relay.service:15; do
	file=${unit%:*}
	echo "$file: $(systemd-analyze security --offline=true --threshold="${unit#*:}" "$file" | tail -1)"
done
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/bin" "$root/usr/lib/systemd/system" "$root/usr/lib/sysusers.d" "$root/etc"
cp tutti.service tutti-send@.service tutti-relay.service "$root/usr/lib/systemd/system"
cp tutti.sysusers "$root/usr/lib/sysusers.d/tutti.conf"
cp tutti-relay.sysusers "$root/usr/lib/sysusers.d/tutti-relay.conf"
for program in usr/bin/tutti usr/bin/tutti-relay bin/kill; do
	mkdir -p "$root/$(dirname $program)"
	printf '#!/bin/sh\n' >"$root/$program"
	chmod +x "$root/$program"
done
cp -r /usr/lib/systemd/system/*.target "$root/usr/lib/systemd/system" 2>/dev/null || true
systemd-analyze verify --root="$root" --man=no --recursive-errors=no tutti.service tutti-send@x.service tutti-relay.service
systemd-sysusers --root="$root" tutti.conf tutti-relay.conf
grep -q '^tutti:' "$root/etc/passwd"
grep -q '^tutti-relay:' "$root/etc/passwd"
