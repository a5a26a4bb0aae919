package vectors_test

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"github.com/tutti-audio/tutti/ostp/control"
)

// What a speaker says besides is read as the vectors have it, and written so, but for
// what an older speaker leaves out.
func TestHealth(t *testing.T) {
	all := readVectors(t, "report")
	counted(t, all, 3)
	for _, v := range all {
		raw := v.bytes(t, v.get("report"))
		said, err := control.Parse(raw, 0)
		if err != nil || said.Receiver == nil {
			t.Fatalf("%s: %+v, %v", v.at, said, err)
		}
		r := *said.Receiver
		h := r.Health
		micros := func(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }
		short := v.get("short") != ""
		v.compare(t, map[string]string{
			"burst_us": micros(h.Burst), "asks": strconv.Itoa(int(h.Asks)), "mend_us": micros(h.Mend), "queue_us": micros(h.Queue),
			"lost_of_256": strconv.Itoa(int(r.FractionLost)), "concealed": strconv.Itoa(int(h.ConcealedFrames)),
		})
		if again, err := control.AppendReport(nil, r); err != nil || bytes.Equal(again, raw) == short {
			t.Errorf("%s: is written as %X (%v)", v.at, again, err)
		}
	}
}
