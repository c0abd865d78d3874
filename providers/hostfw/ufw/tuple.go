package ufw

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// tuple is one rule of ufw's as it stands in user.rules, for IPv4, or
// user6.rules. ufw takes two for the same rule if all but action, logging and
// comment are equal; see UFWRule.match in its source.
type tuple struct {
	action    string // "allow", "deny", "reject" or "limit", with "_log" or "_log-all" behind it
	route     bool   // for packets that pass through
	protocol  string // "tcp", "any", …
	ports     string // "6881", "6881:6889,6900" or "any"
	to        string // an address or prefix
	fromPorts string
	from      string
	apps      string // what application profiles it was made by: "OpenSSH -", or empty
	direction string // "in", "out", "in_eth0", "in_eth0!out_eth1"
	comment   string
}

const tupleHead = "### tuple ###"

// parseTuples reads the rules in one of ufw's files. ufw leaves out a line that
// it can't read; here it is an error, for nobody knows what it lets in.
func parseTuples(file []byte) ([]tuple, error) {
	var out []tuple
	for line := range strings.Lines(string(file)) {
		rest, found := strings.CutPrefix(line, tupleHead)
		if !found {
			continue
		}
		t, err := parseTuple(strings.TrimSpace(rest))
		if err != nil {
			return nil, fmt.Errorf("the line %q: %w", strings.TrimSpace(line), err)
		}
		out = append(out, t)
	}
	return out, nil
}

func parseTuple(line string) (tuple, error) {
	line, raw, commented := strings.Cut(line, " comment=")
	comment, err := hex.DecodeString(raw)
	if commented && err != nil {
		return tuple{}, errors.New("its comment is not hexadecimal")
	}
	f := strings.Fields(line)
	// Of the oldest form, without a direction, there is none since ufw 0.30.
	if len(f) != 7 && len(f) != 9 {
		return tuple{}, fmt.Errorf("it has %d words, not 7 or 9", len(f))
	}
	t := tuple{
		protocol: f[1], ports: f[2], to: anyAddress(f[3]), fromPorts: f[4], from: anyAddress(f[5]),
		apps: strings.Join(f[6:len(f)-1], " "), direction: f[len(f)-1], comment: string(comment),
	}
	t.action, t.route = strings.CutPrefix(f[0], "route:")
	if !slices.Contains([]string{"allow", "deny", "reject", "limit"}, t.verb()) {
		return tuple{}, fmt.Errorf("%q is no action", f[0])
	}
	return t, nil
}

const anywhere = "any"

// anyAddress gives all addresses of either IP version one name.
func anyAddress(s string) string {
	if s == "0.0.0.0/0" || s == "::/0" {
		return anywhere
	}
	return s
}

// same says whether ufw takes t and o for the same rule.
func (t tuple) same(o tuple) bool {
	t.action, t.comment = o.action, o.comment
	return t == o
}

// The directions of packets that we have rules for.
const (
	inward  = "in"
	outward = "out"
)

// directionOf is that of the packets of a kind of rule.
func directionOf(k plan.Kind) string {
	if k == plan.Outbound {
		return outward
	}
	return inward
}

// kind is that of rules for packets of t's direction.
func (t tuple) kind() plan.Kind {
	if t.direction == outward {
		return plan.Outbound
	}
	return plan.Allow
}

// goes says whether t is for packets in a direction to or from this machine, by
// whatever interface.
func (t tuple) goes(direction string) bool {
	return !t.route && (t.direction == direction || strings.HasPrefix(t.direction, direction+"_"))
}

// peer is the addresses of those that the machine talks with: who sends what
// comes in, who gets what goes out.
func (t tuple) peer() string {
	if t.goes(outward) {
		return t.to
	}
	return t.from
}

// isPlain says whether t tells packets in one direction apart by nothing but
// their protocol, their ports and, coming in, their source: so do ours.
func (t tuple) isPlain() bool {
	return !t.route && t.to == anywhere && t.fromPorts == anywhere &&
		(t.direction == inward || t.direction == outward && t.from == anywhere)
}

// verb is what t does with packets, logged or not.
func (t tuple) verb() string {
	verb, _, _ := strings.Cut(t.action, "_")
	return verb
}

// String is the rule as ufw(8) has it.
func (t tuple) String() string {
	s := t.action
	if t.route {
		s = "route " + s
	}
	if verb, iface, found := strings.Cut(t.direction, "_"); found {
		s += " " + verb + " on " + iface
	} else if t.direction != "in" {
		s += " " + t.direction
	}
	if t.protocol != anywhere {
		s += " proto " + t.protocol
	}
	s += " from " + t.from
	if t.fromPorts != anywhere {
		s += " port " + t.fromPorts
	}
	s += " to " + t.to
	if t.ports != anywhere {
		s += " port " + t.ports
	}
	if t.apps != "" {
		s += " (" + t.apps + ")"
	}
	return s
}

// protocols are those of ours that t is for.
func (t tuple) protocols() []plan.Protocol {
	switch t.protocol {
	case anywhere:
		return []plan.Protocol{plan.TCP, plan.UDP}
	case string(plan.TCP), string(plan.UDP):
		return []plan.Protocol{plan.Protocol(t.protocol)}
	}
	return nil
}

// portRanges are the ports that t is for.
func (t tuple) portRanges() ([]plan.PortRange, error) {
	if t.ports == anywhere {
		return []plan.PortRange{host.AllPorts}, nil
	}
	var out []plan.PortRange
	for s := range strings.SplitSeq(t.ports, ",") {
		if strings.Contains(s, "-") {
			return nil, fmt.Errorf("%q is no range of ports", s)
		}
		r, err := plan.ParsePortRange(strings.Replace(s, ":", "-", 1))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// source is where t's packets come from, in an IP version.
func (t tuple) source(six bool) (netip.Prefix, error) {
	if t.from == anywhere {
		return host.Everywhere(six), nil
	}
	if a, err := netip.ParseAddr(t.from); err == nil && a.Zone() == "" && a.Is6() == six {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(t.from)
	if err == nil && p.Addr().Is6() != six {
		err = fmt.Errorf("%s is of the other IP version", p)
	}
	return p.Masked(), err
}
