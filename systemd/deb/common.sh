#!/bin/sh
# Makes what all packages share: common.sh PROGRAM VERSION OUTDIR
# PROGRAM is tutti for this machine, which prints its own completions.
set -eu
program=$1 version=$2 out=$3
: "${SOURCE_DATE_EPOCH:?set it to the time of the commit}"
here=$(dirname "$0")
rm -rf "$out"
umask 022
doc=$out/usr/share/doc/tutti
mkdir -p "$doc" "$out/usr/share/bash-completion/completions" "$out/usr/share/zsh/vendor-completions" "$out/usr/share/fish/vendor_completions.d"
"$program" completion bash >"$out/usr/share/bash-completion/completions/tutti"
"$program" completion zsh >"$out/usr/share/zsh/vendor-completions/_tutti"
"$program" completion fish >"$out/usr/share/fish/vendor_completions.d/tutti.fish"
cp "$here/../../docs/tutti.toml" "$doc/tutti.toml"
cp "$here/../../LICENSE" "$doc/copyright"
printf 'tutti (%s) unstable; urgency=medium\n\n  * See https://github.com/tutti-audio/tutti\n\n -- Tutti <tutti@invalid>  %s\n' \
	"$version" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
# The licences of everything that is linked in.
go list -deps -f '{{with .Module}}{{if .Version}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./agent/cmd/tutti | sort -u |
	while read -r path v dir; do
		for file in "$dir"/LICEN[CS]E* "$dir"/COPYING* "$dir"/NOTICE*; do
			if [ -f "$file" ]; then printf '==== %s %s\n\n' "$path" "$v" && cat "$file" && echo; fi
		done
	done | gzip -9n >"$doc/NOTICES.gz"
