package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/internal/plain"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/providers"
)

// finder looks for the router where the block says that it is.
func (d *upnp) finder() *igd.Finder {
	return &igd.Finder{
		Interface:     d.where.iface,
		Gateway:       d.where.address,
		UDN:           d.where.udn,
		Dial:          d.dial,
		AllowLoopback: d.loopback,
	}
}

// find gives the router's connection to the Internet.
func (d *upnp) find(ctx context.Context) (*igd.Connection, error) {
	router, err := d.router(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := router.Connect(ctx)
	if err != nil {
		return nil, explain(err)
	}
	return conn, nil
}

// router finds the router: by its URL, where it was last if that is where it
// has to be, or by a search.
func (d *upnp) router(ctx context.Context) (*igd.Router, error) {
	f := d.finder()
	if d.where.url != "" {
		router, err := f.Fetch(ctx, d.where.url)
		switch {
		case noWay(err):
			return nil, providers.Flag(err, providers.ErrUnreachable)
		case err != nil:
			return nil, providers.Flag(fmt.Errorf("%w. A router may describe itself at another port after each of its restarts: if it has UPnP switched on, give its address in place of the url", err), providers.ErrUnreachable)
		}
		return router, d.checkUDN(router)
	}
	if d.sameAddress(d.note.Location) {
		if router, err := f.Fetch(ctx, d.note.Location); err == nil && router.UDN == d.note.UDN && d.checkUDN(router) == nil {
			return router, nil
		}
	}
	routers, notes, err := f.Find(ctx)
	switch {
	case err != nil:
		return nil, providers.Flag(fmt.Errorf("no router can be searched for: %w", err), providers.ErrUnreachable)
	case len(routers) == 0 && len(notes) == 0 && d.dial != nil:
		return d.guess(ctx, f)
	case len(routers) == 0:
		return nil, providers.Flag(d.notFound(notes), providers.ErrUnreachable)
	case len(routers) > 1:
		return nil, several(routers)
	}
	return routers[0], nil
}

// usual is where routers describe themselves that always do so at one place:
// miniupnpd as OpenWrt sets it up, and in pfSense; FRITZ!Box; and what is built
// on libupnp, or takes the port of SSDP.
var usual = []string{":5000/rootDesc.xml", ":2189/rootDesc.xml", ":49000/igddesc.xml", ":49152/gatedesc.xml", ":49152/rootDesc.xml", ":1900/rootDesc.xml"}

// guess asks for the router's description at the usual places. It is for via:
// a search goes out from this computer, which need not be on the router's
// network, and a machine has nothing to make one with.
func (d *upnp) guess(ctx context.Context, f *igd.Finder) (*igd.Router, error) {
	routers, errs := make([]*igd.Router, len(usual)), make([]error, len(usual))
	var asking sync.WaitGroup
	for i, place := range usual {
		asking.Go(func() { routers[i], errs[i] = f.Fetch(ctx, "http://"+d.where.address.String()+place) })
	}
	asking.Wait()
	for i, router := range routers {
		switch {
		case router != nil:
			return router, d.checkUDN(router)
		case noWay(errs[i]):
			return nil, providers.Flag(errs[i], providers.ErrUnreachable)
		}
	}
	return nil, providers.Flag(fmt.Errorf("no UPnP router is found at %s: a search from this computer has no answer, and the machine that via names (%s) finds no description at the usual places. Is UPnP switched on in the router? If it is, set url to where it describes itself: on that machine, `upnpc -l` prints it as desc", d.where.address, d.via), providers.ErrUnreachable)
}

// noWay says whether an error is of the machine that via names: it can't be
// reached, or lets no connection be made from it.
func noWay(err error) bool {
	var unreachable *remote.UnreachableError
	var refused *remote.DialError
	return errors.As(err, &unreachable) || errors.As(err, &refused) && refused.Forbidden
}

// sameAddress says whether a URL is at the address at which the router has to
// be, so that what is there can be no other router.
func (d *upnp) sameAddress(location string) bool {
	if !d.where.address.IsValid() || location == "" {
		return false
	}
	u, err := url.Parse(location)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr == d.where.address
}

// checkUDN holds a router to the configured UDN.
func (d *upnp) checkUDN(r *igd.Router) error {
	if d.where.udn == "" || r.UDN == d.where.udn {
		return nil
	}
	return providers.Flag(fmt.Errorf("the router at %s has the UDN %s, not %s as the block says. If it was replaced, set udn to the new one", r.Addr.Addr(), plain.Line(r.UDN), d.where.udn), providers.ErrUnreachable)
}

// notFound says that no router was found, and what answered instead. What
// answers at a given address is what was sought: then that is all.
func (d *upnp) notFound(notes []error) error {
	var b strings.Builder
	const off = ". Is UPnP switched on? It is a setting of the router, often among those about NAT or games. A firewall on this computer may drop the answers: they come as UDP from any port. btplan discover shows what answers"
	switch address := d.where.address; {
	case address.IsValid() && len(notes) > 0:
		return errors.Join(notes...)
	case address.IsValid() && !onLink(address):
		return fmt.Errorf("no UPnP router answers at %s, which is on none of this computer's networks. Is it the router's address on the LAN? btplan discover shows the routers that answer here. If it is elsewhere, via = machine.NAME has a machine there ask it", address)
	case address.IsValid():
		return fmt.Errorf("no UPnP router answers at %s%s", address, off)
	case d.where.udn != "":
		fmt.Fprintf(&b, "no UPnP router with the UDN %s answers", d.where.udn)
	default:
		b.WriteString("no UPnP router answers on the networks of this computer")
	}
	for _, n := range notes {
		fmt.Fprintf(&b, "; %v", n)
	}
	return errors.New(b.String() + off)
}

// onLink says whether an address is on one of this computer's networks. Where
// that is not known, it may be.
func onLink(a netip.Addr) bool {
	addrs, err := net.InterfaceAddrs()
	return err != nil || anyHolds(addrs, a)
}

// anyHolds says whether an address is on one of some networks.
func anyHolds(networks []net.Addr, a netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n net.Addr) bool {
		network, err := netip.ParsePrefix(n.String())
		return err == nil && network.Contains(a)
	})
}

// several lists routers of which none was named.
func several(routers []*igd.Router) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d routers answer, and the block doesn't say which of them is meant:\n", len(routers))
	for _, r := range routers {
		fmt.Fprintf(&b, "  address = %q  # %s, udn = %q\n", r.Addr.Addr(), named(r), plain.Line(r.UDN))
	}
	b.WriteString("Write the address of one of them into the block, or its udn")
	return errors.New(b.String())
}

// named is what a router calls itself, fit for a terminal.
func named(r *igd.Router) string {
	var words []string
	maker := strings.TrimSpace(r.Manufacturer)
	if strings.HasPrefix(r.ModelName, maker) {
		maker = "" // "Debian", "Debian router"
	}
	for _, w := range []string{maker, r.ModelName, r.ModelNumber} {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, plain.Line(w))
		}
	}
	if len(words) == 0 {
		return "a router without a name"
	}
	return strings.Join(words, " ")
}

// explain says of an error that came in place of an answer whether the router
// can't be reached.
func explain(err error) error {
	if errors.Is(err, igd.ErrUnanswered) {
		return providers.Flag(err, providers.ErrUnreachable)
	}
	return err
}
