package plan

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// rule reads a rule as the tests write it; see parseRule.
func rule(t testing.TB, s string) Rule {
	t.Helper()
	r, err := parseRule(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rules(t testing.TB, lines ...string) []Rule {
	t.Helper()
	var out []Rule
	for _, line := range lines {
		out = append(out, rule(t, line))
	}
	return out
}

// parseRule reads "tcp 6881-6889 -> 192.168.1.11:6881 from 10.0.0.0/8, 11.0.0.0/8",
// without " -> …" an Allow, or with " outbound" an Outbound, without " from …"
// for anyone.
func parseRule(s string) (Rule, error) {
	s, from, _ := strings.Cut(s, " from ")
	s, to, isForward := strings.Cut(s, " -> ")
	s, isOutbound := strings.CutSuffix(s, " outbound")
	protocol, ports, _ := strings.Cut(s, " ")
	r := Rule{Kind: Allow, Protocol: Protocol(protocol)}
	if isOutbound {
		r.Kind = Outbound
	}
	var err error
	if r.Ports, err = ParsePortRange(ports); err != nil {
		return Rule{}, err
	}
	if isForward {
		r.Kind = Forward
		if r.To, err = netip.ParseAddrPort(to); err != nil {
			return Rule{}, err
		}
	}
	if from != "" {
		for p := range strings.SplitSeq(from, ", ") {
			source, err := netip.ParsePrefix(p)
			if err != nil {
				return Rule{}, err
			}
			r.Sources = append(r.Sources, source)
		}
	}
	return r, r.Check()
}

// parseLive reads one line "gateway.edge port_range.a RULE", with " | drift: …",
// " | outdated: …", " | expires: SECONDS", " | renew: …" or " | handle: …" behind; the owner of a foreign rule is "-".
func parseLive(line string) (Live, error) {
	line, notes, _ := strings.Cut(line, " | ")
	device, rest, _ := strings.Cut(line, " ")
	owner, text, _ := strings.Cut(rest, " ")
	var l Live
	var err error
	if l.Device, err = ParseAddr(device); err != nil {
		return Live{}, err
	}
	if owner != "-" {
		if l.Owner, err = ParseAddr(owner); err != nil {
			return Live{}, err
		}
	}
	if l.Rule, err = parseRule(text); err != nil {
		return Live{}, err
	}
	for note := range strings.SplitSeq(notes, " | ") {
		switch kind, value, _ := strings.Cut(note, ": "); kind {
		case "":
		case "drift":
			l.Drift = value
		case "outdated":
			l.Outdated = value
		case "expires":
			if _, err := fmt.Sscan(value, &l.Expires); err != nil {
				return Live{}, err
			}
		case "renew":
			l.Renew = value
		case "handle":
			l.Handle = value
		default:
			return Live{}, fmt.Errorf("%q is neither drift, outdated, expires, renew nor handle", kind)
		}
	}
	return l, nil
}

// live reads lines as parseLive does.
func live(t testing.TB, lines ...string) []Live {
	t.Helper()
	var out []Live
	for _, line := range lines {
		l, err := parseLive(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, l)
	}
	return out
}

// wanted reads lines as parseLive does.
func wanted(t testing.TB, lines ...string) []Wanted {
	t.Helper()
	var out []Wanted
	for _, l := range live(t, lines...) {
		out = append(out, Wanted{Rule: l.Rule, Device: l.Device, Owner: l.Owner})
	}
	return out
}
