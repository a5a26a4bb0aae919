// Package journal is a slog.Handler that writes to systemd's journal with fields,
// by its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL): PRIORITY, and each
// attribute as TUTTI_NAME, so that journalctl TUTTI_CHANNEL=house finds it. The
// attributes stand in the message too, for those who only read.
//
// A Handler is safe for concurrent use and has no goroutine. What the journal does
// not take is lost: a speaker never waits for its log.
package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	socket  = "/run/systemd/journal/socket"
	maxText = 16 << 10 // of a field; a datagram holds no more than some 200 kB
)

// Handler writes to the journal.
type Handler struct {
	conn   net.Conn
	level  slog.Leveler
	group  string // with its dot
	text   string // of the attributes so far
	fields []byte
}

var _ slog.Handler = (*Handler)(nil)

// Connected reports whether a file is a stream to the journal: systemd says so in
// $JOURNAL_STREAM, with the file's device and inode.
func Connected(file *os.File, getenv func(string) string) bool {
	var st unix.Stat_t
	said := getenv("JOURNAL_STREAM")
	return said != "" && unix.Fstat(int(file.Fd()), &st) == nil && said == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// Open connects to the journal.
func Open(level slog.Leveler) (*Handler, error) { return dial(socket, level) }

func dial(path string, level slog.Leveler) (*Handler, error) {
	conn, err := net.Dial("unixgram", path)
	if err != nil {
		return nil, err
	}
	return &Handler{conn: conn, level: level}, nil
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *Handler) Handle(_ context.Context, r slog.Record) error {
	next := *h
	next.fields = bytes.Clone(h.fields)
	r.Attrs(func(a slog.Attr) bool {
		next.add(a, h.group)
		return true
	})
	b := field(nil, "MESSAGE", r.Message+next.text)
	b = field(b, "PRIORITY", strconv.Itoa(priority(r.Level)))
	b = field(b, "SYSLOG_IDENTIFIER", "tutti")
	_, err := h.conn.Write(append(b, next.fields...))
	return err
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.fields = bytes.Clone(h.fields)
	for _, a := range attrs {
		next.add(a, h.group)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.group += name + "."
	}
	return &next
}

// add takes an attribute, or those of a group.
func (h *Handler) add(a slog.Attr, group string) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			h.add(inner, group)
		}
		return
	}
	if a.Key == "" {
		return
	}
	text := v.String()
	h.fields = field(h.fields, "TUTTI_"+fieldName(group+a.Key), text)
	if text == "" || strings.ContainsAny(text, " \"=\n\t") {
		text = strconv.Quote(text)
	}
	h.text += " " + group + a.Key + "=" + text
}

// priority is syslog's.
func priority(l slog.Level) int {
	switch {
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

// fieldName keeps to what the journal allows.
func fieldName(key string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	return name[:min(len(name), 58)] // 64 with the prefix
}

// field appends a field; one of several lines goes with its length.
func field(b []byte, name, text string) []byte {
	text = text[:min(len(text), maxText)]
	if !strings.Contains(text, "\n") {
		return append(append(append(append(b, name...), '='), text...), '\n')
	}
	b = append(append(b, name...), '\n')
	b = binary.LittleEndian.AppendUint64(b, uint64(len(text)))
	return append(append(b, text...), '\n')
}
