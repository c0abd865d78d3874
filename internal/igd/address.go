package igd

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/btplan/btplan/internal/plain"
)

// maxURL is how long an URL of a router may be, in bytes.
const maxURL = 2048

// ErrAddress is in what Find and Fetch say of an address that a router names
// and that btplan does not connect to.
var ErrAddress = errors.New("not an address of a router on this network")

// checkAddress says why a may not be a router's address; nil if it may.
// Whoever can answer a search could else have this machine send requests to
// its own services, or to those of the cloud's metadata at 169.254.
func checkAddress(a netip.Addr, allowLoopback bool) error {
	a = a.Unmap()
	var kind string
	switch {
	case !a.IsValid() || a.IsUnspecified():
		kind = "is no host's address"
	case a.IsLoopback() && !allowLoopback:
		kind = "is this machine's own"
	case a.IsLinkLocalUnicast():
		kind = "is link-local"
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		kind = "is for more than one host"
	default:
		return nil
	}
	return fmt.Errorf("%s %s: %w", a, kind, ErrAddress)
}

// target is where a router's URL leads once its host is settled.
type target struct {
	addr netip.AddrPort
	path string // with the query
}

func (t target) String() string { return "http://" + t.addr.String() + t.path }

// parseURL takes an absolute http URL apart. host is as it is written.
func parseURL(text string) (host string, t target, err error) {
	if len(text) > maxURL {
		return "", target{}, fmt.Errorf("an URL of %d bytes: at most %d are allowed", len(text), maxURL)
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", target{}, fmt.Errorf("%s is not an URL", plain.Line(text))
	}
	if u.Scheme != "http" || u.Host == "" || u.User != nil {
		return "", target{}, fmt.Errorf("%s is not the URL of a router: expected http://, an IP address and a path", plain.Line(text))
	}
	port := uint64(80)
	if p := u.Port(); p != "" {
		if port, err = strconv.ParseUint(p, 10, 16); err != nil || port == 0 {
			return "", target{}, fmt.Errorf("%s has no port from 1 to 65535", plain.Line(text))
		}
	}
	t.addr = netip.AddrPortFrom(netip.Addr{}, uint16(port))
	t.path = u.RequestURI()
	return u.Hostname(), t, nil
}

// literal is host as an IP address without a zone, if it is one.
func literal(host string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(host)
	return a.Unmap().WithZone(""), err == nil
}

// origin is the one address at which a router is spoken to.
type origin struct {
	addr netip.Addr
	// named: the user named the address, so that whatever the router calls
	// itself, it is there.
	named bool
}

// pin gives where text, an URL of the router's own, leads: always to the
// address at which the router was found. Routers also name addresses that they
// have elsewhere, or that reach nobody ([::1], 169.254.0.0/16), and then only
// the port and the path count. Found by a search, one that names a host by
// name or an address on the Internet is no plain router: that is an error.
func (o origin) pin(text string) (target, error) {
	host, t, err := parseURL(text)
	if err != nil {
		return target{}, err
	}
	a, isLiteral := literal(host)
	switch {
	case o.named || isLiteral && a == o.addr:
	case !isLiteral:
		return target{}, fmt.Errorf("%s names a host by name: %w", plain.Line(text), ErrAddress)
	case !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsUnspecified():
		return target{}, fmt.Errorf("%s is off this network: %w", plain.Line(text), ErrAddress)
	}
	t.addr = netip.AddrPortFrom(o.addr, t.addr.Port())
	return t, nil
}
