// Package portctl speaks the two small protocols by which a host asks its
// gateway for port mappings: NAT-PMP, the NAT Port Mapping Protocol (RFC 6886),
// and its successor PCP, the Port Control Protocol version 2 (RFC 6887). Both
// send one UDP datagram to port 5351 of the gateway and get one back. Neither
// can list what is mapped.
//
// It is written here since no library serves. Those in Go for NAT-PMP alone
// have neither a context nor a check that an answer belongs to the request,
// and flatten result codes to text; PCP is found only inside of larger
// programs, and there without THIRD_PARTY and PREFER_FAILURE.
package portctl

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// Port is the UDP port of servers of both protocols (RFC 6887, section 19.1).
const Port = 5351

// Protocol is a transport protocol by its IANA number.
type Protocol uint8

// The protocols that both can map.
const (
	TCP Protocol = 6
	UDP Protocol = 17
)

// Client asks one server. Each request is sent from a UDP port of its own, so
// that a late answer to an earlier one can't be taken for its answer, and is
// heard from no other address and port than Server.
type Client struct {
	Server netip.AddrPort
	// Dial makes the sockets, as net.Dialer.DialContext does; nil: that does.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Waits are how long each sending of a request waits for the answer before
	// the next; after the last the request has failed. None: what the
	// protocol's RFC asks for, cut off after some seconds.
	Waits []time.Duration
}

// Server is the usual place of a gateway's server.
func Server(gateway netip.Addr) netip.AddrPort { return netip.AddrPortFrom(gateway, Port) }

// Seen is what every answer tells beside what was asked.
type Seen struct {
	Epoch uint32     // the server's clock: seconds since it began with no mappings
	Local netip.Addr // the address of this computer that the request was sent from
}
