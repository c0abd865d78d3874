package igd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"golang.org/x/net/ipv4"
)

// multicastAll is where all devices of a network listen for searches.
var multicastAll = netip.AddrPortFrom(netip.AddrFrom4([4]byte{239, 255, 255, 250}), 1900)

// link is a network interface and the IPv4 networks that are on it.
type link struct {
	iface    net.Interface
	prefixes []netip.Prefix
}

// holds reports whether a is on the link.
func (l link) holds(a netip.Addr) bool {
	return slices.ContainsFunc(l.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// links gives the links on which f searches.
func (f *Finder) links() ([]link, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("search for routers: %w", err)
	}
	var here netip.Addr // the address that this machine sends from to Gateway
	if f.Interface == "" && f.Gateway.IsValid() {
		if here, err = sourceFor(f.Gateway); err != nil {
			return nil, fmt.Errorf("nothing leads to the router at %s: %w", f.Gateway, err)
		}
	}
	var found []link
	for _, i := range interfaces {
		l := link{i, prefixesOf(i)}
		switch {
		case i.Flags&net.FlagUp == 0 || len(l.prefixes) == 0:
		case f.Interface != "":
			if i.Name == f.Interface {
				return []link{l}, nil
			}
		case here.IsValid():
			if slices.ContainsFunc(l.prefixes, func(p netip.Prefix) bool { return p.Addr() == here }) {
				return []link{l}, nil
			}
		case i.Flags&net.FlagMulticast != 0 && i.Flags&net.FlagLoopback == 0:
			found = append(found, l)
		}
	}
	switch {
	case f.Interface != "":
		return nil, fmt.Errorf("no network interface %q is up and has an IPv4 address", f.Interface)
	case here.IsValid():
		return nil, fmt.Errorf("no network interface has the address %s, which leads to the router at %s", here, f.Gateway)
	case len(found) == 0:
		return nil, errors.New("no network interface is up, has an IPv4 address and can multicast")
	}
	return found, nil
}

// prefixesOf are the IPv4 networks of an interface, each with the interface's
// own address in it.
func prefixesOf(i net.Interface) []netip.Prefix {
	addrs, err := i.Addrs()
	if err != nil {
		return nil // it has just gone
	}
	var prefixes []netip.Prefix
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// sourceFor is the address that this machine sends from to a. No packet is sent.
func sourceFor(a netip.Addr) (netip.Addr, error) {
	conn, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, multicastAll.Port())))
	if err != nil {
		return netip.Addr{}, err
	}
	return conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap(), conn.Close()
}

// searcher is the one socket of a search.
type searcher struct {
	finder *Finder
	links  []link
	socket *net.UDPConn
}

// newSearcher opens the socket. The answers come to whatever port it has.
func (f *Finder) newSearcher() (*searcher, error) {
	if g := f.Gateway; g.IsValid() {
		if !g.Is4() {
			return nil, fmt.Errorf("the router at %s: UPnP maps ports of IPv4 alone, give its IPv4 address", g)
		}
		if err := checkAddress(g, f.AllowLoopback); err != nil {
			return nil, err
		}
	}
	links, err := f.links()
	if err != nil {
		return nil, err
	}
	socket, err := net.ListenUDP("udp4", nil)
	if err != nil {
		return nil, fmt.Errorf("search for routers: %w", err)
	}
	return &searcher{f, links, socket}, nil
}

// send asks for the targets on all links, and the gateway itself, which also
// answers where multicast is filtered, as on some wireless networks. It fails
// only if nothing could be sent.
func (s *searcher) send(targets []string) error {
	var failed []error
	sent := false
	to := func(addr netip.AddrPort) {
		for _, t := range targets {
			if _, err := s.socket.WriteToUDPAddrPort(searchFor(t, addr), addr); err != nil {
				failed = append(failed, err)
				return
			}
			sent = true
		}
	}
	packets := ipv4.NewPacketConn(s.socket)
	for _, l := range s.links {
		if l.iface.Flags&net.FlagMulticast == 0 || l.iface.Flags&net.FlagLoopback != 0 {
			continue
		}
		err := packets.SetMulticastInterface(&l.iface)
		if err == nil {
			// What section 1.3.2 of the Device Architecture has by default.
			err = packets.SetMulticastTTL(2)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", l.iface.Name, err))
			continue
		}
		to(multicastAll)
	}
	if f := s.finder; f.Gateway.IsValid() {
		to(netip.AddrPortFrom(f.Gateway, f.searchPort()))
	}
	if !sent {
		return fmt.Errorf("search for routers: %w", errors.Join(failed...))
	}
	return nil
}

// found is one answer to a search.
type found struct {
	from     netip.Addr
	location string
}

// maxReadErrors is how many errors a search reads over: the ICMP messages that
// Windows reports for earlier packets, and packets that are too long for it.
const maxReadErrors = 100

// receive passes on the answers that come from where they may, until the
// socket is closed. It never waits for its reader longer than ctx lasts.
func (s *searcher) receive(ctx context.Context, answers chan<- found) {
	packet := make([]byte, maxPacket)
	for failed := 0; failed < maxReadErrors; {
		n, from, err := s.socket.ReadFromUDPAddrPort(packet)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			failed++
			continue
		}
		a := found{from.Addr().Unmap(), parseLocation(packet[:n])}
		if a.location == "" || !s.accepts(a.from) {
			continue
		}
		select {
		case answers <- a:
		case <-ctx.Done():
			return
		}
	}
}

// accepts reports whether an answer from a counts. It may come from any port.
func (s *searcher) accepts(a netip.Addr) bool {
	if s.finder.Gateway.IsValid() {
		return a == s.finder.Gateway
	}
	return checkAddress(a, s.finder.AllowLoopback) == nil &&
		slices.ContainsFunc(s.links, func(l link) bool { return l.holds(a) })
}
