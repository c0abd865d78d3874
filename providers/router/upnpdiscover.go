package router

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/providers"
)

// discoverUPnP finds the UPnP routers on the networks of this computer.
func discoverUPnP(ctx context.Context, o providers.DiscoverOptions) ([]providers.Found, error) {
	routers, _, err := (&igd.Finder{Interface: o.Interface}).Find(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]providers.Found, len(routers))
	var asking sync.WaitGroup
	for i, r := range routers {
		asking.Go(func() { found[i] = foundUPnP(ctx, r) })
	}
	asking.Wait()
	return found, ctx.Err()
}

// foundUPnP tells of one router, as far as it answers.
func foundUPnP(ctx context.Context, r *igd.Router) providers.Found {
	f := providers.Found{
		Type: "upnp", Maker: r.Manufacturer, Model: r.ModelName, UDN: r.UDN,
		Address: r.Addr.Addr(), From: localTo(ctx, r.Addr), URL: r.Location, Mappings: -1,
	}
	for _, s := range r.Services {
		f.Services = append(f.Services, shortService(s.Type))
	}
	conn, err := r.Connect(ctx)
	if err != nil {
		f.Notes = append(f.Notes, fmt.Sprintf("It describes itself, but answers no more: %v.", err))
		return f
	}
	f.WAN, err = conn.ExternalAddress(ctx)
	switch {
	case isOutsideNone(err):
		f.Notes = append(f.Notes, notes(noPublicAddress)...)
	case err != nil:
		f.Notes = append(f.Notes, fmt.Sprintf("Its outside address is not known: %v.", err))
	}
	f.Notes = append(f.Notes, notes(doubleNAT(f.WAN)...)...)
	list, err := conn.List(ctx)
	if err != nil {
		f.Notes = append(f.Notes, fmt.Sprintf("Its mappings can't be listed: %v.", err))
		return f
	}
	f.Mappings = len(list)
	return f
}

// notes are problems as what is found tells them.
func notes(problems ...providers.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Summary+": "+p.Detail)
	}
	return out
}

// localTo is this computer's address on the way to another; zero: not known.
func localTo(ctx context.Context, to netip.AddrPort) netip.Addr {
	// A socket of UDP that is connected knows its address, and sends nothing.
	conn, err := new(net.Dialer).DialContext(ctx, "udp", to.String())
	if err != nil {
		return netip.Addr{}
	}
	defer func() { _ = conn.Close() }() // nothing was sent
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return local.Addr().Unmap()
}

// shortService is a service's type without what all of them begin with.
func shortService(urn string) string {
	_, short, found := strings.Cut(urn, ":service:")
	if !found {
		return urn
	}
	return short
}
