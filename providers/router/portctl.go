package router

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// dialect is NAT-PMP or PCP, as far as the two differ.
type dialect interface {
	// name is that of the protocol.
	name() string
	// sibling is the other one: its version, and the gateway type for it.
	sibling() (version uint8, typeName string)
	// supports says what the protocol can't do of a rule of one port.
	supports(rule plan.Rule) error
	// look asks for what can be had without changing anything.
	look(ctx context.Context, c portctl.Client) (sight, error)
	// mine says, as a sentence, why a mapping can't be asked for from a
	// computer with the address local; nil: it can.
	mine(rule plan.Rule, local netip.Addr) error
	// open asks for a mapping, or for more time for it.
	open(ctx context.Context, c portctl.Client, a asked) (portctl.Granted, portctl.Seen, error)
	// shut takes a mapping away.
	shut(ctx context.Context, c portctl.Client, a asked) (portctl.Seen, error)
}

// sight is what a look at the router tells.
type sight struct {
	portctl.Seen
	outside  netip.Addr // zero: not told
	problems []providers.Problem
}

// asked is one mapping as it is asked for.
type asked struct {
	rule  plan.Rule
	nonce portctl.Nonce
	lease time.Duration
}

// portctlGateway is a router with NAT-PMP or PCP. It can't list its mappings:
// what it holds is known from the memory, as long as the router's clock shows
// that it has not forgotten them.
type portctlGateway struct {
	dialect dialect
	project string
	addr    plan.Addr
	memory  providers.Memory
	server  netip.AddrPort // zero: none is configured
	lease   time.Duration

	// Tests have clocks, sockets and gateways of their own.
	now     func() time.Time
	client  portctl.Client // but for its Server
	gateway func() (netip.Addr, error)

	// What the latest Read, or an Apply after it, has seen.
	seen *portctlState
}

// portctlState is what is known of a router.
type portctlState struct {
	sight
	client portctl.Client
	noted  routerNote // as the memory has it
	note   routerNote // less what the router holds no more
	// How many were noted that it has forgotten, and whose leases are over.
	forgotten, over int
}

func openPortctl(d dialect, s providers.Settings) (providers.Device, error) {
	g := &portctlGateway{
		dialect: d, project: s.Project, addr: s.Addr, memory: s.Memory,
		now: time.Now, gateway: portctl.Gateway,
	}
	address, lease := parsePortctl(s.Body)
	if address.IsValid() {
		g.server = portctl.Server(address)
	}
	g.lease = lease
	return g, nil
}

// Shape makes mappings of one port each.
func (g *portctlGateway) Shape(rules []plan.Rule) ([]plan.Rule, error) {
	for _, r := range rules {
		err := r.Check()
		switch {
		case err != nil:
		case r.Kind != plan.Forward:
			err = fmt.Errorf("a gateway holds forwards, not %s rules", r.Kind)
		case len(r.Sources) > 0:
			// NAT-PMP knows none. PCP has the option FILTER (RFC 6887, section
			// 13.3), but miniupnpd, the server most often met, takes it and lets
			// everyone in (pcpserver.c: "TODO fully implement filter").
			err = fmt.Errorf("sources can't be had from a router by %s: the ports would be open to everyone. Remove sources, and limit who may connect on the machine's own firewall", g.dialect.name())
		default:
			err = g.dialect.supports(r)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", providers.ErrUnsupported, err)
		}
	}
	split := plan.Split(rules)
	type target struct {
		protocol plan.Protocol
		to       netip.AddrPort
	}
	leading := make(map[target]plan.Rule, len(split))
	for _, r := range split {
		to := target{r.Protocol, r.To}
		if other, twice := leading[to]; twice {
			return nil, fmt.Errorf("%w: %s and %s lead to the same port, and by %s each port of a machine has one port outside",
				providers.ErrUnsupported, other, r, g.dialect.name())
		}
		leading[to] = r
	}
	return split, nil
}

// Identity is the router's address; empty: it is not known yet.
func (g *portctlGateway) Identity() string {
	server, err := g.find()
	if err != nil {
		return ""
	}
	return server.String()
}

// find gives the server's address and port.
func (g *portctlGateway) find() (netip.AddrPort, error) {
	if g.server.IsValid() {
		return g.server, nil
	}
	gateway, err := g.gateway()
	if err != nil {
		return netip.AddrPort{}, providers.Flag(fmt.Errorf("%w. Set address in the block to the router's address on the LAN", err), providers.ErrUnreachable)
	}
	return portctl.Server(gateway), nil
}

// Close has nothing to end: sockets are open only while a request is.
func (g *portctlGateway) Close() error { return nil }

// Read gives the mappings that are known from the memory and that the router
// can't have forgotten.
func (g *portctlGateway) Read(ctx context.Context) (*providers.Reading, error) {
	server, err := g.find()
	if err != nil {
		return nil, err
	}
	state := &portctlState{client: g.client}
	state.client.Server = server
	state.sight, err = g.dialect.look(ctx, state.client)
	if err != nil {
		return nil, g.explain(err, server.Addr(), nil)
	}
	now := g.now()
	state.remember(g.load().router(server.Addr()), now)
	g.seen = state
	return g.reading(now), nil
}

// remember takes from the note what the router can still hold.
func (s *portctlState) remember(noted routerNote, now time.Time) {
	s.noted, s.note = noted, noted
	s.note.Mappings = nil
	lost := noted.lostUntil(portctl.Sighting{Epoch: s.Epoch, At: now})
	for _, m := range noted.Mappings {
		switch {
		case m.left(now) < time.Second:
			s.over++
		case !m.At.After(lost):
			s.forgotten++
		default:
			s.note.Mappings = append(s.note.Mappings, m)
		}
	}
	if s.outside.IsValid() {
		s.note.Outside = s.outside
	}
}

// load gives the note in the memory. Without one, and if the memory fails,
// which its owner tells the user, nothing is known.
func (g *portctlGateway) load() portctlNote {
	var n portctlNote
	if g.memory.Load(&n) != nil {
		return portctlNote{}
	}
	return n
}

// reading makes a Reading of what was seen.
func (g *portctlGateway) reading(now time.Time) *providers.Reading {
	state := g.seen
	r := &providers.Reading{Problems: append(state.problems, doubleNAT(state.note.Outside)...)}
	shortest := g.lease
	for _, m := range state.note.Mappings {
		left := m.left(now)
		if m.asked() == g.lease {
			shortest = min(shortest, m.granted())
		}
		live := plan.Live{
			Rule: m.rule(), Device: g.addr,
			Handle:  fmt.Sprintf("%s mapping of %s %d on %s", g.dialect.name(), m.Protocol, m.Port, state.client.Server.Addr()),
			Expires: uint32(left / time.Second),
			Renew:   renewal(left, m.granted()),
		}
		if m.Project == g.project {
			live.Owner, _ = plan.ParseAddr(m.Owner) // it was valid
		} else {
			live.Project = m.Project
		}
		r.Rules = append(r.Rules, live)
	}
	r.Problems = append(r.Problems, g.losses(state.forgotten, state.over)...)
	if shortest < g.lease {
		r.Problems = append(r.Problems, providers.Problem{
			Summary: "The router grants shorter leases",
			Detail:  fmt.Sprintf("It was asked for %s and grants %s, after which a port is shut. btplan apply -renew has to run at least every %s.", leaseText(g.lease), leaseText(shortest), leaseText(shortest/2)),
			OfRules: true,
		})
	}
	return r
}

// losses tells of mappings that were made and are there no more.
func (g *portctlGateway) losses(forgotten, over int) []providers.Problem {
	var out []providers.Problem
	if forgotten > 0 {
		out = append(out, providers.Problem{
			Summary: "The router has forgotten its mappings",
			Detail:  fmt.Sprintf("Its %s clock does not go on from where it was: it was restarted, or has got another address on the outside, and %s that btplan had made are gone. Apply makes them again.", g.dialect.name(), countMappings(forgotten)),
		})
	}
	if over > 0 {
		out = append(out, providers.Problem{
			Summary: "Leases are over",
			Detail:  fmt.Sprintf("The lease of %s was not renewed in time. Run btplan apply -renew from cron or a systemd timer, more than twice in the time of a lease.", countMappings(over)),
		})
	}
	return out
}

// countMappings is a number of mappings.
func countMappings(n int) string {
	if n == 1 {
		return "1 mapping"
	}
	return fmt.Sprintf("%d mappings", n)
}
