package linuxgw

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// A change of a gateway goes like this, and each arrow is one round trip:
//
//	compare, snapshot, arm, change, read back → (look at it) → claim
//
// The claim comes over a new connection. Until then a process on the gateway,
// with nobody connected, waits to take the change back. What it needs for
// that is in a directory below changesDir that is named after the change's
// generation. To claim the change is to rename that directory, and so is to
// take it back: only one of the two can succeed.
const changesDir = "/run/btplan"

// How the change script ends when it has not changed anything.
const (
	exitChanged = 75 // EX_TEMPFAIL of sysexits.h: the gateway isn't what was planned from
	exitLate    = 76 // the change to be claimed has been taken back
	exitBusy    = 77 // somebody else has the lock
	exitNoLock  = 78 // there is none, and it is needed
)

// Apply writes our rules anew in one transaction, or with iptables in one for
// each table, with the hooks that they need in other people's chains. It takes effect as a whole or not at all,
// and stays only if the gateway can be reached by a new connection.
func (g *gateway) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if g.last == nil {
		panic("Apply without Read")
	}
	var err error
	if slices.ContainsFunc(changes, func(c plan.Change) bool { return c.Action != plan.NoOp }) {
		err = g.apply(ctx, changes)
	}
	for _, c := range changes {
		done(c, err)
	}
	return err
}

func (g *gateway) apply(ctx context.Context, changes []plan.Change) error {
	base := g.last
	entries, err := base.changed(g.project, changes)
	if err != nil {
		return err
	}
	generation := newGeneration()
	script := g.changeScript(base, changes, entries, generation)
	armed := time.Now()
	out, err := g.runChange(ctx, script)
	if err != nil {
		return g.whyFailed(ctx, base, err)
	}
	if err := g.checkReadBack(out, base, entries); err != nil {
		return g.takeBack(ctx, generation, err)
	}
	return g.keep(ctx, base, entries, generation, armed)
}

// runChange runs a change script, for as long as a change can be claimed.
func (g *gateway) runChange(ctx context.Context, script string) ([]byte, error) {
	if g.revertAfter > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, g.revertAfter)
		defer cancel()
	}
	return g.runner.Run(ctx, runStdin, []byte(script))
}

// patience is how long a change may wait for the lock, in seconds. It must
// leave time for the change itself: see runChange.
func (g *gateway) patience() int {
	if g.revertAfter == 0 {
		return changePatience
	}
	return min(changePatience, int(g.revertAfter/(2*time.Second)))
}

// needsLock says whether nothing but the lock keeps two changes at once from
// mixing in this filter.
func needsLock(f filter) bool {
	chains, is := f.(*ownChains)
	return is && chains.on.variant == viaNft
}

// changeScript spells a change up to its reading back.
func (g *gateway) changeScript(base *state, changes []plan.Change, entries []entry, generation string) string {
	list, printed := base.listing()
	forget := forgetFlows(changes)
	var b strings.Builder
	b.WriteString(scriptHead + sectionHead + lockOrLeave(g.patience(), needsLock(base.filter)))
	sum := sha256.Sum256(printed)
	// Where there is no sha256sum, the transaction's first command still
	// tells another btplan's change, though not one by hand.
	fmt.Fprintf(&b, `if command -v sha256sum >/dev/null; then
	now=$(%s | sha256sum)
	[ "${now%%%% *}" = %x ] || exit %d
fi
umask 077
`+detached+`change=%s
mkdir -p "$change" || exit
%scat >"$change/undo" %s`, list, sum, exitChanged, changeDir(generation), base.snapshot(),
		heredoc(undoScript(base, entries, generation)+forget, "BTPLAN_"+generation))
	if g.revertAfter > 0 {
		g.arm(&b, generation)
	}
	fmt.Fprintf(&b, "cat >\"$change/do\" %s$detached sh \"$change/do\" || exit\n",
		heredoc(doScript(base, entries, generation), "BTPLAN_"+generation))
	if g.revertAfter == 0 {
		fmt.Fprintf(&b, "rm -rf \"$change\"\nrmdir %s 2>/dev/null\n", changesDir)
	}
	b.WriteString(forget + g.readSections() + "exit 0\n")
	return b.String()
}

// detached sets the command that takes what it runs out of the reach of who ends
// the script: neither a change of several steps nor the process that waits to
// take it back may be cut short.
const detached = `detached=
if command -v setsid >/dev/null; then detached=setsid; fi
`

// doScript spells the change itself, and what takes it back at once where it
// fails half way.
func doScript(base *state, entries []entry, generation string) string {
	return fmt.Sprintf(`%schange() {
%s}
change
code=$?
if [ $code != 0 ]; then
	%s
fi
exit $code
`, scriptHead, base.change(entries, generation), undoNow(generation))
}

// checkReadBack looks at what the gateway held right after the change.
func (g *gateway) checkReadBack(out []byte, base *state, entries []entry) error {
	f, err := parseFacts(out)
	if err != nil {
		return err
	}
	now, err := newState(g, f)
	if err != nil {
		return err
	}
	var got []plan.Rule
	for _, l := range now.rules {
		if l.Owner.IsZero() {
			continue
		}
		if l.Drift != "" {
			return fmt.Errorf("the gateway took the change, but %s", l.Drift)
		}
		got = append(got, l.Rule)
	}
	var want []plan.Rule
	for _, e := range entries {
		if !slices.ContainsFunc(base.foreignEntries, func(f entry) bool { return f.rule.Equal(e.rule) && f.comment == e.comment }) {
			want = append(want, e.rule)
		}
	}
	slices.SortFunc(got, plan.Rule.Compare)
	slices.SortFunc(want, plan.Rule.Compare)
	if !slices.EqualFunc(got, want, plan.Rule.Equal) {
		return fmt.Errorf("the gateway took the change, but holds %v, not %v", got, want)
	}
	g.last = now
	return nil
}

// whyFailed finds out whether an apply failed because someone else was
// quicker.
func (g *gateway) whyFailed(ctx context.Context, base *state, err error) error {
	var interrupted *remote.InterruptedError
	if errors.As(err, &interrupted) && g.revertAfter > 0 {
		return providers.Flag(fmt.Errorf("nobody knows how far the change got: %w. If it was made, the gateway takes it back by itself, and %s later everything is as before", err, g.revertAfter), providers.ErrRolledBack)
	}
	var exit *remote.ExitError
	if !errors.As(err, &exit) {
		return explain(err)
	}
	changed := exit.Code == exitChanged
	if !changed && exit.Code != exitBusy && exit.Code != exitNoLock {
		now, readErr := g.read(ctx)
		changed = readErr == nil && now.generation != base.generation
	}
	if changed {
		return providers.Flag(
			fmt.Errorf("%s was changed by someone else since the plan was made, so nothing was touched: run btplan again to plan from what is there now", base.filter),
			providers.ErrConflict)
	}
	return explain(err)
}

// newGeneration names one writing of our rules as no other is named. Longer
// ones don't fit into the names of iptables' chains.
func newGeneration() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}
