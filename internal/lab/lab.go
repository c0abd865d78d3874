//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Patient and Brief are times to wait for an answer: Patient where one is
// expected, so that a busy computer fails no test, and Brief where none is.
const (
	Patient = 10 * time.Second
	Brief   = 300 * time.Millisecond
)

// Lab is hosts and the networks between them, for one test.
type Lab struct {
	t    testing.TB
	wire *os.File // the network namespace of the bridges
	// A socket in it, for what system calls do to the bridges.
	bridges *os.File

	gone    chan struct{}  // closed when the lab goes
	watches sync.WaitGroup // goroutines that end then

	mu    sync.Mutex
	hosts []*Host
	ports int // cables plugged in so far
}

// New makes an empty lab that goes when the test ends. Where no lab can be,
// it does what [Need] does.
func New(t testing.TB) *Lab {
	t.Helper()
	Need(t, "ip")
	if !ready {
		t.Fatal("lab: the package's TestMain must call lab.Main or run lab.Tests")
	}
	wire, bridges, err := newNetworkNamespace()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	l := &Lab{t: t, wire: wire, bridges: bridges, gone: make(chan struct{})}
	t.Cleanup(l.takeDown)
	return l
}

// newNetworkNamespace gives a network namespace that lasts as long as the
// files are open, in this process alone, and a socket in it.
func newNetworkNamespace() (file, socket *os.File, err error) {
	err = onOwnThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		if file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		socket = os.NewFile(uintptr(fd), "socket")
		return err
	})
	return file, socket, err
}

// ip runs lines of ip(8) in the namespace of the bridges.
func (l *Lab) ip(format string, args ...any) error {
	lines := fmt.Sprintf(format, args...)
	cmd := exec.Command(find("ip"), "-batch", "-") // #nosec G204 -- a program of the system
	cmd.Stdin = strings.NewReader(lines)
	var out []byte
	err := enter(int(l.wire.Fd()), unix.CLONE_NEWNET, func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		return fmt.Errorf("ip: %w\n%s\n%s", err, lines, out)
	}
	return nil
}

// takeDown ends all hosts and waits until nothing of them is left.
func (l *Lab) takeDown() {
	close(l.gone)
	l.watches.Wait()
	errs := make([]error, len(l.hosts))
	var wait sync.WaitGroup
	for i, h := range l.hosts {
		wait.Go(func() { errs[i] = h.end() })
	}
	wait.Wait()
	if err := errors.Join(append(errs, l.bridges.Close(), l.wire.Close())...); err != nil {
		l.t.Errorf("lab: %v", err)
	}
}
