package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	journald, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer journald.Close()
	h, err := dial(path, slog.LevelInfo)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(h)
	log.Debug("not this")
	log.With("channel", "house").WithGroup("card").Warn("it is late", "by", 20*time.Millisecond, slog.Group("of", "Äb", "x y"))
	log.Error("two\nlines", "error", errors.New("why"))
	log.Info("plain", "empty", "", slog.Attr{})
	for _, want := range []string{
		"MESSAGE=it is late channel=house card.by=20ms card.of.Äb=\"x y\"\nPRIORITY=4\nSYSLOG_IDENTIFIER=tutti\nTUTTI_CHANNEL=house\nTUTTI_CARD_BY=20ms\nTUTTI_CARD_OF__B=x y\n",
		"MESSAGE\n\x13\x00\x00\x00\x00\x00\x00\x00two\nlines error=why\nPRIORITY=3\nSYSLOG_IDENTIFIER=tutti\nTUTTI_ERROR=why\n",
		"MESSAGE=plain empty=\"\"\nPRIORITY=6\nSYSLOG_IDENTIFIER=tutti\nTUTTI_EMPTY=\n",
	} {
		b := make([]byte, 4096)
		n, err := journald.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Errorf("%v\ngot  %q\nwant %q", err, b[:n], want)
		}
	}
}

func TestConnected(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	for said, want := range map[string]bool{"": false, "1:2": false, fmt.Sprintf("%d:%d", st.Dev, st.Ino): true} {
		if got := Connected(file, func(string) string { return said }); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
}
