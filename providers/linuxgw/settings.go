package linuxgw

import (
	"fmt"
	"regexp"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// interfaceName is what can name a network interface: dev_valid_name() of the
// kernel, less the characters that would mean something to nft.
var interfaceName = regexp.MustCompile(`^[A-Za-z0-9_.:@+-]{1,15}$`)

func checkInterface(v cty.Value) hcl.Diagnostics {
	if v.IsNull() || !v.IsKnown() || interfaceName.MatchString(v.AsString()) {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Invalid interface name",
		Detail:   fmt.Sprintf("wan_interface is the name of the network interface towards the Internet, such as ppp0: at most 15 letters, digits and any of _.:@+-, not %q.", v.AsString()),
	}}
}

// parseBackend reads the attribute backend: which packet filter is to hold the
// rules.
func parseBackend(v cty.Value) netfilter.Choice {
	if v.IsNull() || !v.IsKnown() {
		return netfilter.Auto
	}
	return netfilter.Choice(v.AsString())
}

func checkBackend(v cty.Value) hcl.Diagnostics {
	switch b := parseBackend(v); b {
	case netfilter.Auto, netfilter.Nftables, netfilter.Iptables:
		return nil
	default:
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Invalid backend",
			Detail:   fmt.Sprintf("backend says which packet filter of the gateway is to hold the rules: \"nftables\", \"iptables\", or \"auto\" for the one that is there. Not %q.", string(b)),
		}}
	}
}
