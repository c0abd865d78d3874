package router

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/providers"
)

// sharedSpace is for carriers that put NAT before their customers (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// doubleNAT tells of a router whose address towards the Internet is not one of
// the Internet: another NAT is before it, and lets nothing in. An address that
// is not known tells nothing.
func doubleNAT(outside netip.Addr) []providers.Problem {
	var who, what string
	switch {
	case !outside.IsValid():
		return nil
	case sharedSpace.Contains(outside):
		who = "a shared one, as Internet providers give out behind a NAT of their own (carrier-grade NAT, RFC 6598)"
		what = "Ask the provider for a public address"
	case outside.IsPrivate(), outside.IsLinkLocalUnicast(), outside.IsLoopback():
		who = "a private one, so there is another router before it"
		what = "Forward the ports on that one too, to this router, or have it pass everything on (bridge mode)"
	default:
		return nil
	}
	return []providers.Problem{{
		Summary: "Double NAT",
		Detail:  fmt.Sprintf("The router's own address on the outside is %s: %s. What is mapped here can't be reached from the Internet. %s.", outside, who, what),
		OfRules: true,
	}}
}

// noPublicAddress tells of a router that has no address of its own to tell.
var noPublicAddress = providers.Problem{
	Summary: "The router has no public address",
	Detail:  "It says that it has no address on the Internet: either its connection is down, or its own address is a private one, with another router or the provider's NAT before it (double NAT). Such a router often refuses all mappings. Look at the address on its status page. If it is one of 10.x, 172.16-31.x, 192.168.x or 100.64-127.x, forward the ports on the router before it too, have that one pass everything on (bridge mode), or ask the provider for a public address.",
	OfRules: true,
}

// isOutsideNone says whether this is how a router by UPnP says that it has no
// address there. miniupnpd, on a private network itself, fails.
func isOutsideNone(err error) bool {
	var fault *igd.Fault
	return errors.Is(err, igd.ErrNoExternalAddress) || errors.As(err, &fault) && fault.Code == igd.ActionFailed
}
