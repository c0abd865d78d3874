//go:build linux

package lab

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// commandLimit is how long a command that should end by itself may take.
const commandLimit = time.Minute

// Cmd is an [exec.Cmd] whose process is one of a host's. It is a child of the
// test's process all the same: signals, pipes and exit codes are as usual.
type Cmd struct {
	*exec.Cmd
	host  *Host
	ended sync.Once
	err   error
}

// Command makes a command to run in the host, as root, in /root, with the
// environment of a fresh login and nothing of the test's. A name without a
// slash is looked for in the usual directories.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	cmd := exec.CommandContext(ctx, find(name), args...) // #nosec G204 -- the test says what to run
	cmd.Dir = "/root"
	cmd.Env = []string{"PATH=" + searchPath, "HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/sh", "LANG=C.UTF-8"}
	// Ctrl-C is meant for the test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// What it leaves running in the background may hold its output open.
	cmd.WaitDelay = time.Second
	return &Cmd{Cmd: cmd, host: h}
}

// Start starts the process in the host. What is still running when the lab
// goes is killed.
func (c *Cmd) Start() error {
	if err := c.host.Enter(c.Cmd.Start); err != nil {
		return fmt.Errorf("on %s: %w", c.host.Name, err)
	}
	c.host.mu.Lock()
	defer c.host.mu.Unlock()
	c.host.commands = append(c.host.commands, c)
	return nil
}

// Wait waits until the process ends. It may be called more than once.
func (c *Cmd) Wait() error {
	c.ended.Do(func() { c.err = c.Cmd.Wait() })
	return c.err
}

// Run is Start and Wait.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the command and gives its standard output.
func (c *Cmd) Output() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

// CombinedOutput runs the command and gives its standard output and error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Try runs a command in the host and gives its standard output. The error has
// all that was printed in it, and wraps an [exec.ExitError] if the command
// ended with another code than 0.
func (h *Host) Try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := h.Command(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("on %s: %s: %w\nstdout: %s\nstderr: %s",
			h.Name, strings.Join(cmd.Args, " "), err, &stdout, &stderr)
	}
	return stdout.String(), nil
}

// Run runs a command in the host and gives its standard output. If it fails,
// the test ends there, with all that the command printed.
func (h *Host) Run(name string, args ...string) string {
	h.lab.t.Helper()
	out, err := h.Try(name, args...)
	if err != nil {
		h.lab.t.Fatal(err)
	}
	return out
}

// Sh runs a shell script in the host, up to its first command that fails,
// which ends the test. It gives the script's standard output.
func (h *Host) Sh(script string) string {
	h.lab.t.Helper()
	return h.Run("sh", "-euc", script)
}
