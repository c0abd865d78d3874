//go:build linux

package lab

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Host is one computer of a lab.
type Host struct {
	Name string

	lab     *Lab
	holder  *exec.Cmd
	pidfd   int          // of the holder, by which its namespaces are entered
	leash   io.Closer    // the holder ends when it is closed
	trouble bytes.Buffer // what the holder says of its end

	mu       sync.Mutex
	commands []*Cmd         // all that were started
	open     []io.Closer    // sockets in the host's network
	down     bool           // between its end and its start
	cables   []*cable       // what is plugged in
	setup    []func() error // what Restart does again
	startSSH func() error   // the part of it that starts the SSH server
	ssh      *Process       // that server

	startUPnP func() error // the part of setup that starts the UPnP router
	upnp      *Process     // that router
}

// Host adds a host that is on no network yet.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	return l.Hosts(name)[0]
}

// Hosts adds several hosts at once, which takes hardly longer than one.
func (l *Lab) Hosts(names ...string) []*Host {
	l.t.Helper()
	hosts, errs := make([]*Host, len(names)), make([]error, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Go(func() { hosts[i], errs[i] = l.boot(name) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		l.t.Fatalf("lab: %v", err)
	}
	return hosts
}

// boot starts a new host.
func (l *Lab) boot(name string) (*Host, error) {
	h := &Host{Name: name, lab: l}
	if err := h.hold("", (*exec.Cmd).Start); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts = append(l.hosts, h)
	return h, nil
}

// hold starts the host's holder, by start and with a word to it in its
// environment, and waits until it has furnished its namespaces.
func (h *Host) hold(word string, start func(*exec.Cmd) error) error {
	h.pidfd, h.holder = -1, exec.Command("/proc/self/exe")
	// A program built with -race lasts a second longer than it has to.
	h.holder.Env = []string{holderEnv + "=" + h.Name, "TMPDIR=" + os.TempDir(), "GORACE=atexit_sleep_ms=0", word}
	h.trouble.Reset()
	h.holder.Stderr = &h.trouble
	h.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: everything, Setsid: true, PidFD: &h.pidfd}
	var err error
	if h.leash, err = h.holder.StdinPipe(); err != nil {
		return err
	}
	stdout, err := h.holder.StdoutPipe()
	if err != nil {
		return err
	}
	if err := start(h.holder); err != nil {
		return fmt.Errorf("start host %s: %w", h.Name, err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line != readyLine {
		return errors.Join(fmt.Errorf("host %s did not start: it said %q", h.Name, line), err, h.end())
	}
	if h.pidfd < 0 {
		return errors.Join(fmt.Errorf("start host %s: the kernel gives no pidfd, as Linux 5.8 and later do", h.Name), h.end())
	}
	return nil
}

// do does a part of the host's setup, which Restart does again.
func (h *Host) do(step func() error) error {
	h.mu.Lock()
	h.setup = append(h.setup, step)
	h.mu.Unlock()
	return step()
}

// keep has c closed when the host ends.
func (h *Host) keep(c io.Closer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		_ = c.Close() // whoever uses it finds out
		return
	}
	h.open = append(h.open, c)
}

// hangUp closes what is kept.
func (h *Host) hangUp() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = true
	for _, c := range h.open {
		_ = c.Close() // the test may have closed it itself
	}
	h.open = nil
}

// end lets the holder go, and with it everything that runs in the host, and
// waits until all of it is gone.
func (h *Host) end() error {
	h.hangUp()
	errs := []error{h.leash.Close()}
	timer := time.AfterFunc(Patient, func() {
		_ = h.holder.Process.Kill() // it can only have ended meanwhile
	})
	defer timer.Stop()
	// A process namespace is gone only when the parents of its processes
	// have waited for them, and of some this process is the parent.
	for _, c := range h.commands {
		_ = c.Wait() // killed, or ended long ago
	}
	if err := h.holder.Wait(); err != nil {
		errs = append(errs, fmt.Errorf("the holder of host %s ended: %w\n%s", h.Name, err, &h.trouble))
	}
	if h.pidfd >= 0 {
		errs = append(errs, unix.Close(h.pidfd))
	}
	return errors.Join(errs...)
}

// Sysctl sets a kernel parameter of the host, by its name with dots:
// net.ipv4.ip_forward. Only those that are a network namespace's own, as most
// of net is, are the host's; others can't be set. It lasts over a restart.
func (h *Host) Sysctl(name, value string) {
	h.lab.t.Helper()
	if err := h.sysctl(name, value); err != nil {
		h.lab.t.Fatalf("lab: %v", err)
	}
}

func (h *Host) sysctl(name, value string) error {
	if !strings.HasPrefix(name, "net.") {
		return fmt.Errorf("%s: %s is not a parameter of the network", h.Name, name)
	}
	return h.do(func() error {
		return h.write("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), value, os.O_TRUNC, 0o644)
	})
}

// RuleSet is what `nft list ruleset` prints, without the states of counters.
func (h *Host) RuleSet() string {
	h.lab.t.Helper()
	return h.Run("nft", "--stateless", "list", "ruleset")
}
