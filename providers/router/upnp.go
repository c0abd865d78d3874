package router

import (
	"cmp"
	"fmt"
	"net/netip"
	"time"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// UPnP is the gateway type "upnp": a router that is an Internet Gateway Device.
//
// A mapping carries its owner's mark in its description; see [marks].
func UPnP() providers.Type {
	return providers.Type{
		Name:     "upnp",
		Spec:     upnpSpec(),
		Via:      true,
		Discover: discoverUPnP,
		Open:     openUPnP,
	}
}

// upnp is one router that speaks UPnP.
type upnp struct {
	addr   plan.Addr
	memory providers.Memory
	where  place
	lease  time.Duration // asked for; 0: permanent
	via    string        // the machine from which it is asked; empty: from here
	dial   igd.Dial      // to it from there; nil: from here

	configured []plan.Addr // the port ranges
	project    string
	wanted     []plan.Rule // what Shape was asked for

	conn *igd.Connection // nil: not found yet
	last *table          // by the latest Read
	note note
	// unsaved says that the memory didn't take the note: this is all there is.
	unsaved bool
	// udnBefore is the UDN of the router that was changed last; empty: none is
	// known.
	udnBefore string
	// added are the mappings that the latest Apply made, until they were
	// looked for.
	added []port
	// warned says that the user was told that no mapping lasts for good.
	warned bool

	loopback bool // for tests: routers may be on the loopback interface
}

// port is where on a router a mapping is: it has one for each.
type port struct {
	protocol plan.Protocol
	number   uint16
}

func (p port) compare(o port) int {
	return cmp.Or(cmp.Compare(p.protocol, o.protocol), cmp.Compare(p.number, o.number))
}

func (p port) String() string { return fmt.Sprintf("%s %d", p.protocol, p.number) }

func openUPnP(s providers.Settings) (providers.Device, error) {
	d := &upnp{
		addr:       s.Addr,
		memory:     s.Memory,
		project:    s.Project,
		configured: s.Owners,
		where:      parsePlace(s.Body),
		lease:      parseLease(s.Body),
	}
	if s.Via != nil {
		d.via, d.dial = s.Via.Place(), s.Via.DialContext
		if !d.where.address.IsValid() && d.where.url == "" {
			return nil, fmt.Errorf("a router can't be searched for from another machine: with via, the block has to say where the router is, by address or url. On that machine, `ip route show default` prints its address")
		}
	}
	return d, nil
}

// Identity is where the router is looked for, and once it is found, which one
// it is there: blocks can name one in several ways. Some makers give all their
// routers one UDN, so that alone it does not tell.
func (d *upnp) Identity() string {
	id := d.where.String()
	if d.conn != nil {
		id = d.conn.Router.UDN + " at " + d.conn.Router.Addr.Addr().String()
	}
	if d.via != "" {
		id += " from " + d.via
	}
	return id
}

// Close has nothing to end: a connection is as short as a call.
func (d *upnp) Close() error { return nil }

// Shape cuts rules into single ports: that is how a router maps them.
func (d *upnp) Shape(rules []plan.Rule) ([]plan.Rule, error) {
	for _, r := range rules {
		if err := upnpCan(r); err != nil {
			return nil, fmt.Errorf("%w: %w", providers.ErrUnsupported, err)
		}
	}
	shaped := plan.Split(rules)
	d.wanted = append(d.wanted, shaped...)
	return shaped, nil
}

// upnpCan says why a router can't map a rule.
func upnpCan(r plan.Rule) error {
	if err := r.Check(); err != nil {
		return err
	}
	switch to := r.To.Addr(); {
	case r.Kind != plan.Forward:
		return fmt.Errorf("a router forwards, and has no rules of another kind such as %s", r.Kind)
	case !to.Is4():
		return fmt.Errorf("%s is an IPv6 address, and UPnP's mappings are for IPv4: there is no NAT of IPv6, only the router's firewall, which is opened on its own pages. Give the machine an IPv4 address; if it has one, sources = [\"0.0.0.0/0\"] in the port_range asks for that alone", to)
	case to.IsUnspecified(), to.IsMulticast(), to.IsLoopback(), to == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is not the address of a machine behind the router", to)
	case len(r.Sources) > 0:
		return fmt.Errorf("a router maps a port for everyone: whom it lets in can't be chosen by UPnP. Leave sources out, or give the machine a firewall block and name a port_range without gateways that has them")
	}
	return nil
}
