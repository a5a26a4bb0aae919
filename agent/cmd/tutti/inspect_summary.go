package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/ostp"
	"github.com/tutti-audio/tutti/ostp/inspect"
)

// finish writes the summary.
func (i *inspector) finish() error {
	if i.count == 0 && i.skipped == [3]int{} {
		return notFound("no packets: it is empty")
	}
	if i.count == 0 {
		return notFound("no packets: %s", i.left())
	}
	if i.packets {
		fmt.Fprintln(i.w)
	}
	var kinds []string
	for kind, n := range i.log.Kinds {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(kinds)
	from := ""
	if !i.start.IsZero() {
		from = " from " + i.start.Format(time.RFC3339Nano) + " on"
	}
	fmt.Fprintf(i.w, "datagrams%s: %s\n", from, strings.Join(kinds, ", "))
	if i.skipped != [3]int{} {
		fmt.Fprintf(i.w, "besides: %s\n", i.left())
	}
	if i.log.Damaged > 0 {
		fmt.Fprintf(i.w, "%d packets with a bad CRC belong to no stream that is known\n", i.log.Damaged)
	}
	if i.log.Untraced > 0 {
		fmt.Fprintf(i.w, "%d packets belong to more streams than are followed\n", i.log.Untraced)
	}
	return i.streams()
}

// left says what of a capture is not shown.
func (i *inspector) left() string {
	return fmt.Sprintf("%d frames without UDP, %d fragments (they are not put together), %d cut short (capture with tcpdump -s 0)",
		i.skipped[notUDP], i.skipped[fragments], i.skipped[cutShort])
}

// streams writes a row for each.
func (i *inspector) streams() error {
	all := i.log.Streams()
	if len(all) == 0 {
		return nil
	}
	rows := [][]string{{"SSRC", "STREAM", "KIND", "PACKETS", "LOST", "REORDERED", "TWICE", "BAD CRC", "OTHER CRC", "BITRATE", "DURATION", "MEDIA", "FROM", "TO"}}
	for _, s := range all {
		row := []string{fmt.Sprintf("%08X", s.SSRC), fmt.Sprint(s.StreamID.StreamID), kindOf(s)}
		for _, n := range []int64{int64(s.Packets), s.Lost, int64(s.Reordered), int64(s.Duplicates), int64(s.BadCRC), int64(s.Tolerated)} {
			row = append(row, fmt.Sprint(n))
		}
		row = append(row, bitrate(s), length(s.Duration), length(s.Media))
		if s.Ends != (inspect.Ends{}) {
			row = append(row, s.Ends.From.String(), s.Ends.To.String())
		} else {
			row = append(row, "", "")
		}
		rows = append(rows, row)
	}
	fmt.Fprintln(i.w)
	return table(i.w, rows...)
}

func kindOf(s *inspect.Stream) string {
	if s.Kind == inspect.Media {
		return ostp.PayloadType(s.PayloadType).String()
	}
	return strings.ToLower(strings.TrimPrefix(string(s.Kind), "OSTP "))
}

func bitrate(s *inspect.Stream) string {
	if s.Bitrate() == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f kb/s", s.Bitrate()/1000)
}

func length(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return fmt.Sprintf("%.3f s", d.Seconds())
}
