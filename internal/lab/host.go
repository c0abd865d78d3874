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
	commands []*Cmd // all that were started
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

// boot starts a host's holder and waits until it has furnished its namespaces.
func (l *Lab) boot(name string) (*Host, error) {
	h := &Host{Name: name, lab: l, pidfd: -1, holder: exec.Command("/proc/self/exe")}
	// A program built with -race lasts a second longer than it has to.
	h.holder.Env = []string{holderEnv + "=" + name, "TMPDIR=" + os.TempDir(), "GORACE=atexit_sleep_ms=0"}
	h.holder.Stderr = &h.trouble
	h.holder.SysProcAttr = &syscall.SysProcAttr{Cloneflags: everything, Setsid: true, PidFD: &h.pidfd}
	var err error
	if h.leash, err = h.holder.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := h.holder.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := h.holder.Start(); err != nil {
		return nil, fmt.Errorf("start host %s: %w", name, err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line != readyLine {
		return nil, errors.Join(fmt.Errorf("host %s did not start: it said %q", name, line), err, h.end())
	}
	if h.pidfd < 0 {
		return nil, errors.Join(fmt.Errorf("start host %s: the kernel gives no pidfd, as Linux 5.8 and later do", name), h.end())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hosts = append(l.hosts, h)
	return h, nil
}

// end lets the holder go, and with it everything that runs in the host, and
// waits until all of it is gone.
func (h *Host) end() error {
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
// of net is, are the host's; others can't be set.
func (h *Host) Sysctl(name, value string) {
	h.lab.t.Helper()
	if !strings.HasPrefix(name, "net.") {
		h.lab.t.Fatalf("lab: %s: %s is not a parameter of the network", h.Name, name)
	}
	h.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), value, 0o644)
}

// RuleSet is what `nft list ruleset` prints, without the states of counters.
func (h *Host) RuleSet() string {
	h.lab.t.Helper()
	return h.Run("nft", "--stateless", "list", "ruleset")
}
