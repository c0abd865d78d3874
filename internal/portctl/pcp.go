package portctl

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"
)

// PCP is a client of PCP.
type PCP struct{ Client }

// Nonce shows to a server that a request about a mapping is from whoever made
// it. One client may use the same for all mappings of one server, and has to
// use different ones for different servers (RFC 6887, section 11.2).
type Nonce [12]byte

const (
	pcpVersion  = 2
	pcpAnnounce = 0 // opcode
	pcpMap      = 1
	pcpHeadSize = 24
	pcpMapSize  = pcpHeadSize + 36

	optionThirdParty    = 1
	optionPreferFailure = 2
)

// pcpWaits are what RFC 6887, section 8.1.1, has for the first two sendings:
// about 3 and then about 6 seconds, a little more or less so that clients that
// a power cut has started at one time don't ask in step.
func pcpWaits() []time.Duration {
	const first = 3 * time.Second
	wait := first + time.Duration((rand.Float64()*0.2-0.1)*float64(first)) // #nosec G404 -- no secret, only a spread
	return []time.Duration{wait, 2 * wait}
}

// Announce asks for nothing but the server's clock (RFC 6887, section 14.1). It
// changes nothing on the router.
func (p PCP) Announce(ctx context.Context) (Seen, error) {
	seen, err := p.ask(ctx, pcpAnnounce, 0, nil, func([]byte) error { return nil })
	var refused *ResultError
	if errors.As(err, &refused) && refused.Result == UnsupportedOpcode {
		// A server that can't announce has a clock all the same.
		return seen, nil
	}
	return seen, err
}

// Mapping is what a PCP client asks for.
type Mapping struct {
	Nonce    Nonce
	Protocol Protocol
	// Internal is the machine and its port that the mapping leads to. If the
	// machine is not this computer, the server has to allow THIRD_PARTY.
	Internal netip.AddrPort
	External uint16        // outside port, not 0
	Lifetime time.Duration // whole seconds, more than 0
}

// Map asks for a mapping, or for more time for the one that there is (RFC
// 6887, section 11). It asks with PREFER_FAILURE, by which the server must give
// this external port or none; some give another nevertheless.
func (p PCP) Map(ctx context.Context, m Mapping) (Granted, Seen, error) {
	var granted Granted
	seen, err := p.ask(ctx, pcpMap, seconds(m.Lifetime), m.request, func(b []byte) (err error) {
		granted, err = parsePCPMapping(b, m)
		return err
	})
	return granted, seen, err
}

// Delete takes a mapping away, whatever its external port (RFC 6887, section
// 15). That there is none is no error, unless the router makes it one.
func (p PCP) Delete(ctx context.Context, m Mapping) (Seen, error) {
	m.External, m.Lifetime = 0, 0
	return p.ask(ctx, pcpMap, 0, m.request, func(b []byte) error {
		_, err := parsePCPMapping(b, m)
		return err
	})
}

// request is the part of a MAP request after its head, with options.
func (m Mapping) request(local netip.Addr) []byte {
	if m.Internal.Port() == 0 {
		panic("portctl: internal port 0 stands for all ports of a computer")
	}
	b := bytes.Clone(m.Nonce[:])
	b = append(b, byte(m.Protocol), 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, m.Internal.Port())
	b = binary.BigEndian.AppendUint16(b, m.External)
	// No external address is preferred; the zero address tells its version
	// (RFC 6887, section 5).
	none := netip.IPv6Unspecified()
	if m.Internal.Addr().Is4() {
		none = netip.IPv4Unspecified()
	}
	b = appendAddr(b, none)
	if m.Internal.Addr() != local {
		b = append(b, optionThirdParty, 0, 0, 16)
		b = appendAddr(b, m.Internal.Addr())
	}
	if m.Lifetime > 0 {
		b = append(b, optionPreferFailure, 0, 0, 0)
	}
	return b
}

// appendAddr writes an address in its 128 bits, an IPv4 one as ::ffff:0:0/96
// (RFC 6887, section 5).
func appendAddr(b []byte, a netip.Addr) []byte {
	full := a.As16()
	return append(b, full[:]...)
}

// parsePCPMapping reads a successful answer to a MAP request. Its options are
// left alone: the nonce already shows to which request it belongs.
func parsePCPMapping(b []byte, m Mapping) (Granted, error) {
	if err := checkPCPMapping(b, m); err != nil {
		return Granted{}, err
	}
	lifetime := binary.BigEndian.Uint32(b[4:])
	external := netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[44:])).Unmap(), binary.BigEndian.Uint16(b[42:]))
	deleted := m.Lifetime == 0
	switch {
	case deleted && lifetime != 0:
		return Granted{}, ignored("an answer to a deletion with a lifetime of %d s", lifetime)
	case !deleted && (lifetime == 0 || external.Port() == 0):
		return Granted{}, ignored("a mapping of %s for %d s", external, lifetime)
	}
	return Granted{External: external, Lifetime: time.Duration(lifetime) * time.Second}, nil
}

// checkPCPMapping sees that an answer is about m (RFC 6887, section 11.4).
func checkPCPMapping(b []byte, m Mapping) error {
	switch {
	case len(b) < pcpMapSize:
		return ignored("%d bytes about a mapping, not %d", len(b), pcpMapSize)
	case Nonce(b[24:]) != m.Nonce:
		return ignored("another nonce")
	case Protocol(b[36]) != m.Protocol:
		return ignored("an answer about protocol %d, not %d", b[36], m.Protocol)
	case binary.BigEndian.Uint16(b[40:]) != m.Internal.Port():
		return ignored("an answer about port %d, not %d", binary.BigEndian.Uint16(b[40:]), m.Internal.Port())
	}
	return nil
}

// ask sends a request and gives the successful answer to body. A refusal that
// has the size of an answer about a mapping has to be about the right one: it
// echoes the request.
func (p PCP) ask(ctx context.Context, op byte, lifetime uint32, payload func(local netip.Addr) []byte, body func([]byte) error) (Seen, error) {
	var seen Seen
	var sent []byte
	request := func(local netip.Addr) []byte {
		sent = []byte{pcpVersion, op, 0, 0}
		sent = binary.BigEndian.AppendUint32(sent, lifetime)
		sent = appendAddr(sent, local)
		if payload != nil {
			sent = append(sent, payload(local)...)
		}
		return sent
	}
	local, err := p.exchange(ctx, pcpWaits(), request, func(b []byte) (err error) {
		seen, err = parsePCPHead(b, op)
		var refused *ResultError
		if errors.As(err, &refused) && op == pcpMap && len(b) >= pcpMapSize && !bytes.Equal(b[24:42], sent[24:42]) {
			return ignored("a refusal of another mapping")
		}
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

// parsePCPHead reads what all answers begin with (RFC 6887, section 7.2).
func parsePCPHead(b []byte, op byte) (Seen, error) {
	if v, ok := otherVersion(b, pcpVersion); ok {
		return Seen{}, &ResultError{Result: UnsupportedVersion, Code: uint16(UnsupportedVersion), Speaks: v}
	}
	switch {
	case len(b) < pcpHeadSize || len(b) > maxPacket || len(b)%4 != 0:
		return Seen{}, ignored("%d bytes are no answer of PCP", len(b))
	case b[0] != pcpVersion:
		return Seen{}, ignored("version %d", b[0])
	case b[1] != op|answerBit:
		return Seen{}, ignored("opcode %d, not %d", b[1], op|answerBit)
	}
	seen := Seen{Epoch: binary.BigEndian.Uint32(b[8:])}
	code := Result(b[3])
	if code == Success {
		return seen, nil
	}
	refused := &ResultError{Result: code, Code: uint16(code), Speaks: pcpVersion}
	if int(code) >= len(resultNames) {
		refused.Result = Unknown
	}
	refused.Lifetime = time.Duration(binary.BigEndian.Uint32(b[4:])) * time.Second
	return seen, refused
}
