package source

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
)

const (
	oggHeader    = 27       // bytes before the segment table
	maxOggPacket = 4 << 20  // bytes; the largest are tags with artwork
	oggLastArea  = 64 << 10 // bytes: the last page begins in them
)

// oggPage is a page of an Ogg stream (RFC 3533 section 6).
type oggPage struct {
	continued, last bool
	granule         int64
	serial          uint32
	segments        []byte
	body            []byte
}

// oggReader cuts the first logical stream of an Ogg file into packets.
type oggReader struct {
	r      *bufio.Reader
	crc    *[256]uint32
	serial uint32
	begun  bool
	page   oggPage
	next   int // segment of page
	at     int // byte of page.body
	packet []byte
}

func newOggReader(r io.Reader) *oggReader {
	table := new([256]uint32)
	for i := range table {
		c := uint32(i) << 24
		for range 8 {
			c = c<<1 ^ 0x04c11db7*(c>>31)
		}
		table[i] = c
	}
	return &oggReader{r: bufio.NewReaderSize(r, 1<<16), crc: table}
}

// readPacket returns the next packet, valid until the next call, and whether it
// is the last that ends on its page; then r.page tells its granule position.
func (r *oggReader) readPacket() (packet []byte, ends bool, err error) {
	r.packet = r.packet[:0]
	for {
		for r.next < len(r.page.segments) {
			n := int(r.page.segments[r.next])
			r.packet = append(r.packet, r.page.body[r.at:r.at+n]...)
			r.next++
			r.at += n
			if len(r.packet) > maxOggPacket {
				return nil, false, errors.New("damaged Ogg file: absurd packet")
			}
			if n < 255 {
				return r.packet, r.lastOnPage(), nil
			}
		}
		if r.page.last {
			return nil, false, io.EOF
		}
		if err := r.nextPage(); err != nil {
			return nil, false, err
		}
		if !r.page.continued {
			r.packet = r.packet[:0] // the rest of a packet is missing
		} else if len(r.packet) == 0 {
			r.skipRest()
		}
	}
}

// lastOnPage tells whether no other packet ends on the page.
func (r *oggReader) lastOnPage() bool {
	for _, n := range r.page.segments[r.next:] {
		if n < 255 {
			return false
		}
	}
	return true
}

// skipRest passes over the end of a packet whose beginning is missing.
func (r *oggReader) skipRest() {
	for r.next < len(r.page.segments) {
		n := int(r.page.segments[r.next])
		r.next++
		r.at += n
		if n < 255 {
			return
		}
	}
}

// nextPage reads the next good page of the stream; damaged ones are passed over.
func (r *oggReader) nextPage() error {
	for {
		head, err := r.r.Peek(oggHeader)
		if err != nil {
			return err
		}
		if string(head[:4]) != "OggS" {
			if _, err := r.r.Discard(1); err != nil {
				return err
			}
			continue
		}
		if err := r.tryPage(int(head[26])); err != nil {
			return err
		}
		if r.page.segments == nil {
			continue
		}
		if !r.begun {
			r.begun, r.serial = true, r.page.serial
		}
		if r.page.serial == r.serial {
			return nil
		}
	}
}

// tryPage parses the page at hand; segments is nil where it is damaged.
func (r *oggReader) tryPage(segments int) error {
	r.page.segments = nil
	head, err := r.r.Peek(oggHeader + segments)
	if err != nil {
		return err
	}
	size := len(head)
	for _, n := range head[oggHeader:] {
		size += int(n)
	}
	b, err := r.r.Peek(size)
	if err != nil && !eof(err) {
		return err
	}
	if len(b) < size || r.sum(b) != binary.LittleEndian.Uint32(b[22:]) {
		_, err := r.r.Discard(4)
		return err
	}
	page := append([]byte(nil), b...)
	r.next, r.at = 0, 0
	r.page = oggPage{
		continued: page[5]&1 != 0, last: page[5]&4 != 0,
		granule:  int64(binary.LittleEndian.Uint64(page[6:])),
		serial:   binary.LittleEndian.Uint32(page[14:]),
		segments: page[oggHeader : oggHeader+segments], body: page[oggHeader+segments:],
	}
	_, err = r.r.Discard(size)
	return err
}

// sum returns the check sum of a page, whose own field counts as zero.
func (r *oggReader) sum(page []byte) (s uint32) {
	for i, x := range page {
		if i >= 22 && i < 26 {
			x = 0
		}
		s = s<<8 ^ r.crc[byte(s>>24)^x]
	}
	return s
}

// lastGranule returns the granule position of a file's last page, or 0.
func lastGranule(file *os.File) int64 {
	info, err := file.Stat()
	if err != nil {
		return 0
	}
	from := max(info.Size()-oggLastArea-(64<<10), 0)
	r := newOggReader(io.NewSectionReader(file, from, info.Size()-from))
	last := int64(0)
	for r.nextPage() == nil {
		last = max(last, r.page.granule)
	}
	return last
}
