package router

import (
	"fmt"
	"net/netip"

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
	}}
}
