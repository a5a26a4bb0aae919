package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tutti-audio/tutti/internal/pcap"
	"github.com/tutti-audio/tutti/ostp/inspect"
)

const inspectLong = `Explain packets: of which kind each is, what every field says, whether its CRC is good, and
what of a stream is missing; at the end, a summary of each stream.

FILE is a capture (pcap; - is standard input), as tcpdump -s 0 -w FILE writes one, or a
text of one packet a line in hexadecimal. HEX is one packet; colons and spaces between
its bytes do no harm. The exit code is 3 when there is no UDP in a capture.`

func inspectCommand(around surroundings) *cobra.Command {
	var brief, summary bool
	cmd := &cobra.Command{
		Use: "inspect FILE|HEX...", Short: "Explain captured packets", GroupID: groupCare, Args: cobra.MinimumNArgs(1),
		Long: inspectLong,
		Example: "  tutti inspect house.pcap\n  tutti inspect --brief house.pcap\n  sudo tcpdump -i eth0 -s 0 -c 1000 -w - udp | tutti inspect --summary -\n" +
			"  tutti inspect 90600001000001E0DEADBEEF4F53000200010000000001E0F8FFFE17F498ED",
		RunE: func(cmd *cobra.Command, args []string) error {
			w := bufio.NewWriter(around.out)
			i := inspector{w: w, fields: !brief && !summary, packets: !summary}
			err := i.run(cmd.InOrStdin(), args)
			return errors.Join(err, w.Flush())
		},
	}
	cmd.Flags().BoolVar(&brief, "brief", false, "one line for each packet")
	cmd.Flags().BoolVar(&summary, "summary", false, "only the summary")
	return cmd
}

// inspector writes what it is shown.
type inspector struct {
	w               io.Writer
	fields, packets bool
	log             inspect.Log
	count           int // of datagrams
	skipped         [3]int
	start           time.Time
}

// What of a capture's frames is not shown.
const (
	notUDP = iota
	fragments
	cutShort
)

// run explains all arguments: one file, or packets.
func (i *inspector) run(stdin io.Reader, args []string) error {
	from := stdin
	if args[0] != "-" {
		if b, err := parseHex(strings.Join(args, "")); err == nil {
			i.datagram(time.Time{}, inspect.Ends{}, b)
			return i.finish()
		}
		file, err := os.Open(args[0])
		if err != nil {
			return fmt.Errorf("%w; give a capture, or a packet in hexadecimal", err)
		}
		defer file.Close()
		from = file
	}
	if len(args) > 1 {
		return misused("one file at a time, not %q as well", args[1])
	}
	buffered := bufio.NewReader(from)
	begin, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	read := i.text
	if pcap.IsCapture(begin) {
		read = i.capture
	}
	if err := read(buffered); err != nil {
		err = fmt.Errorf("%s: %w", args[0], err)
		if i.count > 0 { // what came before it is worth something
			err = errors.Join(err, i.finish())
		}
		return err
	}
	return i.finish()
}

// parseHex reads a packet in hexadecimal, with or without 0x, colons and spaces.
func parseHex(text string) ([]byte, error) {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(": \t\r-", r) {
			return -1
		}
		return r
	}, strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(text), "0x"), "0X"))
	b, err := hex.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil, errors.New("this is no hexadecimal: it has two of 0-9 a-f for each byte")
	}
	return b, nil
}

// text reads one packet a line; empty lines and those that begin with # are passed
// over.
func (i *inspector) text(from io.Reader) error {
	const longest = 1 << 16
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, longest)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		b, err := parseHex(string(line))
		if err != nil {
			return fmt.Errorf("neither a capture (pcap) nor packets: line %d: %w", n, err)
		}
		i.datagram(time.Time{}, inspect.Ends{}, b)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("neither a capture (pcap) nor packets in hexadecimal, one a line: %w", err)
	}
	return nil
}

// capture reads a pcap file.
func (i *inspector) capture(from io.Reader) error {
	r, err := pcap.NewReader(from)
	if err != nil {
		return err
	}
	for {
		frame, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		d, err := pcap.ParseFrame(r.Link(), frame.Data)
		switch {
		case errors.Is(err, pcap.ErrLink):
			return err
		case errors.Is(err, pcap.ErrFragment):
			i.skipped[fragments]++
		case errors.Is(err, pcap.ErrCut):
			i.skipped[cutShort]++
		case err != nil:
			i.skipped[notUDP]++
		default:
			i.datagram(frame.At, inspect.Ends{From: d.From, To: d.To}, d.Payload)
		}
	}
}

// datagram explains one.
func (i *inspector) datagram(at time.Time, ends inspect.Ends, b []byte) {
	if i.count++; i.count == 1 {
		i.start = at
	}
	e := i.log.Add(at, ends, b)
	if !i.packets {
		return
	}
	head := fmt.Sprintf("#%d", i.count)
	if !at.IsZero() {
		head += fmt.Sprintf("  %.6f s", at.Sub(i.start).Seconds())
	}
	if ends != (inspect.Ends{}) {
		head += fmt.Sprintf("  %v > %v", ends.From, ends.To)
	}
	fmt.Fprintf(i.w, "%s  %s  %s\n", head, e.Kind, clean(e.Summary))
	if i.fields {
		for _, f := range e.Fields {
			fmt.Fprintf(i.w, "    %-26s %s\n", f.Name, clean(f.Value))
		}
	}
	if e.Problem != "" {
		fmt.Fprintf(i.w, "  ! %s\n", clean(e.Problem))
	}
	for _, note := range e.Notes {
		fmt.Fprintf(i.w, "  * %s\n", note)
	}
}
