package portctl

import (
	"testing"
	"time"
)

func TestLost(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		from, to uint32 // the server's clock
		elapsed  time.Duration
		want     bool
	}{
		{"at once", 100, 100, 0, false},
		{"as time goes by", 100, 3700, time.Hour, false},
		{"out of order by a second", 100, 99, 0, false},
		{"restarted", 100, 5, time.Minute, true},
		{"restarted at once", 100, 0, time.Second, true},
		{"restarted long ago, and now further than before", 100, 3600, 2 * time.Hour, true},
		{"the server's clock is slow by less than a sixteenth", 0, 3400, time.Hour, false},
		{"the server's clock is slow by more", 0, 3300, time.Hour, true},
		{"the server's clock is fast by less than a sixteenth", 0, 3800, time.Hour, false},
		{"the server's clock is fast by more", 0, 3900, time.Hour, true},
		{"our clock was set back", 100, 3700, -time.Hour, true},
		{"the server's clock wraps", 1<<32 - 10, 50, time.Minute, true},
		{"all that 32 bits hold", 0, 1<<32 - 1, (1<<32 - 1) * time.Second, false},
	} {
		got := Sighting{c.from, start}.Lost(Sighting{c.to, start.Add(c.elapsed)})
		if got != c.want {
			t.Errorf("%s: %v, not %v", c.name, got, c.want)
		}
	}
}
