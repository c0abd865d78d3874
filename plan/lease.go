package plan

import "strconv"

// Lasting is a number of seconds as people say it, in its two largest units
// above seconds: "168h", "1h12m", "2m", "45s". What is left of a lease is told
// in this form everywhere.
func Lasting(seconds uint32) string {
	number := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	hours, minutes := seconds/3600, seconds/60%60
	switch {
	case seconds < 60:
		return number(seconds) + "s"
	case hours == 0:
		return number(minutes) + "m"
	case minutes == 0:
		return number(hours) + "h"
	}
	return number(hours) + "h" + number(minutes) + "m"
}
