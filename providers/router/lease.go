package router

import (
	"fmt"
	"strings"
	"time"
)

// leaseText writes a lease, or what is left of one, as people say it: "168h",
// "1h12m", "45s". Beside hours, seconds say nothing.
func leaseText(d time.Duration) string {
	if d >= time.Hour {
		d = d.Truncate(time.Minute)
	}
	s := d.Truncate(time.Second).String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, zero) {
			s = strings.TrimSuffix(s, zero[1:])
		}
	}
	return s
}

// renewal says how much of a lease is left, if that is less than half: time to
// renew it (RFC 6886, section 3.3). Empty: there is time.
func renewal(left, lease time.Duration) string {
	if left > lease/2 {
		return ""
	}
	return fmt.Sprintf("%s left of %s", leaseText(left), leaseText(lease))
}
