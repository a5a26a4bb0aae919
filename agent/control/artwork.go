package control

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"sync"
	"time"
)

// picture passes the source's artwork on. What a source says about its type is
// not believed: a picture that is none could be a page.
type picture struct {
	speaker Speaker
	mu      sync.Mutex // one fetch at a time
}

func (p *picture) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	b, _ := p.speaker.Artwork()
	p.mu.Unlock()
	kind := http.DetectContentType(b)
	if !slices.Contains([]string{"image/jpeg", "image/png", "image/webp", "image/gif"}, kind) {
		fail(w, http.StatusNotFound, "what plays has no picture")
		return
	}
	sum := sha256.Sum256(b)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("Content-Type", kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}
