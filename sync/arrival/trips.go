package arrival

import (
	"slices"
	"time"
)

// recentTrips is how many round trips count.
const recentTrips = 5

// Trips is the last round trips of a path. The shortest of them is its: the others
// waited for a processor, here or there. The zero value is ready; it belongs to one
// goroutine.
type Trips struct{ last []time.Duration }

// Add takes a round trip in and returns the shortest of the last five.
func (t *Trips) Add(trip time.Duration) time.Duration {
	t.last = append(t.last[max(0, len(t.last)-recentTrips+1):], trip)
	return slices.Min(t.last)
}
