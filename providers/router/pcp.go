package router

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// PCP is the gateway type "pcp": a router with the Port Control Protocol (RFC
// 6887). It maps ports to other machines than this one too, where the router
// allows the option THIRD_PARTY, and opens ports of IPv6 addresses.
//
//	gateway "pcp" "home" {
//	  address = "192.168.1.1" # default: the gateway of the default route
//	  lease   = "2h"
//	}
func PCP() providers.Type {
	return providers.Type{
		Name:     "pcp",
		Spec:     portctlSpec(checkPCPAddress),
		Discover: discoverPortctl(pcp{}, "pcp"),
		Open:     func(s providers.Settings) (providers.Device, error) { return openPortctl(pcp{}, s) },
	}
}

type pcp struct{}

func (pcp) name() string { return "PCP" }

func (pcp) sibling() (uint8, string) { return 0, "natpmp" }

func (pcp) supports(rule plan.Rule) error {
	if rule.To.Addr().Is6() && rule.To.Port() != rule.Ports.First {
		return fmt.Errorf("%s has other ports outside than on the machine, but IPv6 has no NAT that could change them. Leave out wan_ports, or the machine's IPv6 address", rule)
	}
	return nil
}

// look learns the clock; the outside address comes only with mappings.
func (pcp) look(ctx context.Context, c portctl.Client) (sight, error) {
	seen, err := portctl.PCP{Client: c}.Announce(ctx)
	return sight{Seen: seen}, err
}

func (pcp) mine(plan.Rule, netip.Addr) error { return nil }

func (pcp) open(ctx context.Context, c portctl.Client, a asked) (portctl.Granted, portctl.Seen, error) {
	return portctl.PCP{Client: c}.Map(ctx, a.mapping())
}

func (pcp) shut(ctx context.Context, c portctl.Client, a asked) (portctl.Seen, error) {
	seen, err := portctl.PCP{Client: c}.Delete(ctx, a.mapping())
	// miniupnpd has NO_RESOURCES for a mapping that is not there. With
	// NOT_AUTHORIZED there is one, but not by this nonce (RFC 6887, section
	// 15): not ours any more.
	if refusedAs(err, portctl.NoResources, portctl.NotAuthorized) {
		err = nil
	}
	return seen, err
}

func (a asked) mapping() portctl.Mapping {
	return portctl.Mapping{
		Nonce: a.nonce, Protocol: transport(a.rule), Internal: a.rule.To,
		External: a.rule.Ports.First, Lifetime: a.lease,
	}
}
