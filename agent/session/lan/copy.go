package lan

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/tutti-audio/tutti/sync/timebase"
)

const (
	askAgain   = time.Second      // for a copy that does not come
	healthy    = 0.98             // share of packets that multicast must bring
	giveUpSoon = 10 * time.Second // of that, and the copy is given up
	giveUpLate = 10 * time.Minute // likewise, after it was needed again and again
)

// Why a copy of our own is wanted.
const (
	noneArrives = "multicast does not arrive"
	tooMuchLost = "multicast loses too much"
	tookOver    = "another speaker is the gateway now"
)

// wantCopy asks the sender for a copy of our own, also again when none comes. When
// nothing arrives and nobody is there to be asked, the sender has gone.
func (r *Receiver) wantCopy(why string) {
	now := r.config.Clock.Now()
	if r.asking.Load() || r.subscribed.Load() && now.Sub(timebase.Local(r.askedAt.Load())) < askAgain {
		return
	}
	again := r.subscribed.Swap(true)
	r.asking.Store(true)
	r.askedAt.Store(int64(now))
	r.wait.Go(func() {
		defer r.asking.Store(false)
		err := r.postSubscription()
		if why == noneArrives && errors.Is(err, syscall.ECONNREFUSED) {
			r.cancel(ErrSilent)
			return
		}
		if err != nil {
			r.refused.warn(r.config.Log, "no copy of our own", "why wanted", why, "error", err)
			return
		}
		if !again {
			r.config.Log.Info("receiving a copy of our own", "why", why, "source", r.Source())
		}
	})
}

// copyNeeded follows how well multicast does while there is a copy, once a
// second, and gives the copy up when multicast has been well for long enough; the
// sender sees that in the next report.
func (r *Receiver) copyNeeded(expected int64) {
	came := r.stats.byGroup.Swap(0)
	if !r.subscribed.Load() || expected == 0 || float64(came) < healthy*float64(expected) {
		r.healthy = 0
		return
	}
	if r.healthy += reportEvery; r.healthy < r.giveUp {
		return
	}
	r.healthy, r.giveUp = 0, min(2*r.giveUp, giveUpLate)
	r.subscribed.Store(false)
	r.config.Log.Info("multicast arrives again: giving up the copy of our own")
}

func (r *Receiver) postSubscription() error {
	body, err := json.Marshal(Subscription{Port: r.copy.Port(), SSRC: r.config.SSRC})
	if err != nil {
		return err
	}
	status, answer, err := post(r.ctx, r.Source(), pathSubscribe, body)
	if err == nil && status != http.StatusNoContent {
		err = fmt.Errorf("the source answers %d: %s", status, answer)
	}
	return err
}
