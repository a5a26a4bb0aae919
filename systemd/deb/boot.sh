#!/bin/sh
# Boots a tree in a container, installs the package there and looks at its service:
# boot.sh ROOT FIRST NEXT, the packages as paths inside.
set -eu
: "${1:?}" # nothing outside the tree is written
root=$1 first=$2 next=$3
cat >"$root/root/check" <<'CHECK'
#!/bin/sh
exec >/root/result 2>&1
fail() { echo "FAILED: $*"; systemctl --no-pager -l status tutti; journalctl --no-pager -n 40 -u tutti; }
is() { systemctl show -P "$1" tutti; }
until_is() { # PROPERTY VALUE: waits for it
	n=0
	while [ "$(is "$1")" != "$2" ]; do
		n=$((n + 1))
		if [ $n -gt 600 ]; then fail "$1 is $(is "$1"), not $2"; return 1; fi
		sleep 0.1
	done
}
check() {
	dpkg -i "$1" || fail install
	until_is ActiveState active || return
	until_is SubState running || return
	echo "ready, status: $(is StatusText)"
	echo "user $(ps -o user= -p "$(is MainPID)" 2>/dev/null || stat -c %U "/proc/$(is MainPID)"), watchdog $(is WatchdogUSec)"
	grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs|Seccomp:' "/proc/$(is MainPID)/status" | tr '\n\t' '  ' && echo
	echo "threads in SCHED_FIFO: $(cat "/proc/$(is MainPID)/task/"*/stat | sed 's/.*) //' | awk '$39 == 1' | wc -l), in all $(ls "/proc/$(is MainPID)/task" | wc -l)"
	test -s /var/lib/tutti/state.json || fail "it remembers nothing"
	journalctl -q --no-pager -o export -u tutti | grep -E '^TUTTI_|^PRIORITY|^SYSLOG_ID' | sort -u | head -20

	echo "a source"
	printf 'TUTTI_SEND=--latency safe tune\n' >/etc/tutti/send/house.conf
	systemctl start tutti-send@house || fail "the source does not start"
	n=0
	until is StatusText | grep -q '^playing house'; do
		n=$((n + 1))
		if [ $n -gt 300 ]; then fail "it does not play the source: $(is StatusText)"; systemctl --no-pager -l status tutti-send@house; break; fi
		sleep 0.1
	done
	echo "source: $(systemctl show -P StatusText tutti-send@house); speaker: $(is StatusText)"
	systemctl stop tutti-send@house || fail "the source does not stop"

	echo "upgrade"
	pid=$(is MainPID)
	dpkg --force-confold -i "$2" || fail upgrade
	until_is ActiveState active || return
	test "$pid" != "$(is MainPID)" || fail "the old program still runs"

	echo "a stuck process"
	mkdir -p /run/systemd/system/tutti.service.d
	printf '[Service]\nWatchdogSec=3\n' >/run/systemd/system/tutti.service.d/test.conf
	systemctl daemon-reload
	systemctl restart tutti || fail restart
	before=$(is NRestarts)
	sleep 8
	test "$(is NRestarts)" = "$before" || fail "it was restarted though it is well"
	kill -STOP "$(is MainPID)"
	until_is NRestarts $((before + 1)) || return
	until_is ActiveState active || return
	journalctl -q --no-pager -u tutti | grep -i 'watchdog' | tail -2
	echo "a crash"
	kill -KILL "$(is MainPID)"
	until_is NRestarts $((before + 2)) || return
	until_is ActiveState active || return
	echo "removal"
	dpkg -P tutti || fail purge
	test "$(is ActiveState)" != active || fail "it runs after removal"
	echo "PASSED"
}
CHECK
cat >>"$root/root/check" <<EOF
check $first $next
systemctl poweroff --force
EOF
chmod +x "$root/root/check"
cat >"$root/etc/systemd/system/check.service" <<'EOF'
[Unit]
After=basic.target
[Service]
ExecStart=/root/check
[Install]
WantedBy=multi-user.target
EOF
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../check.service "$root/etc/systemd/system/multi-user.target.wants/check.service"
timeout 300 systemd-nspawn -q -D "$root" --boot --private-network --register=no --keep-unit -M "tutti-test-$$" </dev/null >"$root/root/console" 2>&1 || true
cat "$root/root/result"
grep -q '^PASSED' "$root/root/result" || { tail -20 "$root/root/console"; exit 1; }
if grep -q '^FAILED' "$root/root/result"; then exit 1; fi
