package plan

import "testing"

func TestLasting(t *testing.T) {
	for seconds, want := range map[uint32]string{
		0: "0s", 59: "59s", 60: "1m", 119: "1m59s", 599: "9m59s", 600: "10m", 3599: "59m", 3600: "1h", 3659: "1h", 4320: "1h12m",
		604800: "168h", 4294967295: "1193046h28m",
	} {
		if got := Lasting(seconds); got != want {
			t.Errorf("Lasting(%d) = %q, want %q", seconds, got, want)
		}
	}
}
