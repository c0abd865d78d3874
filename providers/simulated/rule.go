package simulated

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
)

// entry is one rule as the file spells it, and what it means. The spelling of
// a foreign rule is kept: it is not ours to tidy up.
type entry struct {
	direction           string // of a firewall's: directionIn, which may be left out, or directionOut
	protocol, ports, to string
	sources             []string
	mark, comment       string
	lease               uint32 // how many seconds of it are left; 0: for good

	rule plan.Rule
}

// newEntry spells a rule.
func newEntry(rule plan.Rule) entry {
	e := entry{
		protocol: string(rule.Protocol),
		ports:    rule.Ports.String(),
		to:       rule.Target(),
		rule:     rule,
	}
	if rule.Kind == plan.Outbound {
		e.direction = directionOut
	}
	for _, source := range rule.Sources {
		e.sources = append(e.sources, source.String())
	}
	return e
}

// understand works out e.rule from the spelling. Its errors begin with the
// name of the field.
func (e *entry) understand(is role) error {
	kind := is.kinds[0]
	switch e.direction {
	case "", directionIn:
	case directionOut:
		kind = plan.Outbound
	default:
		return fmt.Errorf("direction: %q is neither %q nor %q", e.direction, directionIn, directionOut)
	}
	ports, err := plan.ParsePortRange(e.ports)
	if err != nil {
		return fmt.Errorf("ports: %w", err)
	}
	var to netip.AddrPort
	if kind == plan.Forward {
		if to, err = parseTarget(e.to, ports); err != nil {
			return fmt.Errorf("to: %w", err)
		}
	}
	var sources []netip.Prefix
	for _, s := range e.sources {
		source, err := netip.ParsePrefix(s)
		if err != nil {
			return fmt.Errorf("sources: %q is not a network such as 203.0.113.0/24", s)
		}
		sources = append(sources, source)
	}
	e.rule = plan.Rule{
		Kind:     kind,
		Protocol: plan.Protocol(e.protocol),
		Ports:    ports,
		To:       to,
		Sources:  plan.CanonicalSources(sources),
	}
	return is.check(e.rule)
}

// parseTarget reads what [plan.Rule.Target] writes: an address, and as many
// ports as there are outside.
func parseTarget(s string, outside plan.PortRange) (netip.AddrPort, error) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		return netip.AddrPort{}, fmt.Errorf("%q has no port: write it like 192.168.1.11:%s", s, outside)
	}
	ports, err := plan.ParsePortRange(s[colon+1:])
	if err != nil {
		return netip.AddrPort{}, err
	}
	if ports.Count() != outside.Count() {
		return netip.AddrPort{}, fmt.Errorf("%q has %d ports, but there are %d outside", s, ports.Count(), outside.Count())
	}
	// ParseAddrPort knows where brackets belong.
	to, err := netip.ParseAddrPort(fmt.Sprintf("%s:%d", s[:colon], ports.First))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not an address with ports such as 192.168.1.11:%s or [2001:db8::11]:%s", s, outside, outside)
	}
	return to, nil
}

// check says why a device can't hold a rule.
func (is role) check(r plan.Rule) error {
	if err := r.Check(); err != nil {
		return err
	}
	if !slices.Contains(is.kinds, r.Kind) {
		return fmt.Errorf("a simulated %s holds no %s rules", is.name, r.Kind)
	}
	if to := r.To.Addr(); to.IsValid() && (to.IsUnspecified() || to.IsMulticast()) {
		return fmt.Errorf("%s is not the address of one machine", to)
	}
	return nil
}
