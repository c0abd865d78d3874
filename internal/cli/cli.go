// Package cli is btplan's command line: it reads the options, runs the
// command, and gives the exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"

	"github.com/btplan/btplan/internal/view"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/all"
	"github.com/hashicorp/hcl/v2"
)

// The exit codes. Other programs rely on them.
const (
	exitOK          = 0
	exitError       = 1 // also: the user declined
	exitChanges     = 2 // plan -detailed-exitcode: there is something to do
	exitUnformatted = 3 // fmt -check
	exitIncomplete  = 4 // -detailed-exitcode: a device could not be read
	exitStale       = 5 // apply FILE: a device has changed since the plan was made
	exitRolledBack  = 6 // a change could not be proved to be right, and was taken back
)

// Process is what a run of btplan has of the process it runs in.
type Process struct {
	Args           []string // the program's name first
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Env            []string         // as os.Environ gives it
	Interrupts     <-chan os.Signal // Ctrl-C and whatever else asks to end
	// Release ends the delivery of Interrupts: the next one ends the process.
	// It is called when the run is broken off, and may be nil.
	Release func()
}

// Run runs one command line and gives the code to exit with. Cancelling ctx
// breaks the run off at once.
func Run(ctx context.Context, p Process) int {
	return newRun(p, all.Gateways(), all.Firewalls()).main(ctx)
}

// run is one run of btplan.
type run struct {
	Process
	options
	gateways, firewalls map[string]providers.Type
	out                 *stream         // what Stdout has become
	code                int             // to exit with
	printer             view.View       // nil until it is needed: see view
	done                []plan.Resource // what this run has applied so far

	interrupting sync.Mutex
	interrupted  bool
	stopGently   func() // what the next interrupt does; nil: break off at once
}

func newRun(p Process, gateways, firewalls map[string]providers.Type) *run {
	out := &stream{Writer: p.Stdout}
	r := &run{Process: p, gateways: gateways, firewalls: firewalls, out: out}
	r.Stdout = out
	return r
}

func (r *run) main(ctx context.Context) (code int) {
	// A panic would exit with 2, which says that a plan has changes.
	defer func() {
		if bug := recover(); bug != nil {
			say(r.Stderr, "%s\n\n%s\nThis is a bug in btplan, please report it with the text above.\n", view.Printable(fmt.Sprint("panic: ", bug)), debug.Stack())
			code = exitError
		}
	}()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go r.watchInterrupts(ctx, cancel)
	if err := r.commandLine().Run(ctx, r.Args); err != nil {
		// The parser tells of what can't be parsed through OnUsageError;
		// anything else is a mistake in how the commands are set up.
		panic(err)
	}
	if r.out.err != nil {
		r.fail("Output lost", "Not everything could be printed: "+r.out.err.Error()+".")
		return exitError
	}
	return r.code
}

// stream is an output that remembers that it failed, so that not every line
// has to be checked.
type stream struct {
	io.Writer
	err error
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	s.err = errors.Join(s.err, err)
	return n, err
}

// fail prints an error that has no place in the configuration, for commands
// that have no view, and gives the exit code that goes with it.
func (r *run) fail(summary, detail string) int {
	view.Diagnostics(r.viewOptions(), failure(summary, detail), nil)
	return exitError
}

// failInView is fail for commands that have a view.
func (r *run) failInView(summary, detail string) int {
	r.view().Diagnostics(failure(summary, detail), nil)
	return exitError
}

// view is the one view of this run, for the commands that have one.
func (r *run) view() view.View {
	if r.printer == nil {
		r.printer = view.New(r.viewOptions())
	}
	return r.printer
}

// failure is an error that has no place in the configuration.
func failure(summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail}}
}
