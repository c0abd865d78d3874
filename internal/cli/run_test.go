package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hcldec"
)

// slow is a device that takes what it is given once it is let, or fails when
// the run is broken off.
type slow struct {
	addr  plan.Addr
	turn  chan struct{} // each reading or apply takes one
	fail  func(plan.Addr) error
	rules []plan.Live
}

func (d *slow) wait(ctx context.Context) error {
	select {
	case <-d.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *slow) Shape(rules []plan.Rule) ([]plan.Rule, error) { return rules, nil }

func (d *slow) Read(ctx context.Context) (*providers.Reading, error) {
	if err := d.wait(ctx); err != nil {
		return nil, err
	}
	return &providers.Reading{Rules: d.rules}, nil
}

func (d *slow) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	err := cmp.Or(d.wait(ctx), d.fail(d.addr))
	for _, c := range changes {
		if err == nil {
			d.rules = append(d.rules, plan.Live{Rule: *c.After, Device: d.addr, Owner: c.Owner})
		}
		done(c, err)
	}
	return err
}

func (d *slow) Close() error { return nil }

// patience bounds each wait for the run under test.
const patience = 30 * time.Second

// transcript is an output that can be waited on.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // something was written since it was last looked at
}

func newTranscript() *transcript { return &transcript{more: make(chan struct{}, 1)} }

func (tr *transcript) Write(p []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	select {
	case tr.more <- struct{}{}:
	default:
	}
	return tr.text.Write(p)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.text.String()
}

// await waits until the text was printed.
func (tr *transcript) await(t *testing.T, text string) {
	t.Helper()
	for !strings.Contains(tr.String(), text) {
		select {
		case <-tr.more:
		case <-time.After(patience):
			t.Fatalf("%q was not printed, but:\n%s", text, tr)
		}
	}
}

// send waits until somebody takes v.
func send[T any](t *testing.T, to chan<- T, v T) {
	t.Helper()
	select {
	case to <- v:
	case <-time.After(patience):
		t.Fatal("the run does not get on")
	}
}

// play is a run in the background with two slow gateways, one at a time.
type play struct {
	t        *testing.T
	out, err *transcript
	ctrlC    chan os.Signal
	let      chan struct{}
	code     chan int
	released atomic.Bool // signals are no longer caught
}

func start(t *testing.T, stdin io.Reader, args ...string) *play {
	t.Helper()
	return startFailing(t, func(plan.Addr) error { return nil }, stdin, args...)
}

// always is how every apply fails.
func always(err error) func(plan.Addr) error { return func(plan.Addr) error { return err } }

// startFailing is start with gateways of which an apply comes to what fail
// says.
func startFailing(t *testing.T, fail func(plan.Addr) error, stdin io.Reader, args ...string) *play {
	t.Helper()
	dir := t.TempDir()
	const source = `
btplan {
  project = "home"
}
gateway "slow" "a" {}
gateway "slow" "b" {}
machine "pc" {
  address = "192.168.1.11"
}
port_range "bt" {
  machine  = machine.pc
  gateways = [gateway.a, gateway.b]
  ports    = 6881
}
`
	if err := os.WriteFile(filepath.Join(dir, "main.btp.hcl"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &play{t: t, out: newTranscript(), err: newTranscript(), ctrlC: make(chan os.Signal), let: make(chan struct{}), code: make(chan int, 1)}
	devices := map[plan.Addr]*slow{}
	types := map[string]providers.Type{"slow": {Name: "slow", Spec: hcldec.ObjectSpec{}, Open: func(s providers.Settings) (providers.Device, error) {
		if devices[s.Addr] == nil {
			devices[s.Addr] = &slow{addr: s.Addr, turn: p.let, fail: fail}
		}
		return devices[s.Addr], nil
	}}}
	r := newRun(Process{
		Args:  append([]string{"btplan", "-chdir=" + dir}, args...),
		Stdin: stdin, Stdout: p.out, Stderr: p.err, Interrupts: p.ctrlC, Release: func() { p.released.Store(true) },
	}, types, nil)
	go func() { p.code <- r.main(t.Context()) }()
	return p
}

// allow lets so many readings and applies happen.
func (p *play) allow(n int) {
	p.t.Helper()
	for range n {
		send(p.t, p.let, struct{}{})
	}
}

// interrupt presses Ctrl-C.
func (p *play) interrupt() {
	p.t.Helper()
	send(p.t, p.ctrlC, os.Interrupt)
}

// end waits for the run's end and checks how it ended and what it printed.
func (p *play) end(code int, wantOut, wantErr string) {
	p.t.Helper()
	select {
	case got := <-p.code:
		if got != code {
			p.t.Errorf("the exit code is %d, not %d", got, code)
		}
	case <-time.After(patience):
		p.t.Fatal("the run does not end")
	}
	if !strings.Contains(p.out.String(), wantOut) || !strings.Contains(p.err.String(), wantErr) {
		p.t.Errorf("want %q and %q; printed:\n%s\nand:\n%s", wantOut, wantErr, p.out, p.err)
	}
}

func TestInterruptOnce(t *testing.T) {
	p := start(t, nil, "apply", "-auto-approve", "-parallelism=1")
	p.allow(2) // both are read
	p.out.await(t, "gateway.a: port_range.bt: Creating...")
	p.interrupt()
	p.out.await(t, "Interrupt received.")
	p.allow(2) // a is changed, and read again
	p.end(exitError, "Apply incomplete: 1 done, 0 failed, 1 not attempted.", "")
	if strings.Contains(p.out.String(), "gateway.b: port_range.bt: Creating") {
		t.Error("another device was begun after the interrupt")
	}
	if p.released.Load() {
		t.Error("a second Ctrl-C would have ended the process")
	}
}

func TestInterruptTwice(t *testing.T) {
	p := start(t, nil, "apply", "-auto-approve", "-parallelism=1")
	p.allow(2)
	p.out.await(t, "gateway.a: port_range.bt: Creating...")
	p.interrupt()
	p.interrupt()
	p.end(exitError, "Apply incomplete: 0 done, 1 failed, 1 not attempted.", "gateway.a could not be changed")
	if !p.released.Load() {
		t.Error("a third Ctrl-C would have been swallowed")
	}
}

func TestInterruptReading(t *testing.T) {
	p := start(t, nil, "plan")
	p.interrupt()
	p.end(exitError, "", "Error: Interrupted\n\nNothing was changed.")
}

func TestInterruptQuestion(t *testing.T) {
	stdin, answer := io.Pipe()
	defer func() { _ = answer.Close() }()
	p := start(t, stdin, "apply")
	p.allow(2)
	p.out.await(t, "Enter a value:")
	p.interrupt()
	p.end(exitError, "Apply cancelled.", "interrupted")
}

func TestUninterrupted(t *testing.T) {
	p := start(t, strings.NewReader("yes\n"), "apply")
	p.allow(6)
	p.end(exitOK, "Apply complete! Resources: 2 added, 0 changed, 0 destroyed.", "")
}

func TestRolledBack(t *testing.T) {
	p := startFailing(t, always(fmt.Errorf("not reached any more: %w", providers.ErrRolledBack)), nil, "apply", "-auto-approve")
	p.allow(4)
	p.end(exitRolledBack, "Apply incomplete: 0 done, 2 failed, 0 not attempted.", "Not reached any more")
}

// Someone else is always quicker: btplan plans again, but not for ever.
func TestOutrun(t *testing.T) {
	p := startFailing(t, always(fmt.Errorf("changed since it was read: %w", providers.ErrConflict)), nil, "apply", "-auto-approve")
	p.allow(3 * 4)
	p.end(exitError, "Planning again, from what the devices hold now.", "Changed since it was read")
	if n := strings.Count(p.out.String(), "2 to add"); n != 3 {
		t.Errorf("planned %d times, not 3", n)
	}
}

// outrunOnce lets the first apply of gateway.b come too late.
func outrunOnce() func(plan.Addr) error {
	var late sync.Once
	return func(device plan.Addr) (err error) {
		if device.Name == "b" {
			late.Do(func() { err = fmt.Errorf("changed since it was read: %w", providers.ErrConflict) })
		}
		return err
	}
}

// What the first attempt did counts in the end.
func TestOutrunOnce(t *testing.T) {
	p := startFailing(t, outrunOnce(), nil, "apply", "-auto-approve")
	p.allow(2 + 3) // a is changed and read again
	p.allow(2 + 2)
	p.end(exitOK, "Apply complete! Resources: 2 added, 0 changed, 0 destroyed.", "Changed since it was read")
}

func TestOutrunJSON(t *testing.T) {
	p := startFailing(t, outrunOnce(), nil, "apply", "-auto-approve", "-json")
	p.allow(2 + 3)
	p.allow(2 + 2)
	p.end(exitOK, `"@message":"Planning again, from what the devices hold now."`, "")
	for line := range strings.Lines(p.out.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
	if n := strings.Count(p.out.String(), `"type":"version"`); n != 1 {
		t.Errorf("the version is told %d times:\n%s", n, p.out)
	}
	if !strings.Contains(p.out.String(), `"changes":{"add":2,"change":0,"import":0,"remove":0,"operation":"apply"}`) {
		t.Errorf("what was done is not summed up:\n%s", p.out)
	}
}

// Ctrl-C during an apply holds for the plans that would follow, too.
func TestOutrunInterrupted(t *testing.T) {
	p := startFailing(t, always(fmt.Errorf("changed since it was read: %w", providers.ErrConflict)), nil, "apply", "-auto-approve", "-parallelism=1")
	p.allow(2)
	p.out.await(t, "gateway.a: port_range.bt: Creating...")
	p.interrupt()
	p.out.await(t, "Interrupt received.")
	p.allow(1)
	p.end(exitError, "Apply incomplete: 0 done, 1 failed, 1 not attempted.", "Changed since it was read")
	if strings.Contains(p.out.String(), "Planning again") {
		t.Error("the interrupt was forgotten")
	}
}

// A device that took a change back is not tried again because of another one.
func TestOutrunRolledBack(t *testing.T) {
	p := startFailing(t, func(device plan.Addr) error {
		if device.Name == "a" {
			return fmt.Errorf("not reached any more: %w", providers.ErrRolledBack)
		}
		return fmt.Errorf("changed since it was read: %w", providers.ErrConflict)
	}, nil, "apply", "-auto-approve")
	p.allow(4)
	p.end(exitRolledBack, "Apply incomplete: 0 done, 2 failed, 0 not attempted.", "Not reached any more")
}

// A bug must not look like a plan with changes, whose exit code is Go's own
// for a panic.
func TestPanic(t *testing.T) {
	p := startFailing(t, func(plan.Addr) error { panic("out of \x1b[2Jplace") }, nil, "apply", "-auto-approve")
	p.allow(4)
	p.end(exitError, "Creating...", `panic: out of \x1b[2Jplace`)
	if text := p.err.String(); !strings.Contains(text, "TestPanic") || !strings.Contains(text, "This is a bug in btplan, please report it") {
		t.Errorf("printed:\n%s", text)
	}
}

// full is an output that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputLost(t *testing.T) {
	var stderr bytes.Buffer
	r := newRun(Process{Args: []string{"btplan", "version"}, Stdout: full{}, Stderr: &stderr}, nil, nil)
	if code := r.main(t.Context()); code != exitError {
		t.Errorf("the exit code is %d, not %d", code, exitError)
	}
	if !strings.Contains(stderr.String(), "no space left on device") {
		t.Errorf("printed: %s", &stderr)
	}
}
