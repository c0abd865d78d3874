package router

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
)

// fakeRouter is a router on the loopback interface that speaks NAT-PMP and PCP
// as RFC 6886 and RFC 6887 have it, with a clock that tests set.
type fakeRouter struct {
	conn *net.UDPConn

	mu         sync.Mutex
	now        time.Time
	booted     time.Time
	outside    netip.Addr // zero: NETWORK_FAILURE
	thirdParty bool
	most       time.Duration // the longest lease
	held       []fakeMapping
	asked      int // requests so far
	// odd may answer a request in place of the router; nil: it does not. No
	// bytes: there is no answer.
	odd func(request []byte) []byte
}

type fakeMapping struct {
	protocol plan.Protocol
	port     uint16
	to       netip.AddrPort
	nonce    string // empty: made by NAT-PMP, or by hand
	ends     time.Time
}

// here is this computer, as the router sees it.
var here = netip.MustParseAddr("127.0.0.1")

func newFakeRouter(t *testing.T) *fakeRouter {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: here.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r := &fakeRouter{
		conn: conn, now: start, booted: start.Add(-time.Hour),
		outside: netip.MustParseAddr("203.0.113.7"), thirdParty: true, most: 24 * time.Hour,
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return // closed
			}
			if answer := r.answer(buf[:n], from.Addr()); len(answer) > 0 {
				if _, err := conn.WriteToUDPAddrPort(answer, from); err != nil {
					t.Errorf("the fake router can't answer: %v", err)
				}
			}
		}
	}()
	return r
}

// do calls f while nothing is answered.
func (r *fakeRouter) do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// pass lets time go by.
func (r *fakeRouter) pass(d time.Duration) {
	r.do(func() {
		r.now = r.now.Add(d)
		r.held = slices.DeleteFunc(r.held, func(m fakeMapping) bool { return !m.ends.After(r.now) })
	})
}

// restart has the router forget what it holds.
func (r *fakeRouter) restart() {
	r.do(func() { r.held, r.booted = nil, r.now })
}

func (r *fakeRouter) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// dump is what the router holds.
func (r *fakeRouter) dump() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for _, m := range r.held {
		lines = append(lines, fmt.Sprintf("%s %d to %s", m.protocol, m.port, m.to))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (r *fakeRouter) answer(b []byte, from netip.Addr) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.odd != nil {
		if answer := r.odd(b); answer != nil {
			return answer
		}
	}
	if b[0] == 0 {
		return r.natpmp(b, from)
	}
	return r.pcp(b, from)
}

func (r *fakeRouter) epoch() uint32 { return uint32(r.now.Sub(r.booted) / time.Second) }

func (r *fakeRouter) natpmp(b []byte, from netip.Addr) []byte {
	result := portctl.Success
	var body []byte
	switch op := b[1]; op {
	case 0:
		if !r.outside.IsValid() {
			result = 3
		}
		outside := [4]byte{}
		if r.outside.IsValid() {
			outside = r.outside.As4()
		}
		body = outside[:]
	default:
		protocol := map[byte]plan.Protocol{1: plan.UDP, 2: plan.TCP}[op]
		to := netip.AddrPortFrom(from, binary.BigEndian.Uint16(b[4:]))
		port, lease := binary.BigEndian.Uint16(b[6:]), r.lease(binary.BigEndian.Uint32(b[8:]))
		if lease == 0 {
			r.remove(func(m fakeMapping) bool { return m.protocol == protocol && m.to == to })
			port = 0
		} else {
			for r.taken(protocol, port, to) {
				port++
			}
			r.put(fakeMapping{protocol, port, to, "", r.now.Add(lease)})
		}
		body = append(slices.Clone(b[4:6]), byte(port>>8), byte(port))
		body = binary.BigEndian.AppendUint32(body, uint32(lease/time.Second))
	}
	head := []byte{0, b[1] | 0x80, 0, byte(result)}
	return append(binary.BigEndian.AppendUint32(head, r.epoch()), body...)
}

func (r *fakeRouter) pcp(b []byte, from netip.Addr) []byte {
	answer := slices.Clone(b)
	answer[1] |= 0x80
	binary.BigEndian.PutUint32(answer[8:], r.epoch())
	clear(answer[12:24])
	if b[1] == 0 {
		return answer
	}
	result, lease := r.pcpMap(b, answer, from)
	answer[3] = byte(result)
	binary.BigEndian.PutUint32(answer[4:], uint32(lease/time.Second))
	return answer
}

func (r *fakeRouter) pcpMap(b, answer []byte, from netip.Addr) (portctl.Result, time.Duration) {
	sender := netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	if sender != from {
		return portctl.AddressMismatch, 0
	}
	preferFailure := false
	for o := b[60:]; len(o) > 0; o = o[4+int(o[3]):] {
		switch o[0] {
		case 1:
			if sender = netip.AddrFrom16([16]byte(o[4:])).Unmap(); sender == from {
				return portctl.MalformedRequest, 0
			}
			if !r.thirdParty {
				return portctl.UnsupportedOption, 0
			}
		case 2:
			preferFailure = true
		}
	}
	m := fakeMapping{
		protocol: map[byte]plan.Protocol{6: plan.TCP, 17: plan.UDP}[b[36]],
		port:     binary.BigEndian.Uint16(b[42:]),
		to:       netip.AddrPortFrom(sender, binary.BigEndian.Uint16(b[40:])),
		nonce:    string(b[24:36]),
	}
	lease := r.lease(binary.BigEndian.Uint32(b[4:]))
	m.ends = r.now.Add(lease)
	for _, h := range r.held {
		if h.protocol == m.protocol && h.to == m.to && h.nonce != m.nonce {
			return portctl.NotAuthorized, h.ends.Sub(r.now)
		}
	}
	if lease == 0 {
		r.remove(func(h fakeMapping) bool { return h.protocol == m.protocol && h.to == m.to })
		return portctl.Success, 0
	}
	if r.taken(m.protocol, m.port, m.to) {
		if preferFailure {
			return portctl.CannotProvideExternal, 0
		}
		return portctl.NoResources, 0
	}
	r.put(m)
	outside := m.to.Addr()
	if outside.Is4() {
		outside = r.outside
	}
	raw := outside.As16()
	copy(answer[44:60], raw[:])
	return portctl.Success, lease
}

func (r *fakeRouter) lease(seconds uint32) time.Duration {
	return min(r.most, time.Duration(seconds)*time.Second)
}

// taken says whether a port leads elsewhere.
func (r *fakeRouter) taken(protocol plan.Protocol, port uint16, to netip.AddrPort) bool {
	return slices.ContainsFunc(r.held, func(m fakeMapping) bool {
		return m.protocol == protocol && m.port == port && m.to != to && m.to.Addr().Is4() == to.Addr().Is4()
	})
}

func (r *fakeRouter) put(m fakeMapping) {
	r.remove(func(h fakeMapping) bool { return h.protocol == m.protocol && h.to == m.to })
	r.held = append(r.held, m)
}

func (r *fakeRouter) remove(which func(fakeMapping) bool) {
	r.held = slices.DeleteFunc(r.held, which)
}

// device opens the router by one of the protocols.
func (r *fakeRouter) device(d dialect, memory *fakeMemory, project string) *portctlGateway {
	return &portctlGateway{
		dialect: d, project: cmp.Or(project, "home"), addr: homeGateway, memory: memory,
		server: netip.MustParseAddrPort(r.conn.LocalAddr().String()), lease: 2 * time.Hour,
		now: r.clock, client: portctl.Client{Waits: []time.Duration{10 * time.Second}},
	}
}

// homeGateway is the address of gateways under test.
var homeGateway = plan.Addr{Block: plan.BlockGateway, Name: "home"}

// fakeMemory is a memory as JSON.
type fakeMemory struct {
	mu   sync.Mutex
	note []byte
	fail error
}

func (m *fakeMemory) Load(into any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.note == nil || m.fail != nil {
		return m.fail
	}
	return json.Unmarshal(m.note, into)
}

func (m *fakeMemory) Store(v any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	note, err := json.Marshal(v)
	m.note = note
	return err
}
