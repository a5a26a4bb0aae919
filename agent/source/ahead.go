package source

import (
	"io"
	"sync"
)

// Files are decoded half a second ahead, so that a slow disk or the opening of
// the next file does not delay a packet.
const (
	aheadFrames = 480 // per chunk
	aheadChunks = 50
)

// chunk is a piece of decoded audio with what it belongs to.
type chunk struct {
	pcm    []float32
	frames int
	status Status
	err    error // follows the audio
}

// ahead runs another source in a goroutine and hands its audio over.
type ahead struct {
	inner    Source
	channels int
	full     chan *chunk
	empty    chan *chunk
	stop     chan struct{}
	done     chan struct{}
	once     sync.Once

	cur  *chunk // reader's, partly read
	used int

	mu     sync.Mutex
	status Status
}

// newAhead starts reading inner, which it owns from now on.
func newAhead(inner Source) *ahead {
	a := &ahead{
		inner: inner, channels: inner.Channels(), status: inner.Status(),
		full: make(chan *chunk, aheadChunks), empty: make(chan *chunk, aheadChunks),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range aheadChunks {
		a.empty <- &chunk{pcm: make([]float32, aheadFrames*a.channels)}
	}
	go a.run()
	return a
}

// run fills empty chunks until the end or Close.
func (a *ahead) run() {
	defer close(a.done)
	for {
		select {
		case <-a.stop:
			return
		case c := <-a.empty:
			c.frames, c.err = a.inner.Read(c.pcm)
			c.status = a.inner.Status()
			a.full <- c // never blocks: there are no more chunks than room
			if c.err != nil {
				return
			}
		}
	}
}

func (a *ahead) Channels() int { return a.channels }

func (a *ahead) Read(dst []float32) (int, error) {
	want := len(dst) / a.channels
	for n := 0; ; {
		if a.cur != nil {
			k := copy(dst[n*a.channels:want*a.channels], a.cur.pcm[a.used*a.channels:a.cur.frames*a.channels]) / a.channels
			n += k
			a.used += k
		}
		if n == want {
			return n, nil
		}
		if err := a.next(); err != nil {
			if n > 0 && eof(err) {
				err = nil // the next Read tells the end
			}
			return n, err
		}
	}
}

// next takes the next chunk once the current one is used up.
func (a *ahead) next() error {
	if a.cur != nil {
		if a.cur.err != nil {
			return a.cur.err
		}
		a.empty <- a.cur
		a.cur = nil
	}
	select {
	case <-a.stop:
		return io.EOF
	default:
	}
	select {
	case <-a.stop:
		return io.EOF
	case a.cur = <-a.full:
	}
	a.used = 0
	a.mu.Lock()
	a.status = a.cur.status
	a.mu.Unlock()
	return nil
}

// Status returns what Read has reached, not what is decoded ahead.
func (a *ahead) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// Close ends the goroutine and closes the inner source.
func (a *ahead) Close() error {
	var err error
	a.once.Do(func() {
		close(a.stop)
		<-a.done
		err = a.inner.Close()
	})
	return err
}
