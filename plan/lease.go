package plan

import "strconv"

// Lasting is a number of seconds as people say it: "168h", "1h12m", "59m",
// "1m59s", "45s". Seconds count only in the last ten minutes. What is left of a
// lease is told in this form everywhere.
func Lasting(seconds uint32) string {
	hours, minutes, rest := seconds/3600, seconds/60%60, seconds%60
	if seconds >= 600 {
		rest = 0
	}
	var text string
	for _, part := range []struct {
		n    uint32
		unit string
	}{{hours, "h"}, {minutes, "m"}, {rest, "s"}} {
		if part.n > 0 {
			text += strconv.FormatUint(uint64(part.n), 10) + part.unit
		}
	}
	if text == "" {
		return "0s"
	}
	return text
}
