package source

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/dhowden/tag"
)

// Limits of tags in a file, in bytes.
const (
	maxArtwork  = 1 << 20 // larger artwork is dropped
	maxTagArea  = 16 << 20
	maxPicture  = maxArtwork + 4096 // with its description
	maxComments = 4 << 20
)

// readTags reads what a file says of itself. Damaged tags are no reason not to
// play: then it returns what it has, often nothing.
func readTags(file *os.File, k kind, start int64) (t Tags) {
	defer func() {
		if recover() != nil {
			t = Tags{}
		}
	}()
	switch k {
	case kindFLAC:
		t = flacTags(file, start)
	case kindVorbis, kindOpus:
		t = oggTags(file)
	case kindMP3:
		t = id3Tags(file)
	}
	if len(t.Artwork) > maxArtwork || len(t.Artwork) == 0 {
		t.Artwork, t.ArtworkType = nil, ""
	}
	return t
}

// id3Tags reads ID3 through the library, which sees only the tag.
func id3Tags(file *os.File) Tags {
	info, err := file.Stat()
	if err != nil {
		return Tags{}
	}
	m, err := tag.ReadFrom(io.NewSectionReader(file, 0, min(info.Size(), maxTagArea)))
	if errors.Is(err, tag.ErrNoTagsFound) && info.Size() > maxTagArea { // an ID3v1 tag is at the end
		m, err = tag.ReadID3v1Tags(file)
	}
	if err != nil || m == nil {
		return Tags{}
	}
	t := Tags{Title: m.Title(), Artist: m.Artist(), Album: m.Album()}
	if p := m.Picture(); p != nil {
		t.Artwork, t.ArtworkType = p.Data, p.MIMEType
	}
	return t
}

// flacTags walks the metadata blocks (RFC 9639 section 8).
func flacTags(file *os.File, start int64) (t Tags) {
	for at := start + 4; ; {
		var head [4]byte
		if _, err := file.ReadAt(head[:], at); err != nil {
			return t
		}
		size := int64(head[1])<<16 | int64(head[2])<<8 | int64(head[3])
		at += 4
		kind := head[0] & 0x7f
		if kind == 4 && size <= maxComments || kind == 6 && size <= maxPicture {
			b := make([]byte, size)
			if _, err := file.ReadAt(b, at); err != nil {
				return t
			}
			if kind == 4 {
				t.comments(b)
			} else {
				t.picture(b)
			}
		}
		at += size
		if head[0]&0x80 != 0 {
			return t
		}
	}
}

// oggTags reads the second packet of an Ogg stream.
func oggTags(file *os.File) (t Tags) {
	r := newOggReader(io.NewSectionReader(file, 0, maxTagArea))
	if _, _, err := r.readPacket(); err != nil {
		return t
	}
	b, _, err := r.readPacket()
	if err != nil {
		return t
	}
	for _, mark := range []string{"\x03vorbis", "OpusTags"} {
		if rest, ok := strings.CutPrefix(string(b[:min(8, len(b))]), mark); ok {
			t.comments(b[min(8, len(b))-len(rest):])
		}
	}
	return t
}

// field cuts a string off that its 32-bit length precedes.
func field(b []byte, order binary.ByteOrder) (value, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := order.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, false
	}
	return b[4 : 4+n], b[4+n:], true
}

// comments reads a Vorbis comment header; the first of a kind counts.
func (t *Tags) comments(b []byte) {
	le := binary.LittleEndian
	_, b, ok := field(b, le) // the vendor
	if !ok || len(b) < 4 {
		return
	}
	b = b[4:] // the count; the data ends by itself
	for {
		var c []byte
		if c, b, ok = field(b, le); !ok {
			return
		}
		name, value, _ := strings.Cut(string(c), "=")
		target := map[string]*string{"TITLE": &t.Title, "ARTIST": &t.Artist, "ALBUM": &t.Album}[strings.ToUpper(name)]
		switch {
		case target != nil && *target == "":
			*target = strings.ToValidUTF8(value, "\ufffd")
		case strings.EqualFold(name, "METADATA_BLOCK_PICTURE"):
			if p, err := base64.StdEncoding.DecodeString(value); err == nil {
				t.picture(p)
			}
		}
	}
}

// picture reads a picture block (RFC 9639 section 8.8): the front cover, or the
// first there is.
func (t *Tags) picture(b []byte) {
	be := binary.BigEndian
	if len(b) < 4 {
		return
	}
	front := be.Uint32(b) == 3
	media, b, ok := field(b[4:], be)
	if !ok {
		return
	}
	_, b, ok = field(b, be) // the description
	if !ok || len(b) < 16 {
		return
	}
	data, _, ok := field(b[16:], be)
	if ok && len(data) <= maxArtwork && (t.Artwork == nil || front) {
		t.Artwork, t.ArtworkType = data, string(media)
	}
}
