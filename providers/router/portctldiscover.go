package router

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/providers"
)

// discoverWaits leaves a router the time that a search by UPnP takes.
var discoverWaits = []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second}

// discoverPortctl asks the gateway of this computer's default route, the only
// router that can be asked by a dialect without being named.
func discoverPortctl(d dialect, typeName string) func(context.Context, providers.DiscoverOptions) ([]providers.Found, error) {
	return func(ctx context.Context, o providers.DiscoverOptions) ([]providers.Found, error) {
		g := &portctlGateway{dialect: d, gateway: portctl.Gateway, client: portctl.Client{Waits: discoverWaits}}
		return g.discover(ctx, typeName, o)
	}
}

// discover finds the router, if it answers. That nothing does, or in another
// protocol, is no error.
func (g *portctlGateway) discover(ctx context.Context, typeName string, o providers.DiscoverOptions) ([]providers.Found, error) {
	server, err := g.find()
	if err != nil || o.Interface != "" && !isOn(o.Interface, server.Addr()) {
		return nil, nil
	}
	client := g.client
	client.Server = server
	s, err := g.dialect.look(ctx, client)
	var refused *portctl.ResultError
	switch {
	case errors.As(err, &refused), errors.Is(err, portctl.ErrNoAnswer):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return []providers.Found{{
		Type: typeName, Address: server.Addr(), From: s.Local, WAN: s.outside, Mappings: -1,
		Notes: notes(append(s.problems, doubleNAT(s.outside)...)...),
	}}, nil
}

// isOn says whether an address is on a network of an interface.
func isOn(name string, a netip.Addr) bool {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return false
	}
	addrs, err := i.Addrs()
	return err == nil && anyHolds(addrs, a)
}
