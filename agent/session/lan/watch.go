package lan

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
	"github.com/tutti-audio/tutti/ostp/describe"
	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	fetchTime   = 2 * time.Second
	noMulticast = time.Second            // without a packet: ask for a copy
	silent      = 5 * time.Second        // without a packet or an answer: the stream is dead
	leftFor     = 300 * time.Millisecond // likewise, after a gateway has left
	lossy       = 26                     // of 256: ten per cent
	lossyFor    = 3                      // reports in a row
	looks       = 5                      // for each report
)

// Fetch gets the description from a sender's HTTP address, host:port.
func Fetch(ctx context.Context, source string) (*describe.Stream, error) {
	b, _, err := get(ctx, source, pathStream, describe.MaxSize)
	if err != nil {
		return nil, err
	}
	return describe.ParseSDP(b)
}

// FetchListeners asks a sender how its speakers are aligned.
func FetchListeners(ctx context.Context, source string) (all []Listener, err error) {
	b, _, err := get(ctx, source, pathListeners, 1<<20)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("source %s answers no list of speakers: %w", source, err)
	}
	return all, nil
}

// FetchArtwork gets the picture of what a sender plays.
func FetchArtwork(ctx context.Context, source string) (picture []byte, mimeType string, err error) {
	return get(ctx, source, pathArtwork, 1<<20)
}

// get reads at most limit bytes from a sender.
func get(ctx context.Context, source, path string, limit int64) (body []byte, mimeType string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address(source, path), nil)
	if err != nil {
		return nil, "", fmt.Errorf("source %q: %w", source, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, "", fmt.Errorf("source %s does not answer: %w", source, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("source %s answers %s to %s: is it a tutti sender?", source, response.Status, path)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err == nil && int64(len(body)) > limit {
		err = fmt.Errorf("source %s answers more than %d bytes to %s", source, limit, path)
	}
	return body, response.Header.Get("Content-Type"), err
}

// address is the URL of a path at host:port; an IPv6 zone is escaped (RFC 6874).
func address(source, path string) string {
	return "http://" + strings.Replace(source, "%", "%25", 1) + path
}

// takeReport follows the sender's reports: its end, and what it plays.
func (r *Receiver) takeReport(b []byte, from netip.AddrPort) {
	if !r.fromLeader(from) && !r.fromStandBy(from) {
		r.stats.foreign.Add(1)
		return
	}
	report, err := control.Parse(b, r.Clock().HouseAt(r.config.Clock.Now()))
	if err != nil {
		r.stats.damaged.Add(1)
		return
	}
	for _, ssrc := range report.Goodbye {
		if ssrc == r.stream.SSRC {
			r.cancel(ErrGoodbye)
		}
	}
	if s := report.Sender; s != nil && s.SSRC == r.stream.SSRC {
		if s.Gateway != nil {
			r.heed(s.Gateway, from)
		}
		tags := Tags{Tags: *r.tags.Load()}
		if noteOf(&tags) != s.Note {
			r.checkChanged()
		}
	}
}

// checkChanged fetches the description again, at most four times a second.
func (r *Receiver) checkChanged() {
	now := int64(r.config.Clock.Now())
	last := r.stats.lastSR.Load()
	if now-last < int64(250*time.Millisecond) || !r.stats.lastSR.CompareAndSwap(last, now) {
		return
	}
	r.wait.Go(func() {
		s, err := Fetch(r.ctx, r.Source())
		switch {
		case err != nil:
		case s.SSRC != r.stream.SSRC || s.Epoch != r.stream.Epoch:
			r.cancel(ErrChanged)
		default:
			r.tags.Store(&s.Tags)
		}
	})
}

// watch reports to the sender, asks for a copy when multicast does not do, and
// ends the receiver when the sender has gone.
func (r *Receiver) watch() {
	tick := time.NewTicker(reportEvery / looks)
	defer tick.Stop()
	joined := r.config.Clock.Now()
	badly := 0
	for n := 1; ; n++ {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
		if r.stats.changed.Swap(false) {
			r.checkChanged()
		}
		now := r.config.Clock.Now()
		idle := now.Sub(max(joined, timebase.Local(r.stats.lastMedia.Load())))
		if idle > silent && now.Sub(max(joined, r.Clock().At)) > silent {
			r.cancel(ErrSilent)
			return
		}
		if l := r.leader.Load(); l.leaving && !l.standBy.Addr.IsValid() && idle > leftFor {
			r.cancel(ErrSilent)
			return
		}
		if idle > noMulticast {
			r.wantCopy(noneArrives)
		}
		if n%looks != 0 {
			continue
		}
		if r.moved() {
			r.cancel(ErrMoved)
			return
		}
		if badly = r.report(badly); badly >= lossyFor {
			r.wantCopy(tooMuchLost)
		}
	}
}

// report sends one receiver report and returns for how many in a row too much has
// been lost.
func (r *Receiver) report(badly int) int {
	report := r.account()
	if b, err := control.AppendReport(nil, report); err == nil {
		r.tell(b)
	}
	if report.FractionLost < lossy {
		return 0
	}
	return badly + 1
}

// account takes stock since the last report.
func (r *Receiver) account() control.Receiver {
	e := r.Clock()
	fraction, lost, jitter, expected := r.loss()
	r.stats.fraction.Store(int64(fraction))
	r.copyNeeded(expected)
	report := control.Receiver{
		SSRC: r.config.SSRC, Stream: r.stream.SSRC, ID: r.config.ID, Name: r.config.Name,
		FractionLost: fraction, Lost: lost, HighestSequence: uint32(r.stats.highest.Load()), Jitter: jitter,
		ReceivedAt: e.HouseAt(timebase.Local(r.stats.lastMedia.Load())), ReceivedRTP: uint32(r.stats.lastRTP.Load()),
	}
	report.Health.Unicast = r.subscribed.Load()
	if presented := r.config.Sink.Report(&report, &r.stream); presented != 0 && e.Samples > 0 {
		report.PresentedAt = e.HouseAt(presented)
	}
	return report
}
