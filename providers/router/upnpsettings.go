package router

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// What the lease of a mapping by UPnP may be. It is asked for in seconds, as
// an unsigned number of 32 bits (WANIPConnection:1, 2.4.16).
const (
	minUPnPLease = time.Minute
	maxUPnPLease = math.MaxUint32 * time.Second
)

// upnpSpec is what a gateway block of type "upnp" may hold.
func upnpSpec() hcldec.ObjectSpec {
	spec := hcldec.ObjectSpec{}
	for name, check := range map[string]func(string) error{
		"address":   checkAddress,
		"url":       checkURL,
		"udn":       checkUDN,
		"lease":     checkLease,
		"interface": checkInterface,
	} {
		spec[name] = &hcldec.ValidateSpec{
			Wrapped: &hcldec.AttrSpec{Name: name, Type: cty.String},
			Func:    validate(name, check),
		}
	}
	return spec
}

// validate makes of what check says of an attribute a diagnostic.
func validate(name string, check func(string) error) func(cty.Value) hcl.Diagnostics {
	return func(v cty.Value) hcl.Diagnostics {
		v, _ = v.Unmark()
		if !v.IsKnown() || v.IsNull() {
			return nil
		}
		if err := check(v.AsString()); err != nil {
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "Invalid " + name,
				Detail:   err.Error() + ".",
			}}
		}
		return nil
	}
}

func checkAddress(s string) error {
	a, err := netip.ParseAddr(s)
	switch {
	case err != nil || !a.Is4():
		return fmt.Errorf("address is the router's IPv4 address on the LAN, such as \"192.168.1.1\", not %q", s)
	case a.IsUnspecified(), a.IsMulticast(), a.IsLoopback(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%q is not the address of a router", s)
	}
	return nil
}

func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" || u.Host == "" || u.User != nil {
		return fmt.Errorf("url is where the router describes itself, such as \"http://192.168.1.1:5000/rootDesc.xml\", not %q", s)
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		return fmt.Errorf("%q has a name where the router's IP address should be: many routers answer only to that", s)
	}
	return nil
}

func checkUDN(s string) error {
	id := strings.TrimPrefix(s, "uuid:")
	if id == "" || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("udn is the router's Unique Device Name, such as \"uuid:6bf54d2c-3c7d-4b0f-9c3a-77a1c0de0001\", not %q: btplan discover prints it", s)
	}
	return nil
}

func checkInterface(s string) error {
	// The kernel's limit is 15 bytes; Windows has names with blanks.
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '/' }) {
		return fmt.Errorf("interface is the network interface to search on, such as \"eth0\", not %q", s)
	}
	return nil
}

func checkLease(s string) error {
	lease, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return fmt.Errorf("lease is for how long the router keeps a mapping, such as \"168h\", or \"0s\" for good, not %q", s)
	case lease == 0:
		return nil
	case lease < minUPnPLease || lease > maxUPnPLease || lease%time.Second != 0:
		return fmt.Errorf("a lease is \"0s\", for good, or a number of whole seconds from %s to %s, not %q", leaseText(minUPnPLease), leaseText(maxUPnPLease), s)
	}
	return nil
}

// place says which router is meant. What is not given may be anything.
type place struct {
	address netip.Addr
	url     string
	udn     string // with "uuid:" in front
	iface   string
}

func parsePlace(body cty.Value) place {
	p := place{url: text(body, "url"), udn: text(body, "udn"), iface: text(body, "interface")}
	if a := text(body, "address"); a != "" {
		p.address = netip.MustParseAddr(a)
	}
	if p.udn != "" {
		p.udn = "uuid:" + strings.TrimPrefix(p.udn, "uuid:")
	}
	return p
}

// String names the place by the first that tells it from others.
func (p place) String() string {
	switch {
	case p.address.IsValid():
		return p.address.String()
	case p.url != "":
		if u, err := url.Parse(p.url); err == nil {
			return u.Hostname()
		}
		return p.url
	case p.udn != "":
		return p.udn
	case p.iface != "":
		return "the router on " + p.iface
	}
	return "the router"
}

func parseLease(body cty.Value) time.Duration {
	s := text(body, "lease")
	if s == "" {
		return 0
	}
	lease, err := time.ParseDuration(s)
	if err != nil {
		panic("an unchecked lease: " + err.Error())
	}
	return lease
}

// text is an attribute that was checked; "" if it isn't given.
func text(body cty.Value, name string) string {
	v, _ := body.GetAttr(name).Unmark()
	if v.IsNull() {
		return ""
	}
	return v.AsString()
}
