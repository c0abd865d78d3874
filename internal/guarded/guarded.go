// Package guarded makes changes on devices that are reached by what they
// filter, so that no change can cut off who makes it. It goes like this, and
// each arrow is one round trip:
//
//	lock, compare, snapshot, arm, change, read back → (look at it) → claim
//
// The claim comes over a new connection. Until then a process on the device,
// with nobody connected, waits to take the change back. What it needs for that
// is in a directory that is named after the change's generation. To claim the
// change is to rename that directory, and so is to take it back: only one of
// the two can succeed.
package guarded

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/providers"
)

// Device is where changes are made.
type Device struct {
	Runner *remote.Runner
	Name   string // apart from all others that make changes there: the project's, "home"
	Noun   string // what it is, for messages: "gateway"
	// RevertAfter is how long a change waits to be claimed; 0: it needn't be.
	RevertAfter time.Duration
	// LockWait is how others are waited for; nil: as long as is usual.
	LockWait *providers.LockWait
	// LockFile is what the lock is on; empty: script.LockFile.
	LockFile string
}

// Change is one change, in POSIX sh.
type Change struct {
	// Generation names it: see NewGeneration.
	Generation string
	// Listing is the command that prints all that the change was planned
	// from, and nothing that changes by itself; Printed is what it printed.
	Listing string
	Printed []byte
	// Snapshot is the commands that put into the directory $change what Undo
	// needs of the present state.
	Snapshot string
	// Do and Undo are the bodies of functions that make the change and that
	// take it back, of as much of it as was made. They say "|| return" where a
	// failure is one. Undo is run in the directory of the snapshot, and returns
	// script.ExitLeft where somebody else has changed since what Do made.
	Do, Undo string
	// Afterwards is the commands that follow both.
	Afterwards string
	// Read is the commands that print what is there after the change, in
	// sections.
	Read string
	// NeedsLock says that nothing but the lock keeps two changes at once from
	// mixing.
	NeedsLock bool
}

// How a script ends that has not changed anything; see also package script.
const (
	ExitChanged = 75 // EX_TEMPFAIL of sysexits.h: the device isn't what was planned from
	exitLate    = 76 // the change to be claimed has been taken back
)

// ErrChanged is that the device isn't what was planned from: nothing was done.
var ErrChanged = errors.New("changed since the plan was made")

// NewGeneration names one writing of our rules as no other is named. Longer
// names don't fit into those of iptables' chains.
func NewGeneration() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}

// Made is a change that was made, and is not kept yet.
type Made struct {
	on         *Device
	generation string
	until      time.Time // when the device takes it back
}

// Make makes a change once nobody else is in the middle of one, up to reading
// back: out is what Read printed. The error is ErrChanged, one of the runner's,
// or flagged with providers.ErrLocked where somebody else did not come to an end
// and with providers.ErrRolledBack where nobody knows how far it got.
func (d *Device) Make(ctx context.Context, c Change) (m *Made, out []byte, err error) {
	spelled := []byte(d.Script(c))
	err = d.inTurn(ctx, providers.ChangeLockTimeout, func() (err error) {
		m, out, err = d.make(ctx, c.Generation, spelled)
		return err
	})
	return m, out, err
}

// make makes a change, unless somebody else is in the middle of one.
func (d *Device) make(ctx context.Context, generation string, spelled []byte) (m *Made, out []byte, err error) {
	m = &Made{d, generation, time.Now().Add(d.RevertAfter)}
	if d.RevertAfter > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.RevertAfter)
		defer cancel()
	}
	out, err = d.Runner.Run(ctx, script.FromStdin, spelled)
	if err == nil {
		return m, out, nil
	}
	var interrupted *remote.InterruptedError
	var exit *remote.ExitError
	switch {
	case errors.As(err, &interrupted) && d.RevertAfter > 0:
		err = providers.Flag(fmt.Errorf("%w. What was changed the %s takes back by itself: %s after the change it is as it was before. Run btplan plan then, to see", err, d.Noun, d.RevertAfter), providers.ErrRolledBack)
	case errors.As(err, &exit) && exit.Code == ExitChanged:
		err = ErrChanged
	}
	return nil, nil, err
}

// Script spells a change up to its reading back.
func (d *Device) Script(c Change) string {
	tag := "BTPLAN_" + c.Generation
	var b strings.Builder
	b.WriteString(script.Head + script.SectionHead + script.LockOrLeave(c.NeedsLock))
	sum := sha256.Sum256(c.Printed)
	// Where there is no sha256sum, the transaction's first command still
	// tells another btplan's change, though not one by hand.
	fmt.Fprintf(&b, `if command -v sha256sum >/dev/null; then
	now=$(%s | sha256sum)
	[ "${now%%%% *}" = %x ] || exit %d
fi
umask 077
`+detached+`change=%s
mkdir -p "$change" || exit
%scat >"$change/undo" %s`, c.Listing, sum, ExitChanged, changeDir(c.Generation), c.Snapshot,
		script.Heredoc(script.Head+"undo() {\n"+c.Undo+"}\nundo\n"+c.Afterwards, tag))
	if d.RevertAfter > 0 {
		d.arm(&b, c.Generation)
	}
	fmt.Fprintf(&b, "cat >\"$change/do\" %s(cd \"$change\" && exec $detached sh ./do </dev/null) || exit\n", script.Heredoc(c.doScript(), tag))
	if d.RevertAfter == 0 {
		fmt.Fprintf(&b, "rm -rf \"$change\"\nrmdir %s 2>/dev/null\n", script.ChangesDir)
	}
	b.WriteString(c.Afterwards + c.Read + "exit 0\n")
	return b.String()
}

// detached sets the command that takes what it runs out of the reach of who ends
// the script: neither a change of several steps nor the process that waits to
// take it back may be cut short.
const detached = `detached=
if command -v setsid >/dev/null; then detached=setsid; fi
`

// doScript spells the change itself, and what takes it back at once where it
// fails half way. It is run in the change's directory.
func (c Change) doScript() string {
	return fmt.Sprintf(`%schange() {
%s}
change
code=$?
if [ $code != 0 ]; then
	%s
fi
exit $code
`, script.Head, c.Do, UndoNow(c.Generation))
}

// Explain says what to do about the failures that have a known remedy.
func (d *Device) Explain(err error) error {
	var unreachable *remote.UnreachableError
	if errors.As(err, &unreachable) {
		return providers.Flag(err, providers.ErrUnreachable)
	}
	var exit *remote.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	switch {
	case exit.Code == 127:
		return fmt.Errorf("a program that was there is not on the %s any more: %w", d.Noun, err)
	case script.ForRootOnly(exit.Stderr):
		return fmt.Errorf("%s. What failed: %w", script.RootOnly, err)
	}
	return err
}
