package source

// mp3Header is the head of an MPEG audio frame, as far as playing needs it.
type mp3Header struct {
	version  int // 1, 2; 25 for MPEG 2.5
	layer    int
	rate     int
	bitrate  int // bit/s
	channels int
	padding  int
	crc      bool
}

// parseMP3Header reads the four bytes of a frame header; see ok.
func parseMP3Header(b []byte) mp3Header {
	var h mp3Header
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe0 != 0xe0 {
		return h
	}
	h.version = [4]int{25, 0, 2, 1}[b[1]>>3&3]
	h.layer = [4]int{0, 3, 2, 1}[b[1]>>1&3]
	h.crc = b[1]&1 == 0
	h.rate = [4]int{44100, 48000, 32000, 0}[b[2]>>2&3]
	switch h.version {
	case 2:
		h.rate /= 2
	case 25:
		h.rate /= 4
	}
	kbit := [16]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0}
	if h.version != 1 {
		kbit = [16]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0}
	}
	h.bitrate = 1000 * kbit[b[2]>>4]
	h.padding = int(b[2] >> 1 & 1)
	h.channels = 2
	if b[3]>>6 == 3 {
		h.channels = 1
	}
	return h
}

// ok tells a Layer III header of a bit rate that can be decoded.
func (h mp3Header) ok() bool {
	return h.version != 0 && h.layer == 3 && h.rate != 0 && h.bitrate != 0
}

// samples returns the frames of audio in an MPEG frame.
func (h mp3Header) samples() int {
	if h.version == 1 {
		return 1152
	}
	return 576
}

// size returns the bytes of the MPEG frame, header included.
func (h mp3Header) size() int {
	return h.samples()/8*h.bitrate/h.rate + h.padding
}

// id3Size returns the bytes of the ID3v2 tag that begins with b.
func id3Size(b []byte) int64 {
	if len(b) < 10 || string(b[:3]) != "ID3" {
		return 0
	}
	size := int64(10)
	if b[5]&0x10 != 0 {
		size += 10 // a footer
	}
	return size + int64(b[6]&0x7f)<<21 + int64(b[7]&0x7f)<<14 + int64(b[8]&0x7f)<<7 + int64(b[9]&0x7f)
}
