package router

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// What the lease of a mapping by NAT-PMP or PCP may be.
const (
	// RFC 6886, section 3.3: the recommended lifetime.
	defaultPortctlLease = 2 * time.Hour
	// RFC 6887, section 15: servers need not grant less.
	minPortctlLease = 2 * time.Minute
	maxPortctlLease = 365 * 24 * time.Hour
)

// portctlSpec is what a gateway block of type "natpmp" or "pcp" may hold.
func portctlSpec(address func(string) error) hcldec.ObjectSpec {
	spec := hcldec.ObjectSpec{}
	for name, check := range map[string]func(string) error{
		"address": address,
		"lease":   checkPortctlLease,
	} {
		spec[name] = &hcldec.ValidateSpec{
			Wrapped: &hcldec.AttrSpec{Name: name, Type: cty.String},
			Func:    validate(name, check),
		}
	}
	return spec
}

// checkPCPAddress allows IPv6 too: PCP may be spoken over either.
func checkPCPAddress(s string) error {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return fmt.Errorf("address is the router's IP address on the LAN, such as \"192.168.1.1\", not %q. Without it, it is the gateway of this computer's default route", s)
	case a.Is4In6():
		return fmt.Errorf("%q is an IPv4 address in IPv6 notation: write %s", s, a.Unmap())
	case a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%q is not the address of a router", s)
	}
	return nil
}

func checkPortctlLease(s string) error {
	lease, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return fmt.Errorf("lease is for how long the router is asked to keep a mapping, such as \"2h\", not %q", s)
	case lease == 0:
		return fmt.Errorf("in NAT-PMP and PCP, a lease of 0 means to delete the mapping, and none is for good. Take a long one, such as \"168h\", and let btplan apply -renew run more than twice in that time")
	case lease < minPortctlLease || lease > maxPortctlLease || lease%time.Second != 0:
		return fmt.Errorf("a lease is a number of whole seconds from %s to %s, not %q", leaseText(minPortctlLease), leaseText(maxPortctlLease), s)
	}
	return nil
}

// parsePortctl reads what the block holds. No address: none is given.
func parsePortctl(body cty.Value) (address netip.Addr, lease time.Duration) {
	if s := text(body, "address"); s != "" {
		address = netip.MustParseAddr(s)
	}
	lease = defaultPortctlLease
	if s := text(body, "lease"); s != "" {
		var err error
		if lease, err = time.ParseDuration(s); err != nil {
			panic("an unchecked lease: " + err.Error())
		}
	}
	return address, lease
}
