package router

import (
	"time"

	"github.com/btplan/btplan/plan"
)

// seconds is a lease as the protocols count it.
func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }

// leaseText is a lease, or what is left of one, as people are told it.
func leaseText(d time.Duration) string { return plan.Lasting(seconds(d)) }

// renewal says how much of a lease is left, if that is less than half: time to
// renew it (RFC 6886, section 3.3). Empty: there is time.
func renewal(left, lease time.Duration) string {
	if left > lease/2 {
		return ""
	}
	return leaseText(left) + " left of " + leaseText(lease)
}
