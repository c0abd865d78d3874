package portctl

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var nonce = Nonce([]byte("abcdefghijkl"))

const nonceHex = "6162636465666768696a6b6c"

func seedbox() Mapping {
	return Mapping{Nonce: nonce, Protocol: TCP, Internal: netip.MustParseAddrPort("192.168.1.11:6881"), External: 16881, Lifetime: 2 * time.Hour}
}

// granted is the answer to seedbox's request: 16881 of 203.0.113.7 for an hour.
const granted = "02 81 00 00 00000e10 00000005 000000000000000000000000" +
	nonceHex + "06 000000 1ae1 41f1 00000000000000000000ffffcb007107"

func TestPCPMap(t *testing.T) {
	s := serve(t, once(granted))
	got, seen, err := PCP{s.client()}.Map(t.Context(), seedbox())
	want := Granted{netip.MustParseAddrPort("203.0.113.7:16881"), time.Hour}
	if err != nil || got != want || seen.Epoch != 5 {
		t.Errorf("got %+v, %+v, %v", got, seen, err)
	}
	// The figures of RFC 6887: 7.1, 11.1, 13.1 and 13.2.
	sent := unhex("02 01 0000 00001c20 00000000000000000000ffff7f000001" +
		nonceHex + "06 000000 1ae1 41f1 00000000000000000000ffff00000000" +
		"01 00 0010 00000000000000000000ffffc0a8010b" +
		"02 00 0000")
	if !bytes.Equal(s.requests()[0], sent) {
		t.Errorf("sent\n%x, not\n%x", s.requests()[0], sent)
	}
}

// The option THIRD_PARTY is for other machines only: with this computer's own
// address the server has to refuse it (RFC 6887, section 13.1).
func TestPCPMapHere(t *testing.T) {
	m := seedbox()
	m.Internal = netip.MustParseAddrPort("127.0.0.1:6881")
	s := serve(t, once(granted))
	if _, _, err := (PCP{s.client()}).Map(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	sent := unhex("02 01 0000 00001c20 00000000000000000000ffff7f000001" +
		nonceHex + "06 000000 1ae1 41f1 00000000000000000000ffff00000000" +
		"02 00 0000")
	if !bytes.Equal(s.requests()[0], sent) {
		t.Errorf("sent\n%x, not\n%x", s.requests()[0], sent)
	}
}

func TestPCPMapIPv6(t *testing.T) {
	m := seedbox()
	m.Internal, m.External = netip.MustParseAddrPort("[2001:db8::11]:6881"), 6881
	s := serve(t, once("02 81 00 00 00000e10 00000005 000000000000000000000000"+
		nonceHex+"06 000000 1ae1 1ae1 20010db8000000000000000000000011"))
	got, _, err := PCP{s.client()}.Map(t.Context(), m)
	if err != nil || got.External != m.Internal {
		t.Errorf("got %+v, %v", got, err)
	}
	sent := unhex("02 01 0000 00001c20 00000000000000000000ffff7f000001" +
		nonceHex + "06 000000 1ae1 1ae1 00000000000000000000000000000000" +
		"01 00 0010 20010db8000000000000000000000011" +
		"02 00 0000")
	if !bytes.Equal(s.requests()[0], sent) {
		t.Errorf("sent\n%x, not\n%x", s.requests()[0], sent)
	}
}

func TestPCPDelete(t *testing.T) {
	s := serve(t, once(strings.Replace(granted, "00000e10", "00000000", 1)))
	if _, err := (PCP{s.client()}).Delete(t.Context(), seedbox()); err != nil {
		t.Fatal(err)
	}
	// RFC 6887, section 15: no external port or address, no lifetime.
	sent := unhex("02 01 0000 00000000 00000000000000000000ffff7f000001" +
		nonceHex + "06 000000 1ae1 0000 00000000000000000000ffff00000000" +
		"01 00 0010 00000000000000000000ffffc0a8010b")
	if !bytes.Equal(s.requests()[0], sent) {
		t.Errorf("sent\n%x, not\n%x", s.requests()[0], sent)
	}
}

func TestPCPAnnounce(t *testing.T) {
	for name, answer := range map[string]string{
		"answered":          "02 80 00 00 00000000 00000e10 000000000000000000000000",
		"opcode unknown":    "02 80 00 04 00000000 00000e10 000000000000000000000000",
		"longer than asked": "02 80 00 00 00000000 00000e10 000000000000000000000000 00000000",
	} {
		s := serve(t, once(answer))
		seen, err := PCP{s.client()}.Announce(t.Context())
		if err != nil || seen.Epoch != 3600 {
			t.Errorf("%s: got %+v, %v", name, seen, err)
		}
		if want := unhex("02 00 0000 00000000 00000000000000000000ffff7f000001"); !bytes.Equal(s.requests()[0], want) {
			t.Errorf("sent %x, not %x", s.requests()[0], want)
		}
	}
}

func TestPCPIgnores(t *testing.T) {
	right := granted
	// What it grants is not what the answer behind it does.
	granted := strings.Replace(granted, "00000e10", "00000e11", 1)
	for name, odd := range map[string]string{
		"empty":                     "",
		"short":                     granted[:20],
		"not a multiple of 4 bytes": granted + "00",
		"longer than any":           granted + strings.Repeat("00000000", 300),
		"a request":                 strings.Replace(granted, "02 81", "02 01", 1),
		"another opcode":            strings.Replace(granted, "02 81", "02 82", 1),
		"another version":           strings.Replace(granted, "02 81", "03 81", 1),
		"without the mapping":       "02 81 00 00 00000e10 00000005 000000000000000000000000",
		"another nonce":             strings.Replace(granted, "6162", "6163", 1),
		"another protocol":          strings.Replace(granted, "06 000000", "11 000000", 1),
		"another port":              strings.Replace(granted, "1ae1", "1ae2", 1),
		"no lifetime":               strings.Replace(granted, "00000e11", "00000000", 1),
		"no external port":          strings.Replace(granted, "41f1", "0000", 1),
		"a refusal of another":      strings.Replace(strings.Replace(granted, "00 00", "00 02", 1), "6162", "6163", 1),
		"an announcement":           "02 80 00 00 00000000 00000e10 000000000000000000000000",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, once(odd, right))
			got, _, err := PCP{s.client()}.Map(t.Context(), seedbox())
			if err != nil || got.Lifetime != time.Hour {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestPCPRefusals(t *testing.T) {
	local := netip.MustParseAddr("127.0.0.1")
	for answer, want := range map[string]ResultError{
		// A refusal echoes the request, or is a head alone.
		strings.Replace(granted, "00 00", "00 02", 1):            {Result: NotAuthorized, Code: 2, Seen: Seen{5, local}, Lifetime: time.Hour, Speaks: 2},
		"02 81 00 0b 0000001e 00000005 000000000000000000000000": {Result: CannotProvideExternal, Code: 11, Seen: Seen{5, local}, Lifetime: 30 * time.Second, Speaks: 2},
		"02 81 00 0c 00000000 00000005 000000000000000000000000": {Result: AddressMismatch, Code: 12, Seen: Seen{5, local}, Speaks: 2},
		"02 81 00 63 00000000 00000005 000000000000000000000000": {Result: Unknown, Code: 99, Seen: Seen{5, local}, Speaks: 2},
		"01 81 00 01 00000000 00000005 000000000000000000000000": {Result: UnsupportedVersion, Code: 1, Seen: Seen{0, local}, Speaks: 1},
		"00 81 0001 00000005" /* a server of NAT-PMP alone */ : {Result: UnsupportedVersion, Code: 1, Seen: Seen{0, local}},
	} {
		s := serve(t, once(answer))
		_, _, err := PCP{s.client()}.Map(t.Context(), seedbox())
		var got *ResultError
		if !errors.As(err, &got) {
			t.Errorf("%s: got %v", answer, err)
		} else if *got != want {
			t.Errorf("%s: got %+v, not %+v", answer, *got, want)
		}
	}
}

// The time to the second sending is 3 seconds, give or take a tenth, and that
// to the end twice as long (RFC 6887, section 8.1.1).
func TestPCPWaits(t *testing.T) {
	for range 100 {
		w := pcpWaits()
		if len(w) != 2 || w[0] < 2700*time.Millisecond || w[0] > 3300*time.Millisecond || w[1] != 2*w[0] {
			t.Fatalf("waits %v", w)
		}
	}
}

func FuzzPCP(f *testing.F) {
	f.Add(unhex(granted), false)
	f.Add(unhex(strings.Replace(granted, "00000e10", "00000000", 1)), true)
	f.Add(unhex(strings.Replace(granted, "00 00", "00 02", 1)), false)
	f.Add(unhex("00 81 0001 00000005"), false)
	f.Add(unhex("02 80 00 00 00000000 00000e10 000000000000000000000000"), false)
	f.Fuzz(func(t *testing.T, b []byte, deleted bool) {
		seen, err := parsePCPHead(b, pcpMap)
		checkRefusal(t, err)
		if err != nil {
			return
		}
		if seen.Epoch != binary.BigEndian.Uint32(b[8:]) {
			t.Errorf("%x: epoch %d", b, seen.Epoch)
		}
		m := seedbox()
		if deleted {
			m.Lifetime = 0
		}
		got, err := parsePCPMapping(b, m)
		if err != nil && !errors.Is(err, errIgnored) {
			t.Errorf("%x: %v", b, err)
		}
		if err == nil && !deleted && (got.External.Port() == 0 || !got.External.Addr().IsValid() || got.Lifetime <= 0) {
			t.Errorf("%x makes the mapping %+v", b, got)
		}
	})
}
