//go:build linux

package lab

import (
	"errors"
	"fmt"
	"io"
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

	mu    sync.Mutex
	hosts []*Host
	ports int         // cables plugged in so far
	open  []io.Closer // sockets in the hosts' networks
}

// New makes an empty lab that goes when the test ends. Where no lab can be,
// it does what [Need] does.
func New(t testing.TB) *Lab {
	t.Helper()
	Need(t, "ip")
	if !ready {
		t.Fatal("lab: the package's TestMain must call lab.Main or run lab.Tests")
	}
	wire, err := newNetworkNamespace()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	l := &Lab{t: t, wire: wire}
	t.Cleanup(l.takeDown)
	return l
}

// newNetworkNamespace gives a network namespace that lasts as long as the file
// is open, in this process alone.
func newNetworkNamespace() (*os.File, error) {
	var file *os.File
	err := onOwnThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return file, err
}

// ip runs lines of ip(8) in the namespace of the bridges.
func (l *Lab) ip(format string, args ...any) {
	l.t.Helper()
	lines := fmt.Sprintf(format, args...)
	cmd := exec.Command(find("ip"), "-batch", "-") // #nosec G204 -- a program of the system
	cmd.Stdin = strings.NewReader(lines)
	var out []byte
	err := enter(int(l.wire.Fd()), unix.CLONE_NEWNET, func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		l.t.Fatalf("lab: ip: %v\n%s\n%s", err, lines, out)
	}
}

// keep has c closed when the lab goes.
func (l *Lab) keep(c io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = append(l.open, c)
}

// takeDown ends all hosts and waits until nothing of them is left.
func (l *Lab) takeDown() {
	for _, c := range l.open {
		_ = c.Close() // the test may have closed it itself
	}
	errs := make([]error, len(l.hosts))
	var wait sync.WaitGroup
	for i, h := range l.hosts {
		wait.Go(func() { errs[i] = h.end() })
	}
	wait.Wait()
	if err := errors.Join(append(errs, l.wire.Close())...); err != nil {
		l.t.Errorf("lab: %v", err)
	}
}
