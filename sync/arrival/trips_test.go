package arrival

import (
	"testing"
	"time"
)

func TestTrips(t *testing.T) {
	var trips Trips
	for n, c := range []struct{ trip, want time.Duration }{{9, 9}, {30, 9}, {20, 9}, {25, 9}, {26, 9}, {27, 20}, {5, 5}} {
		if got := trips.Add(c.trip); got != c.want {
			t.Errorf("after the %d. the shortest is %d, want %d", n+1, got, c.want)
		}
	}
}
