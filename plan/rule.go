// Package plan is the core of btplan: what a device should let through, what
// it does let through, and the difference. It is pure: values in, values out.
package plan

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Kind is what a rule does.
type Kind uint8

// The kinds of rule.
const (
	Forward  Kind = iota // a gateway translates the destination and lets the packets pass
	Allow                // a host accepts inbound packets
	Outbound             // a host lets out the packets that it sends, and their answers in
)

// String is the kind's name in a plan: "forward", "allow" or "outbound".
func (k Kind) String() string {
	return [...]string{"forward", "allow", "outbound"}[k]
}

// Protocol is a transport protocol, by its lower-case IANA keyword.
type Protocol string

// The protocols of BitTorrent: TCP for peers, UDP for µTP and the DHT.
const (
	TCP Protocol = "tcp"
	UDP Protocol = "udp"
)

// Rule is one thing that a device lets through.
type Rule struct {
	Kind     Kind
	Protocol Protocol
	Ports    PortRange      // as seen from outside the device; Outbound: those of the hosts that it talks to
	To       netip.AddrPort // Forward: the machine, and the port there of Ports.First; else zero
	Sources  []netip.Prefix // who may connect, as CanonicalSources gives them; none: anyone; Outbound: none
}

// Check says what is wrong with r if no device can hold it, nil if one can.
// What is read from outside, a device or a file, is to be checked before
// anything else is done with it: the other methods expect a rule that passes.
func (r Rule) Check() error {
	switch {
	case r.Kind > Outbound:
		return fmt.Errorf("a rule is of kind %d: expected forward, allow or outbound", r.Kind)
	case r.Protocol != TCP && r.Protocol != UDP:
		return fmt.Errorf("%q is not a protocol: expected tcp or udp", string(r.Protocol))
	case r.Ports.First == 0 || r.Ports.Last < r.Ports.First:
		return fmt.Errorf("%d-%d is not a range of ports", r.Ports.First, r.Ports.Last)
	case r.Kind == Allow && r.To != netip.AddrPort{}:
		return fmt.Errorf("%s %s is accepted by the host itself and has the target %s", r.Protocol, r.Ports, r.To)
	case r.Kind == Outbound && r.To != netip.AddrPort{}:
		return fmt.Errorf("%s %s is let out to every host and has the target %s", r.Protocol, r.Ports, r.To)
	case r.Kind == Outbound && len(r.Sources) > 0:
		return fmt.Errorf("%s %s is let out by the host that sends it and has sources", r.Protocol, r.Ports)
	case r.Kind == Forward:
		if err := r.checkTarget(); err != nil {
			return fmt.Errorf("%s %s is forwarded to %w", r.Protocol, r.Ports, err)
		}
	}
	if !slices.Equal(r.Sources, CanonicalSources(r.Sources)) {
		return fmt.Errorf("the sources of %s %s are not in their canonical form", r.Protocol, r.Ports)
	}
	return nil
}

func (r Rule) checkTarget() error {
	addr, port := r.To.Addr(), int(r.To.Port())
	switch {
	case !addr.IsValid():
		return errors.New("no address")
	case addr.Is4In6(), addr.Zone() != "":
		return fmt.Errorf("%s: expected a plain IPv4 or IPv6 address", addr)
	case port == 0:
		return fmt.Errorf("port 0 of %s", addr)
	case port+r.Ports.Count()-1 > maxPort:
		return fmt.Errorf("%d ports of %s from %d on: there are none above %d", r.Ports.Count(), addr, port, maxPort)
	}
	return nil
}

// ToPorts is the range of ports on the machine that r leads to. It ends at
// 65535 if r leads beyond, which [Rule.Check] finds.
func (r Rule) ToPorts() PortRange {
	first := r.To.Port()
	return PortRange{first, uint16(min(int(first)+r.Ports.Count()-1, maxPort))}
}

// Target is the machine and its ports as a plan shows them:
// "192.168.1.11:6881-6889", "[2001:db8::1]:6881"; empty for all but a Forward.
func (r Rule) Target() string {
	if r.Kind != Forward {
		return ""
	}
	host := r.To.Addr().String()
	if r.To.Addr().Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + r.ToPorts().String()
}

// String is the rule in one line, for errors and logs.
func (r Rule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Protocol, r.Ports)
	switch r.Kind {
	case Forward:
		b.WriteString(" to " + r.Target())
	case Outbound:
		b.WriteString(" outbound")
	}
	for i, source := range r.Sources {
		if i == 0 {
			b.WriteString(" from ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(source.String())
	}
	return b.String()
}

// Compare orders rules by kind, protocol, IP version, ports, target and
// sources. Rules of one device that do not collide are thus in the order of
// their ports wherever ports can clash at all.
func (r Rule) Compare(o Rule) int {
	// Sorting spends its time here: look no further than the first difference.
	if c := r.comparePlace(o); c != 0 {
		return c
	}
	if c := cmp.Compare(r.Ports.First, o.Ports.First); c != 0 {
		return c
	}
	if c := cmp.Compare(r.Ports.Last, o.Ports.Last); c != 0 {
		return c
	}
	if c := r.To.Compare(o.To); c != 0 {
		return c
	}
	return slices.CompareFunc(r.Sources, o.Sources, netip.Prefix.Compare)
}

// comparePlace orders rules by what two must have in common to claim the same
// ports: kind, protocol and IP version.
func (r Rule) comparePlace(o Rule) int {
	if c := cmp.Compare(r.Kind, o.Kind); c != 0 {
		return c
	}
	if c := cmp.Compare(r.Protocol, o.Protocol); c != 0 {
		return c
	}
	return cmp.Compare(r.To.Addr().BitLen(), o.To.Addr().BitLen())
}

// Equal says whether r and o let the same through in the same way.
func (r Rule) Equal(o Rule) bool { return r.Compare(o) == 0 }

// Collides says whether a device can't hold both: they claim a port of the
// same protocol in the same kind and the same IP version.
func (r Rule) Collides(o Rule) bool {
	return r.comparePlace(o) == 0 && r.Ports.Overlaps(o.Ports)
}

// Wanted is a rule that the configuration asks of a device.
type Wanted struct {
	Rule
	Device    Addr      // the gateway, or the machine whose firewall it is
	Owner     Addr      // the port_range, or the machine itself, of an Outbound
	DeclRange hcl.Range // where the owner asks for it, for diagnostics
}

// Live is a rule that a device holds.
type Live struct {
	Rule
	Device Addr
	Owner  Addr // zero: foreign, that is, not made by this project
	// Project is the project of btplan that made a foreign rule, where its
	// mark tells; empty: somebody else did.
	Project string
	Handle  string // what the device calls it, for messages: "table ip nat, chain prerouting, handle 7"
	// Drift says in a few words how the device's rule is not as btplan left
	// it, though its mark is there: "its accept is missing". Empty: nothing
	// is known to have been changed.
	Drift string
	// Outdated says in a few words why the rule has to be written again
	// though nobody touched it and it says what is wanted: the device's
	// settings have changed around it.
	Outdated string
	// Expires is in how many seconds the device forgets the rule by itself;
	// 0: never, or nobody knows.
	Expires uint32
	// Renew says in a few words why the rule has to be written again before
	// its lease ends, though nothing is wrong with it: "1h12m left of 168h".
	// Empty: there is time. Drift and Outdated go before it: what is written
	// for their sake is as good as renewed.
	Renew string
}
