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

// explain says what to do about an error of the router at addr, which has come
// of asking about a rule, or of a look at it (nil).
func (g *portctlGateway) explain(err error, addr netip.Addr, rule *plan.Rule) error {
	var refused *portctl.ResultError
	switch {
	case errors.As(err, &refused):
		return g.explainRefusal(refused, rule)
	case errors.Is(err, portctl.ErrNoAnswer):
		err = fmt.Errorf("%w. Is %s the router, and is %s turned on there? Routers often have it under the name of UPnP", err, addr, g.dialect.name())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return providers.Flag(err, providers.ErrUnreachable)
}

// explainRefusal says what a router's refusal means, and what to do.
func (g *portctlGateway) explainRefusal(r *portctl.ResultError, rule *plan.Rule) error {
	what, do := "", g.remedy(r, rule)
	if rule != nil {
		what = "mapping " + rule.String() + ": "
	}
	if r.Lifetime > 0 && rule != nil {
		do += fmt.Sprintf(" The router says that this holds for %s.", leaseText(r.Lifetime))
	}
	err := fmt.Errorf("%s%w. %s", what, r, do)
	switch r.Result {
	case portctl.UnsupportedVersion, portctl.UnsupportedOpcode, portctl.UnsupportedOption, portctl.UnsupportedProtocol:
		return providers.Flag(err, providers.ErrUnsupported)
	}
	return err
}

func (g *portctlGateway) remedy(r *portctl.ResultError, rule *plan.Rule) string {
	third := rule != nil && rule.To.Addr() != r.Local
	switch r.Result {
	case portctl.UnsupportedVersion:
		return g.otherType(r.Speaks)
	case portctl.UnsupportedOption, portctl.MalformedOption, portctl.ExcessiveRemotePeers:
		if third {
			return thirdParty(rule)
		}
		return "It does not know what btplan needs of this protocol: take a gateway of another type, such as upnp."
	case portctl.NotAuthorized:
		return g.notAuthorized(rule, third)
	case portctl.NetworkFailure:
		return "Its connection to the Internet is down, or it has no public address there."
	case portctl.NoResources:
		return "Its table of mappings is full, or holds no more for this computer. Remove mappings on the router, or ask for fewer ports."
	case portctl.UserExceededQuota:
		return "This computer has as many mappings as the router allows one. Ask for fewer ports, or raise the limit on the router."
	case portctl.CannotProvideExternal:
		return "The port outside is taken, by someone else's mapping or by the router itself, or the router's rules forbid it. Free it on the router, or choose another in wan_ports."
	case portctl.AddressMismatch:
		return "Something between this computer and the router changes addresses: another router, a VPN or a container's network. Run btplan on a computer that is on the router's own network, and see that address is that router's."
	default:
		return fmt.Sprintf("Restart the router, or see its maker about its %s.", g.dialect.name())
	}
}

// otherType says which type of gateway fits a router that speaks this version.
func (g *portctlGateway) otherType(speaks uint8) string {
	if version, typeName := g.dialect.sibling(); speaks == version {
		return fmt.Sprintf("It does not speak %s, but its sibling: write gateway %q.", g.dialect.name(), typeName)
	}
	return "Take a gateway of type upnp."
}

// thirdParty is what to do where mapping to another machine is refused.
func thirdParty(rule *plan.Rule) string {
	return fmt.Sprintf("It lets no computer open ports of another one, which %s is for this one (option THIRD_PARTY). Allow that on the router (in miniupnpd.conf: pcp_allow_thirdparty=yes), run btplan on that machine, or take a gateway of type upnp with via.", rule.To.Addr())
}

func (g *portctlGateway) notAuthorized(rule *plan.Rule, third bool) string {
	off := fmt.Sprintf("Turn %s on on the router, and allow it for this computer.", g.dialect.name())
	if rule == nil || g.dialect.name() != (pcp{}).name() {
		return off
	}
	s := fmt.Sprintf("Either it has a mapping for this port of the machine that was made with another nonce: by another program, or by btplan with a memory (.btplan/memory.json) that was lost. Then it has to be deleted on the router, or waited for until its lease ends, which is in %s at most if btplan made it with the lease of now. Or it does not allow it: %s", leaseText(g.lease), off)
	if third {
		s += " " + thirdParty(rule)
	}
	return s
}
