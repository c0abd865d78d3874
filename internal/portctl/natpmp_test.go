package portctl

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// unhex reads bytes as the RFCs' figures are laid out: blanks are for the eye.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// once answers every request with the same packets.
func once(packets ...string) func(int, []byte) [][]byte {
	var out [][]byte
	for _, p := range packets {
		out = append(out, unhex(p))
	}
	return func(int, []byte) [][]byte { return out }
}

func TestNATPMPAddress(t *testing.T) {
	s := serve(t, once("00 80 0000 00000e10 cb007107"))
	got, seen, err := NATPMP{s.client()}.Address(t.Context())
	if err != nil || got != netip.MustParseAddr("203.0.113.7") || seen.Epoch != 3600 || seen.Local != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("got %s, %+v, %v", got, seen, err)
	}
	if want := unhex("00 00"); !bytes.Equal(s.requests()[0], want) {
		t.Errorf("sent %x, not %x", s.requests()[0], want)
	}
}

func TestNATPMPMap(t *testing.T) {
	s := serve(t, once("00 82 0000 00000001 1ae1 41f1 00000e10"))
	got, _, err := NATPMP{s.client()}.Map(t.Context(), TCP, 6881, 16881, 2*time.Hour)
	if err != nil || got.External.Port() != 16881 || got.Lifetime != time.Hour {
		t.Errorf("got %+v, %v", got, err)
	}
	if want := unhex("00 02 0000 1ae1 41f1 00001c20"); !bytes.Equal(s.requests()[0], want) {
		t.Errorf("sent %x, not %x", s.requests()[0], want)
	}
}

func TestNATPMPDelete(t *testing.T) {
	s := serve(t, once("00 81 0000 00000001 1ae1 0000 00000000"))
	if _, err := (NATPMP{s.client()}).Delete(t.Context(), UDP, 6881); err != nil {
		t.Error(err)
	}
	// RFC 6886, section 3.4: the external port is to be zero.
	if want := unhex("00 01 0000 1ae1 0000 00000000"); !bytes.Equal(s.requests()[0], want) {
		t.Errorf("sent %x, not %x", s.requests()[0], want)
	}
}

// What is not the answer is passed over, and the one behind it is taken.
func TestNATPMPIgnores(t *testing.T) {
	const right = "00 82 0000 00000001 1ae1 41f1 00000e10"
	for name, odd := range map[string]string{
		"empty":                "",
		"short":                "00 82 0000 000000",
		"too short":            "00 82 0000 00000001 1ae1 41f1 00000e",
		"too long":             "00 82 0000 00000001 1ae1 41f1 00000e11 00",
		"another version":      "03 82 0000 00000001 1ae1 41f1 00000e11",
		"another opcode":       "00 81 0000 00000001 1ae1 41f1 00000e11",
		"a request":            "00 02 0000 00000001 1ae1 41f1 00000e11",
		"another port":         "00 82 0000 00000001 1ae2 41f1 00000e11",
		"no lifetime":          "00 82 0000 00000001 1ae1 41f1 00000000",
		"no external port":     "00 82 0000 00000001 1ae1 0000 00000e11",
		"longer than any":      strings.Repeat("00", 1400),
		"an address announced": "00 80 0000 00000e11 cb007107",
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, once(odd, right))
			got, _, err := NATPMP{s.client()}.Map(t.Context(), TCP, 6881, 16881, time.Hour)
			if err != nil || got.Lifetime != time.Hour {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestNATPMPRefusals(t *testing.T) {
	for answer, want := range map[string]ResultError{
		"00 82 0001 00000005":                    {Result: UnsupportedVersion, Code: 1, Seen: Seen{Epoch: 5}},
		"00 82 0002 00000005":                    {Result: NotAuthorized, Code: 2, Seen: Seen{Epoch: 5}},
		"00 82 0003 00000005 1ae1 41f1 00000e10": {Result: NetworkFailure, Code: 3, Seen: Seen{Epoch: 5}},
		"00 82 0004 00000005":                    {Result: NoResources, Code: 4, Seen: Seen{Epoch: 5}},
		"00 82 0005 00000005":                    {Result: UnsupportedOpcode, Code: 5, Seen: Seen{Epoch: 5}},
		"00 82 0402 00000005":                    {Result: Unknown, Code: 0x402, Seen: Seen{Epoch: 5}},
		// A server of PCP alone.
		"02 82 00 01 00000000 00000005 000000000000000000000000": {Result: UnsupportedVersion, Code: 1, Speaks: 2},
	} {
		s := serve(t, once(answer))
		_, _, err := NATPMP{s.client()}.Map(t.Context(), TCP, 6881, 16881, time.Hour)
		var got *ResultError
		if !errors.As(err, &got) {
			t.Errorf("%s: got %v", answer, err)
			continue
		}
		want.Local = netip.MustParseAddr("127.0.0.1")
		if *got != want {
			t.Errorf("%s: got %+v, not %+v", answer, *got, want)
		}
	}
}

// Requests are sent again until one is answered.
func TestSendsAgain(t *testing.T) {
	s := serve(t, func(i int, _ []byte) [][]byte {
		if i < 2 {
			return nil
		}
		return [][]byte{unhex("00 80 0000 00000e10 cb007107")}
	})
	_, _, err := NATPMP{s.client(time.Millisecond, time.Millisecond, 10*time.Second)}.Address(t.Context())
	if got := s.requests(); err != nil || len(got) != 3 {
		t.Errorf("%d requests, %v", len(got), err)
	}
}

func TestNoAnswer(t *testing.T) {
	s := serve(t, once("ffff"))
	_, _, err := NATPMP{s.client(time.Millisecond, 20*time.Millisecond)}.Address(t.Context())
	if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "to 2 requests") {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(err.Error(), "2 bytes are no answer of NAT-PMP") {
		t.Errorf("the error does not tell what came in place of an answer: %v", err)
	}
}

// Where nothing listens, that is known at once.
func TestNothingListens(t *testing.T) {
	s := serve(t, once())
	addr := s.addr()
	_ = s.conn.Close()
	start := time.Now()
	_, _, err := NATPMP{Client{Server: addr, Waits: []time.Duration{time.Minute}}}.Address(t.Context())
	if !errors.Is(err, ErrNoAnswer) || !strings.Contains(err.Error(), "nothing listens") || time.Since(start) > 30*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t, func(int, []byte) [][]byte { cancel(); return nil })
	start := time.Now()
	_, _, err := NATPMP{s.client(time.Minute)}.Address(ctx)
	if !errors.Is(err, context.Canceled) || time.Since(start) > 30*time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

// An answer from another address or port than the server's is not heard.
func TestOnlyTheServer(t *testing.T) {
	other, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	client := make(chan net.Addr, 1)
	s := serve(t, func(int, []byte) [][]byte {
		if _, err := other.WriteTo(unhex("00 80 0000 00000001 c6336401"), <-client); err != nil {
			t.Error(err)
		}
		return [][]byte{unhex("00 80 0000 00000001 cb007107")}
	})
	c := s.client()
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			client <- conn.LocalAddr()
		}
		return conn, err
	}
	got, _, err := NATPMP{c}.Address(t.Context())
	if err != nil || got != netip.MustParseAddr("203.0.113.7") {
		t.Errorf("got %s, %v", got, err)
	}
}

// Whatever a server sends, it is an answer that makes sense, a refusal, or
// ignored.
func FuzzNATPMP(f *testing.F) {
	f.Add(unhex("00 80 0000 00000e10 cb007107"), false)
	f.Add(unhex("00 82 0000 00000001 1ae1 41f1 00000e10"), false)
	f.Add(unhex("00 82 0000 00000001 1ae1 0000 00000000"), true)
	f.Add(unhex("00 82 0003 00000005"), true)
	f.Add(unhex("02 82 0001 00000000 00000005 000000000000000000000000"), false)
	f.Fuzz(func(t *testing.T, b []byte, deleted bool) {
		_, err := parseNATPMPHead(b, natpmpMapTCP)
		checkRefusal(t, err)
		if err != nil {
			return
		}
		got, err := parseNATPMPMapping(b, 6881, deleted)
		if err != nil && !errors.Is(err, errIgnored) {
			t.Errorf("%x: %v", b, err)
		}
		if err == nil && !deleted && (got.External.Port() == 0 || got.Lifetime <= 0) {
			t.Errorf("%x makes the mapping %+v", b, got)
		}
	})
}

// checkRefusal sees that err is nil, errIgnored, or a refusal that says why.
func checkRefusal(t *testing.T, err error) {
	var refused *ResultError
	switch {
	case err == nil, errors.Is(err, errIgnored):
	case !errors.As(err, &refused) || refused.Result == Success || refused.Code == 0 || refused.Lifetime < 0:
		t.Errorf("neither an answer nor a refusal: %v", err)
	}
}
