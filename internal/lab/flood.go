//go:build linux

package lab

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// floodPorts is from how many ports a flood comes, in turn.
const floodPorts = 200

// Flood is datagrams to one port, more than any load of connections, so that a
// moment in which packets are lost is seen however short it is.
type Flood struct {
	sink                      *net.UDPConn
	stop, sentAll, countedAll chan struct{}

	sent, received int64 // each its goroutine's, until that is done
	err            error
}

// Flood sends so many datagrams in a second to an IP address and port, from now
// on and beside the test, and counts those that come in on a port of another
// host, which it opens.
func (h *Host) Flood(to string, rate int, target *Host, port uint16) *Flood {
	h.lab.t.Helper()
	addr, err := netip.ParseAddrPort(to)
	if err != nil || rate < 1 {
		h.lab.t.Fatalf("lab: %s: no flood of %d datagrams in a second to %q", h.Name, rate, to)
	}
	f := &Flood{stop: make(chan struct{}), sentAll: make(chan struct{}), countedAll: make(chan struct{})}
	if f.sink, err = target.sink(port); err != nil {
		h.lab.t.Fatalf("lab: %s: listen on port %d: %v", target.Name, port, err)
	}
	from := make([]*net.UDPConn, floodPorts)
	err = enter(h.pidfd, unix.CLONE_NEWNET, func() (err error) {
		for i := range from {
			if from[i], err = net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr)); err != nil {
				return err
			}
			h.keep(from[i])
		}
		return nil
	})
	if err != nil {
		h.lab.t.Fatalf("lab: %s: %v", h.Name, err)
	}
	h.lab.watches.Go(func() { f.count() })
	h.lab.watches.Go(func() {
		defer close(f.sentAll)
		f.err = f.send(from, rate, h.lab.gone)
	})
	return f
}

// sink opens a port whose datagrams nobody answers.
func (h *Host) sink(port uint16) (socket *net.UDPConn, err error) {
	err = h.Enter(func() error {
		socket, err = net.ListenUDP("udp", &net.UDPAddr{Port: int(port)})
		return err
	})
	if err != nil {
		return nil, err
	}
	h.keep(socket)
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	// A reader that waits for a processor must lose none. Without force, the
	// kernel gives no more than net.core.rmem_max: room for a tenth of a second.
	var setErr error
	err = raw.Control(func(fd uintptr) {
		setErr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	})
	return socket, errors.Join(err, setErr)
}

func (f *Flood) send(from []*net.UDPConn, rate int, gone <-chan struct{}) error {
	start := time.Now()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-pace.C:
		case <-f.stop:
			return nil
		case <-gone:
			return nil
		}
		// A few at a time: more would be lost in queues when the sender has
		// waited for a processor.
		due := int64(time.Since(start).Seconds() * float64(rate))
		for range min(due-f.sent, 64) {
			_, err := from[f.sent%floodPorts].Write([]byte("?"))
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			// Any other error is an ICMP message about a datagram before, which
			// is counted as lost.
			if err == nil {
				f.sent++
			}
		}
	}
}

// count counts what comes in, until nothing does any more.
func (f *Flood) count() {
	defer close(f.countedAll)
	buf := make([]byte, 8)
	for {
		if _, err := f.sink.Read(buf); err != nil {
			return
		}
		f.received++
		select {
		case <-f.sentAll:
			if f.sink.SetReadDeadline(time.Now().Add(Brief)) != nil {
				return // closed
			}
		default:
		}
	}
}

// Stop ends the flood, and gives how many datagrams were sent and how many of
// these have not come.
func (f *Flood) Stop() (sent, lost int64, err error) {
	close(f.stop)
	<-f.sentAll
	// It may be waiting for one that never comes.
	err = f.sink.SetReadDeadline(time.Now().Add(Brief))
	<-f.countedAll
	return f.sent, f.sent - f.received, errors.Join(f.err, err)
}
