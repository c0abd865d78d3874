package router

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// NATPMP is the gateway type "natpmp": a router with the NAT Port Mapping
// Protocol (RFC 6886). It maps ports to the computer that asks, so btplan has
// to run on the machine that the ports are for.
//
//	gateway "natpmp" "home" {
//	  address = "192.168.1.1" # default: the gateway of the default route
//	  lease   = "2h"
//	}
func NATPMP() providers.Type {
	return providers.Type{
		Name:     "natpmp",
		Spec:     portctlSpec(checkAddress),
		Discover: discoverPortctl(natpmp{}, "natpmp"),
		Open:     func(s providers.Settings) (providers.Device, error) { return openPortctl(natpmp{}, s) },
	}
}

type natpmp struct{}

func (natpmp) name() string { return "NAT-PMP" }

func (natpmp) sibling() (uint8, string) { return 2, "pcp" }

func (natpmp) supports(rule plan.Rule) error {
	if rule.To.Addr().Is6() {
		return errors.New("NAT-PMP is for IPv4 only. A gateway of type pcp can open ports of IPv6 addresses")
	}
	return nil
}

func (natpmp) look(ctx context.Context, c portctl.Client) (sight, error) {
	outside, seen, err := portctl.NATPMP{Client: c}.Address(ctx)
	s := sight{Seen: seen, outside: outside}
	var refused *portctl.ResultError
	switch {
	case errors.As(err, &refused) && refused.Result == portctl.NetworkFailure:
		// The router's clock, and so what it has kept, is known all the same.
		s.problems, err = []providers.Problem{noOutside}, nil
	case err == nil && outside.IsUnspecified():
		s.outside, s.problems = netip.Addr{}, []providers.Problem{noOutside}
	}
	return s, err
}

// noOutside: the router says that it has no way out.
var noOutside = providers.Problem{
	Summary: "The router has no address on the outside",
	Detail:  "It says so itself: its connection to the Internet is down, or what it has there is no public address, which some routers do not serve. Nothing can be reached from the Internet until that is mended.",
	OfRules: true,
}

func (natpmp) mine(rule plan.Rule, local netip.Addr) error {
	to := rule.To.Addr()
	if to == local {
		return nil
	}
	return providers.Flag(fmt.Errorf("NAT-PMP maps ports only to the computer that asks, which is %s here, and not to %s. Run btplan on that machine, or take a gateway of type pcp, or of type upnp with via",
		local, to), providers.ErrUnsupported)
}

func (natpmp) open(ctx context.Context, c portctl.Client, a asked) (portctl.Granted, portctl.Seen, error) {
	return portctl.NATPMP{Client: c}.Map(ctx, transport(a.rule), a.rule.To.Port(), a.rule.Ports.First, a.lease)
}

func (natpmp) shut(ctx context.Context, c portctl.Client, a asked) (portctl.Seen, error) {
	seen, err := portctl.NATPMP{Client: c}.Delete(ctx, transport(a.rule), a.rule.To.Port())
	// Old miniupnpd has this for a mapping that is not there. RFC 6886, section
	// 3.4, has it for one that was made by hand: not ours any more either.
	if refusedAs(err, portctl.NotAuthorized) {
		err = nil
	}
	return seen, err
}

// transport is the protocol of a rule.
func transport(rule plan.Rule) portctl.Protocol {
	if rule.Protocol == plan.UDP {
		return portctl.UDP
	}
	return portctl.TCP
}

// refusedAs says whether err is a refusal with one of these results.
func refusedAs(err error, results ...portctl.Result) bool {
	var refused *portctl.ResultError
	if !errors.As(err, &refused) {
		return false
	}
	for _, r := range results {
		if refused.Result == r {
			return true
		}
	}
	return false
}
