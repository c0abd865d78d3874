//go:build linux

package lab

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Process is a program that keeps running in a host.
type Process struct {
	cmd    *Cmd
	output transcript
	ended  chan struct{}
	kill   func() error // ends the program
}

// Start starts a program that runs on until [Process.Stop] or the host's end.
// What it prints is in the test's log if the test fails.
func (h *Host) Start(name string, args ...string) *Process {
	h.lab.t.Helper()
	p, err := h.start(name, args...)
	if err != nil {
		h.lab.t.Fatal(err)
	}
	return p
}

func (h *Host) start(name string, args ...string) (*Process, error) {
	p := h.newProcess(name, args...)
	if err := h.launch(p); err != nil {
		return nil, err
	}
	return p, nil
}

// newProcess makes a process that launch starts.
func (h *Host) newProcess(name string, args ...string) *Process {
	p := &Process{cmd: h.Command(context.Background(), name, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.kill = func() error { return p.cmd.Process.Kill() }
	return p
}

func (h *Host) launch(p *Process) error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	h.lab.t.Cleanup(func() {
		if h.lab.t.Failed() {
			h.lab.t.Logf("%s printed:\n%s", p, p.Output())
		}
	})
	go func() {
		_ = p.cmd.Wait() // how it ended is told to who waits for something else
		close(p.ended)
	}()
	return nil
}

// Await waits until the program has printed all of these, and ends the test if
// it ends before, or is silent for too long.
func (p *Process) Await(texts ...string) {
	p.cmd.host.lab.t.Helper()
	if err := p.await(texts...); err != nil {
		p.cmd.host.lab.t.Fatal(err)
	}
}

func (p *Process) await(texts ...string) error {
	for _, text := range texts {
		select {
		case <-p.output.saw(text):
		case <-p.ended:
			return fmt.Errorf("%s ended (%v) before it printed %q:\n%s", p, p.cmd.ProcessState, text, p.Output())
		case <-time.After(Patient):
			return fmt.Errorf("%s did not print %q in %v:\n%s", p, text, Patient, p.Output())
		}
	}
	return nil
}

// Output is what the program has printed so far.
func (p *Process) Output() string { return p.output.String() }

// Stop kills the program and waits for its end. Children of it may live on.
func (p *Process) Stop() {
	_ = p.kill() // it can only have ended by itself
	<-p.ended
}

// String names the program and its host.
func (p *Process) String() string {
	return fmt.Sprintf("%s on %s", strings.Join(p.cmd.Args, " "), p.cmd.host.Name)
}

// transcript keeps what a program prints, and tells who waits for a text of it.
type transcript struct {
	mu      sync.Mutex
	text    bytes.Buffer
	awaited map[string]chan struct{}
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(b)
	for text, seen := range t.awaited {
		if bytes.Contains(t.text.Bytes(), []byte(text)) {
			close(seen)
			delete(t.awaited, text)
		}
	}
	return len(b), nil
}

// saw gives a channel that is closed as soon as text was printed.
func (t *transcript) saw(text string) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if seen := t.awaited[text]; seen != nil {
		return seen
	}
	seen := make(chan struct{})
	if bytes.Contains(t.text.Bytes(), []byte(text)) {
		close(seen)
		return seen
	}
	if t.awaited == nil {
		t.awaited = map[string]chan struct{}{}
	}
	t.awaited[text] = seen
	return seen
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
