package linuxgw

import (
	"fmt"
	"regexp"
	"time"

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

// How long a gateway waits for a change to be claimed.
const (
	defaultRevertAfter = 30 * time.Second
	minRevertAfter     = 5 * time.Second // a dial and an exec over a slow line
	maxRevertAfter     = time.Hour
)

// parseRevertAfter reads the attribute revert_after.
func parseRevertAfter(v cty.Value) (time.Duration, error) {
	if v.IsNull() || !v.IsKnown() {
		return defaultRevertAfter, nil
	}
	d, err := time.ParseDuration(v.AsString())
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration", v.AsString())
	}
	if d != 0 && (d < minRevertAfter || d > maxRevertAfter) {
		return 0, fmt.Errorf("%s is not between %s and %s", d, minRevertAfter, maxRevertAfter)
	}
	return d, nil
}

func checkRevertAfter(v cty.Value) hcl.Diagnostics {
	if _, err := parseRevertAfter(v); err != nil {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Invalid revert_after",
			Detail:   fmt.Sprintf("revert_after is how long the gateway waits for a sign that it can still be reached, before it takes a change back: a duration such as \"30s\", or \"0s\" for no such protection. But %s.", err),
		}}
	}
	return nil
}

// backend is the attribute backend: which packet filter is to hold the rules.
type backend string

const (
	auto         backend = "auto"
	withNftables backend = "nftables"
	withIptables backend = "iptables"
)

func parseBackend(v cty.Value) backend {
	if v.IsNull() || !v.IsKnown() {
		return auto
	}
	return backend(v.AsString())
}

func checkBackend(v cty.Value) hcl.Diagnostics {
	switch b := parseBackend(v); b {
	case auto, withNftables, withIptables:
		return nil
	default:
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Invalid backend",
			Detail:   fmt.Sprintf("backend says which packet filter of the gateway is to hold the rules: \"nftables\", \"iptables\", or \"auto\" for the one that is there. Not %q.", string(b)),
		}}
	}
}
