package portctl

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// script is a server on the loopback interface that answers as it is told.
type script struct {
	conn *net.UDPConn
	mu   sync.Mutex
	got  [][]byte
}

// serve answers the i-th request with the packets that answer gives for it.
func serve(t *testing.T, answer func(i int, request []byte) [][]byte) *script {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s := &script{conn: conn}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for i := 0; ; i++ {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return // closed
			}
			request := append([]byte(nil), buf[:n]...)
			s.mu.Lock()
			s.got = append(s.got, request)
			s.mu.Unlock()
			for _, packet := range answer(i, request) {
				if _, err := conn.WriteToUDPAddrPort(packet, from); err != nil {
					t.Errorf("the scripted server can't answer: %v", err)
				}
			}
		}
	}()
	return s
}

func (s *script) addr() netip.AddrPort { return netip.MustParseAddrPort(s.conn.LocalAddr().String()) }

// requests are those that came so far.
func (s *script) requests() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([][]byte(nil), s.got...)
}

// client asks s, and waits long enough for a busy computer, but not for long
// where no answer is to come.
func (s *script) client(waits ...time.Duration) Client {
	if waits == nil {
		waits = []time.Duration{10 * time.Second}
	}
	return Client{Server: s.addr(), Waits: waits}
}
