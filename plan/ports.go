package plan

import (
	"fmt"
	"strconv"
	"strings"
)

// maxPort is the highest port of TCP and UDP.
const maxPort = 65535

// PortRange is a run of ports from First to Last, both included.
// A valid one has 1 ≤ First ≤ Last.
type PortRange struct{ First, Last uint16 }

// Count is how many ports r holds.
func (r PortRange) Count() int { return int(r.Last) - int(r.First) + 1 }

// Overlaps says whether r and o share a port.
func (r PortRange) Overlaps(o PortRange) bool { return r.First <= o.Last && o.First <= r.Last }

// String is "6881-6889", or "6881" for a single port.
func (r PortRange) String() string {
	if r.First == r.Last {
		return strconv.Itoa(int(r.First))
	}
	return strconv.Itoa(int(r.First)) + "-" + strconv.Itoa(int(r.Last))
}

// ParsePortRange reads "6881" or "6881-6889"; blanks around the numbers are
// allowed. Its errors are sentences that can be shown to the author.
func ParsePortRange(s string) (PortRange, error) {
	first, last, isRange := strings.Cut(s, "-")
	a, err := parsePort(first)
	if err != nil {
		return PortRange{}, fmt.Errorf("%q is not a port or a range of ports: %w", s, err)
	}
	if !isRange {
		return PortRange{a, a}, nil
	}
	b, err := parsePort(last)
	if err != nil {
		return PortRange{}, fmt.Errorf("%q is not a port or a range of ports: %w", s, err)
	}
	if b < a {
		return PortRange{}, fmt.Errorf("the range %q is reversed: write %d-%d", s, b, a)
	}
	return PortRange{a, b}, nil
}

func parsePort(s string) (uint16, error) {
	s = strings.Trim(s, " ")
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%q is not a number", s)
		}
	}
	if s == "" {
		return 0, fmt.Errorf("a number is missing")
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s is outside 1-65535", s)
	}
	return uint16(n), nil
}
