package remote

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/btplan/btplan/internal/plain"
)

// ExitError is a script that was run and failed.
type ExitError struct {
	Target Target
	Script string
	Code   int    // its exit code; 128 and the signal's number if a signal ended it
	Signal string // the signal that ended it, without SIG ("KILL"); "": none did
	Stderr string // what it printed on its standard error, as it came: up to 64 KiB
	Stdout string // what it printed on its standard output: up to 64 KiB
}

// Error gives the code and the first line of the script's standard error.
func (e *ExitError) Error() string {
	how := "ended with code " + strconv.Itoa(e.Code)
	if e.Signal != "" {
		how = "was ended by signal " + printable(e.Signal)
	}
	line := firstLine(e.Stderr)
	if line == "" {
		line = "it printed no message"
	}
	return fmt.Sprintf("the script on %s %s: %s", e.Target, how, line)
}

// UnreachableError is a target on which no script could be run: nothing was
// read there and nothing was changed.
type UnreachableError struct {
	Target Target
	Err    error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("can't run commands on %s: %s", e.Target, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }

func (r *Runner) unreachable(err error) error { return &UnreachableError{r.target, err} }

// InterruptedError is a script whose end wasn't seen. Whether it was run, and
// how far, is not known.
type InterruptedError struct {
	Target Target
	Script string
	Err    error // why: the context's error, or what broke the connection
}

func (e *InterruptedError) Error() string {
	why := e.Err.Error()
	switch {
	case errors.Is(e.Err, context.DeadlineExceeded):
		why = "it did not end in time"
	case errors.Is(e.Err, context.Canceled):
		why = "btplan was stopped"
	}
	return fmt.Sprintf("the script on %s was cut short: %s. How much of it was done is not known", e.Target, why)
}

func (e *InterruptedError) Unwrap() error { return e.Err }

// SudoError is a sudo that didn't run the script.
type SudoError struct {
	User    string // who asked
	Missing bool   // there is no sudo
	Stderr  string // what sudo, or the shell that looked for it, printed
}

// Error says what sudo said, and what has to be set up.
func (e *SudoError) Error() string {
	said := ""
	if line := firstLine(e.Stderr); line != "" {
		said = " (" + line + ")"
	}
	if e.Missing {
		return fmt.Sprintf("there is no sudo%s: install it there, or log in as root and leave out sudo = true", said)
	}
	return fmt.Sprintf("sudo refused to run the script%s. btplan gives no password: allow it without one by visudo, with the line `%s ALL=(root) NOPASSWD: ALL`, or log in as root and leave out sudo = true",
		said, printable(e.User))
}

// explained is an error in words that say what to do. The one that a machine
// would look for is below it.
type explained struct {
	text string
	err  error
}

func explain(err error, format string, args ...any) error {
	return &explained{fmt.Sprintf(format, args...), err}
}

func (e *explained) Error() string { return e.text }

func (e *explained) Unwrap() error { return e.err }

// ended makes of how a script ended what Run returns.
func (r *Runner) ended(script string, out *output, code int, signal string) ([]byte, error) {
	stderr := out.stderr.String()
	if r.target.Sudo {
		before, after, started := strings.Cut(stderr, sudoMark+"\n")
		if !started && code != 0 {
			// The code is a sh's or fish's; csh has only words for it.
			missing := code == 127 || strings.Contains(stderr, "ommand not found")
			return nil, r.unreachable(&SudoError{r.target.User, missing, stderr})
		}
		stderr = before + after
	}
	if code != 0 {
		kept := out.stdout.kept
		return nil, &ExitError{r.target, script, code, signal, stderr, string(kept[:min(len(kept), maxStderr)])}
	}
	return out.stdout.kept, nil
}

// maxLine is how many characters of a device's line go into a message.
const maxLine = 300

// firstLine gives the first line of a device's output that isn't blank, fit
// for a terminal.
func firstLine(s string) string {
	for line := range strings.Lines(s) {
		if line = strings.TrimSpace(line); line != "" {
			return printable(line)
		}
	}
	return ""
}

// printable makes text from a device fit for a terminal. What is beyond maxLine
// characters is cut off.
func printable(s string) string {
	n := 0
	for i := range s {
		if n == maxLine {
			return plain.Line(s[:i]) + "…"
		}
		n++
	}
	return plain.Line(s)
}
