package source

import (
	"io"
	"os"

	"github.com/dhowden/tag"
)

// Limits of tags in a file.
const (
	maxArtwork = 1 << 20  // bytes; larger artwork is dropped
	maxTagArea = 32 << 20 // bytes from the beginning of the file
)

// readTags reads what the file says of itself. Damaged tags are no reason not
// to play: then it returns what it has, often nothing.
func readTags(file *os.File) (t Tags) {
	defer func() {
		if recover() != nil {
			t = Tags{}
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return Tags{}
	}
	m, err := tag.ReadFrom(io.NewSectionReader(file, 0, min(info.Size(), maxTagArea)))
	if err != nil || m == nil {
		return Tags{}
	}
	t = Tags{Title: m.Title(), Artist: m.Artist(), Album: m.Album()}
	if p := m.Picture(); p != nil && len(p.Data) <= maxArtwork {
		t.Artwork, t.ArtworkType = p.Data, p.MIMEType
	}
	return t
}
