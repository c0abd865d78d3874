package portctl

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// NATPMP is a client of NAT-PMP.
type NATPMP struct{ Client }

// natpmpWaits are the first four of the nine of RFC 6886, section 3.1, which
// are more than two minutes together: on a LAN, who does not answer in four
// seconds does not answer.
var natpmpWaits = []time.Duration{250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second}

const (
	natpmpVersion  = 0
	natpmpAddress  = 0 // opcode: the external address
	natpmpMapUDP   = 1
	natpmpMapTCP   = 2
	answerBit      = 0x80
	natpmpHeadSize = 8
	natpmpAddrSize = 12
	natpmpMapSize  = 16
)

// Address asks for the router's address on the outside (RFC 6886, section
// 3.2). It changes nothing on the router.
func (n NATPMP) Address(ctx context.Context) (netip.Addr, Seen, error) {
	var outside netip.Addr
	seen, err := n.ask(ctx, []byte{natpmpVersion, natpmpAddress}, func(b []byte) error {
		if len(b) != natpmpAddrSize {
			return ignored("%d bytes about the external address, not %d", len(b), natpmpAddrSize)
		}
		outside = netip.AddrFrom4([4]byte(b[8:]))
		return nil
	})
	return outside, seen, err
}

// Granted is a mapping as a server made it.
type Granted struct {
	External netip.AddrPort // NAT-PMP does not tell the address
	Lifetime time.Duration  // from now
}

// Map asks for a mapping of an external port to a port of this computer, or
// for more time for the one that there is (RFC 6886, section 3.3). The router
// may give another external port than the one asked for. Lifetime is in whole
// seconds, and more than 0.
func (n NATPMP) Map(ctx context.Context, protocol Protocol, internal, external uint16, lifetime time.Duration) (Granted, Seen, error) {
	return n.change(ctx, protocol, internal, external, lifetime)
}

// Delete takes away the mapping to a port of this computer (RFC 6886, section
// 3.4). That there is none is no error, unless the router makes it one.
func (n NATPMP) Delete(ctx context.Context, protocol Protocol, internal uint16) (Seen, error) {
	if internal == 0 {
		panic("portctl: internal port 0 stands for all mappings of this computer")
	}
	// The external port is to be 0, and to be ignored.
	_, seen, err := n.change(ctx, protocol, internal, 0, 0)
	return seen, err
}

func (n NATPMP) change(ctx context.Context, protocol Protocol, internal, external uint16, lifetime time.Duration) (Granted, Seen, error) {
	op := map[Protocol]byte{TCP: natpmpMapTCP, UDP: natpmpMapUDP}[protocol]
	if op == 0 {
		panic(fmt.Sprintf("portctl: NAT-PMP can't map protocol %d", protocol))
	}
	request := []byte{natpmpVersion, op, 0, 0}
	request = binary.BigEndian.AppendUint16(request, internal)
	request = binary.BigEndian.AppendUint16(request, external)
	request = binary.BigEndian.AppendUint32(request, seconds(lifetime))
	var granted Granted
	seen, err := n.ask(ctx, request, func(b []byte) (err error) {
		granted, err = parseNATPMPMapping(b, internal, lifetime == 0)
		return err
	})
	return granted, seen, err
}

// parseNATPMPMapping reads a successful answer to a request to map a port, or
// to delete its mapping.
func parseNATPMPMapping(b []byte, internal uint16, deleted bool) (Granted, error) {
	if len(b) != natpmpMapSize {
		return Granted{}, ignored("%d bytes about a mapping, not %d", len(b), natpmpMapSize)
	}
	if got := binary.BigEndian.Uint16(b[8:]); got != internal {
		return Granted{}, ignored("an answer about port %d, not %d", got, internal)
	}
	external, lifetime := binary.BigEndian.Uint16(b[10:]), binary.BigEndian.Uint32(b[12:])
	switch {
	case deleted && lifetime != 0:
		return Granted{}, ignored("an answer to a deletion with a lifetime of %d s", lifetime)
	case !deleted && (lifetime == 0 || external == 0):
		return Granted{}, ignored("a mapping with the external port %d for %d s", external, lifetime)
	}
	return Granted{
		External: netip.AddrPortFrom(netip.Addr{}, external),
		Lifetime: time.Duration(lifetime) * time.Second,
	}, nil
}

// ask sends a request and gives the successful answer to body.
func (n NATPMP) ask(ctx context.Context, request []byte, body func([]byte) error) (Seen, error) {
	var seen Seen
	local, err := n.exchange(ctx, natpmpWaits, func(netip.Addr) []byte { return request }, func(b []byte) (err error) {
		seen, err = parseNATPMPHead(b, request[1])
		if err != nil {
			return err
		}
		return body(b)
	})
	seen.Local = local
	var refused *ResultError
	if errors.As(err, &refused) {
		refused.Seen = seen
	}
	return seen, err
}

// parseNATPMPHead reads what all answers begin with.
func parseNATPMPHead(b []byte, op byte) (Seen, error) {
	if v, ok := otherVersion(b, natpmpVersion); ok {
		return Seen{}, &ResultError{Result: UnsupportedVersion, Code: uint16(UnsupportedVersion), Speaks: v}
	}
	switch {
	case len(b) < natpmpHeadSize:
		return Seen{}, ignored("%d bytes are no answer of NAT-PMP", len(b))
	case b[0] != natpmpVersion:
		return Seen{}, ignored("version %d", b[0])
	case b[1] != op|answerBit:
		return Seen{}, ignored("opcode %d, not %d", b[1], op|answerBit)
	}
	seen := Seen{Epoch: binary.BigEndian.Uint32(b[4:])}
	// RFC 6886, section 3.5.
	results := [...]Result{Success, UnsupportedVersion, NotAuthorized, NetworkFailure, NoResources, UnsupportedOpcode}
	code := binary.BigEndian.Uint16(b[2:])
	if code == 0 {
		return seen, nil
	}
	refused := &ResultError{Result: Unknown, Code: code}
	if int(code) < len(results) {
		refused.Result = results[code]
	}
	return seen, refused
}

// otherVersion recognises the answer of a server that speaks only the other
// of the two protocols. The places of version and result code are such that
// each can read this answer of the other (RFC 6887, section 9 and appendix A).
func otherVersion(b []byte, ours uint8) (theirs uint8, ok bool) {
	if len(b) < 4 || b[1]&answerBit == 0 || b[0] == ours {
		return 0, false
	}
	return b[0], b[3] == byte(UnsupportedVersion)
}

// seconds is a lifetime as it is sent.
func seconds(d time.Duration) uint32 { return uint32(d / time.Second) }
