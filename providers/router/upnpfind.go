package router

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/btplan/btplan/internal/igd"
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
		if err != nil {
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
	if err != nil {
		return nil, providers.Flag(fmt.Errorf("no router can be searched for: %w", err), providers.ErrUnreachable)
	}
	switch len(routers) {
	case 0:
		return nil, providers.Flag(d.notFound(notes), providers.ErrUnreachable)
	case 1:
		return routers[0], nil
	}
	return nil, several(routers)
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
	return providers.Flag(fmt.Errorf("the router at %s has the UDN %s, not %s as the block says. If it was replaced, set udn to the new one", r.Addr.Addr(), igd.Printable(r.UDN), d.where.udn), providers.ErrUnreachable)
}

// notFound says that no router answered, and what answered instead.
func (d *upnp) notFound(notes []error) error {
	var b strings.Builder
	switch {
	case d.where.address.IsValid():
		fmt.Fprintf(&b, "no UPnP router answers at %s", d.where.address)
	case d.where.udn != "":
		fmt.Fprintf(&b, "no UPnP router with the UDN %s answers", d.where.udn)
	default:
		b.WriteString("no UPnP router answers on the networks of this computer")
	}
	for _, n := range notes {
		fmt.Fprintf(&b, "; %v", n)
	}
	b.WriteString(". Is UPnP switched on? It is a setting of the router, often among those about NAT or games.")
	if d.dial != nil {
		b.WriteString(" A search goes out from this computer also where via says from where to talk to the router. If the two are not on one network, set url to where the router describes itself: on that machine, `upnpc -l` prints it as desc")
		return errors.New(b.String())
	}
	b.WriteString(" A firewall on this computer may drop the answers: they come as UDP from any port. btplan discover shows what answers")
	return errors.New(b.String())
}

// several lists routers of which none was named.
func several(routers []*igd.Router) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d routers answer, and the block doesn't say which of them is meant. Set its address, or its udn:", len(routers))
	for _, r := range routers {
		fmt.Fprintf(&b, "\n  address = %q  # %s, udn = %q", r.Addr.Addr(), named(r), igd.Printable(r.UDN))
	}
	return errors.New(b.String())
}

// named is what a router calls itself, fit for a terminal.
func named(r *igd.Router) string {
	var words []string
	for _, w := range []string{r.Manufacturer, r.ModelName, r.ModelNumber} {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, igd.Printable(w))
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
