package linuxgw

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/nft"
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
)

// Apply writes our table anew in one transaction, with the hooks that it
// needs in other people's chains. It takes effect as a whole or not at all,
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

// keep makes the change stay, here and over a reboot. What is saved is what
// has been proved.
func (g *gateway) keep(ctx context.Context, base *state, entries []entry, generation string, armed time.Time) error {
	save := base.saveScript(entries, generation, "BTPLAN_"+generation)
	if g.revertAfter > 0 {
		if err := g.claim(ctx, save, generation, armed.Add(g.revertAfter)); err != nil {
			return err
		}
	} else if save != "" {
		if _, err := g.runner.Run(ctx, runStdin, []byte(scriptHead+save)); err != nil {
			return notSaved(err)
		}
	}
	g.last.nowSaved()
	return nil
}

// notSaved is the fate of a change that was made to stay but not to last.
func notSaved(err error) error {
	return fmt.Errorf("the change is in force, but could not be saved for the next boot: %w", explain(err))
}

// changeScript spells a change up to its reading back.
func (g *gateway) changeScript(base *state, changes []plan.Change, entries []entry, generation string) string {
	tag := "BTPLAN_" + generation
	var b strings.Builder
	b.WriteString(scriptHead + sectionHead)
	sum := sha256.Sum256(base.listing)
	// Where there is no sha256sum, the transaction's first command still
	// tells another btplan's change, though not one by hand.
	fmt.Fprintf(&b, `if command -v sha256sum >/dev/null; then
	now=$(%s | sha256sum)
	[ "${now%%%% *}" = %x ] || exit %d
fi
`, listOwn(base.table), sum, exitChanged)
	forget := forgetFlows(changes)
	if g.revertAfter > 0 {
		g.arm(&b, undoScript(base, generation)+forget, base, generation, tag)
	}
	fmt.Fprintf(&b, "nft -f - %s", heredoc(transaction(base, entries, generation), tag))
	if g.revertAfter > 0 {
		b.WriteString("code=$?\n[ $code = 0 ] || { rm -rf \"$change\"; exit $code; }\n")
	} else {
		b.WriteString("code=$?\n[ $code = 0 ] || exit $code\n")
	}
	b.WriteString(forget + g.readSections() + "exit 0\n")
	return b.String()
}

// arm spells the commands that make the gateway take the change back after
// revertAfter, unless it was claimed by then. systemd does the waiting where it
// runs, for it may kill what a login leaves behind.
func (g *gateway) arm(b *strings.Builder, undo string, base *state, generation, tag string) {
	seconds := strconv.Itoa(int((g.revertAfter + time.Second - 1) / time.Second))
	fmt.Fprintf(b, `umask 077
change=%s
mkdir -p "$change" || exit
nft list %s >"$change/table" 2>/dev/null
cat >"$change/undo" %s`, changeDir(generation), base.table, heredoc(undo, tag))
	wait := "sleep " + seconds + "; " + undoNow(generation)
	fmt.Fprintf(b, `armed=
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
	systemd-run --quiet --collect --on-active=%s --timer-property=AccuracySec=100ms --unit=btplan-undo-%s \
		/bin/sh -c %s </dev/null >/dev/null 2>&1 && armed=1
fi
if [ -z "$armed" ]; then
	(trap '' HUP; exec sh -c %s) </dev/null >/dev/null 2>&1 &
fi
`, seconds, generation, remote.Quote(undoNow(generation)), remote.Quote(wait))
}

func changeDir(generation string) string { return changesDir + "/" + generation }

// undoNow spells the command that takes a change back, unless somebody else
// has just claimed it or taken it back.
func undoNow(generation string) string {
	dir := changeDir(generation)
	return fmt.Sprintf("mv %s %s.undo 2>/dev/null && cd %s.undo && { sh ./undo; cd /; rm -rf %s.undo; }", dir, dir, dir, dir)
}

// undoScript spells what takes the change of this generation back. It is run
// in the change's directory. Like the change it is one transaction, and it
// does nothing once the table was written again.
func undoScript(base *state, generation string) string {
	family, name := base.table.Family, base.table.Name
	var b strings.Builder
	b.WriteString(scriptHead)
	b.WriteString("{\n")
	if base.exists {
		// Where the change has removed the table, nothing is there to be
		// deleted, and creating it fails if somebody else has made it again.
		fmt.Fprintf(&b, "if nft list %s >/dev/null 2>&1; then\n", base.table)
	}
	fmt.Fprintf(&b, "echo delete chain %s %s %s%s\necho delete %s\n", family, name, generations, generation, base.table)
	if base.exists {
		fmt.Fprintf(&b, "else echo create %s\nfi\ncat table\n", base.table)
	}
	for _, h := range base.hooks {
		place := h.place()
		switch {
		case h.needed && len(h.handles) == 0: // the change has made it
			fmt.Fprintf(&b, "nft -a list chain %s 2>/dev/null | sed -n 's/.* comment \"%s\" # handle \\([0-9]*\\)$/delete rule %s handle \\1/p'\n", place, base.hookComment, strings.ReplaceAll(place, "/", `\/`))
		case h.works: // the change may have removed it
			fmt.Fprintf(&b, "nft -a list chain %s 2>/dev/null | grep -q ' comment \"%s\" # handle' || echo 'insert rule %s %s'\n", place, base.hookComment, place, hookRule(base.hookComment))
		}
	}
	b.WriteString("} | nft -f -\n")
	return b.String()
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

// takeBack undoes a change that isn't as it should be, and says why.
func (g *gateway) takeBack(ctx context.Context, generation string, why error) error {
	if g.revertAfter == 0 {
		return why
	}
	if _, err := g.runner.Run(ctx, undoNow(generation), nil); err != nil {
		return providers.Flag(fmt.Errorf("%w. The change could not be taken back at once (%w), the gateway does it by itself within %s", why, err, g.revertAfter), providers.ErrRolledBack)
	}
	return providers.Flag(fmt.Errorf("%w. The change was taken back: the gateway is as it was before", why), providers.ErrRolledBack)
}

// claim makes a change stay and saves it, over a new connection: that there can be one is
// the proof that nobody is locked out.
func (g *gateway) claim(ctx context.Context, save, generation string, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	dir := changeDir(generation)
	script := scriptHead + fmt.Sprintf("mv %s %s.kept 2>/dev/null || exit %d\nrm -rf %s.kept\nrmdir %s 2>/dev/null\n", dir, dir, exitLate, dir, changesDir) +
		save + "exit 0\n"
	g.runner.Hangup()
	var err error
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		_, err = g.runner.Run(ctx, runStdin, []byte(script))
		var unreachable *remote.UnreachableError
		if !errors.As(err, &unreachable) || ctx.Err() != nil {
			break
		}
		// A gateway may be slow to take connections again; nothing tells when.
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	var exit *remote.ExitError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.Code == exitLate:
		return providers.Flag(fmt.Errorf("the change was claimed too late: after %s the gateway has taken it back, and is as it was before. Set a longer revert_after if the gateway is slow", g.revertAfter), providers.ErrRolledBack)
	}
	if errors.As(err, &exit) {
		return notSaved(err)
	}
	return providers.Flag(fmt.Errorf("after the change the gateway could not be reached by a new connection: %w. By itself it takes the change back, and %s after it was made everything is as before", err, g.revertAfter), providers.ErrRolledBack)
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
	if !changed {
		now, readErr := g.read(ctx)
		changed = readErr == nil && now.generation != base.generation
	}
	if changed {
		return providers.Flag(
			fmt.Errorf("%s was changed by someone else since the plan was made, so nothing was touched: run btplan again to plan from what is there now", base.table),
			providers.ErrConflict)
	}
	return explain(err)
}

// listOwn spells the command that prints our table, and nothing that changes
// by itself.
func listOwn(t nft.Table) string { return "nft -j list " + t.String() + " 2>/dev/null" }

// newGeneration names one writing of our table as no other is named.
func newGeneration() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails: crypto/rand
	return hex.EncodeToString(b)
}
