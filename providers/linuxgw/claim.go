package linuxgw

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/providers"
)

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

// takeBack undoes a change that isn't as it should be, and says why.
func (g *gateway) takeBack(ctx context.Context, generation string, why error) error {
	if g.revertAfter == 0 {
		return why
	}
	if _, err := g.runner.Run(ctx, scriptHead+lockOrLeave(changePatience, false)+undoNow(generation), nil); err != nil {
		return providers.Flag(fmt.Errorf("%w. The change could not be taken back at once (%w), the gateway does it by itself within %s", why, err, g.revertAfter), providers.ErrRolledBack)
	}
	return providers.Flag(fmt.Errorf("%w. The change was taken back: the gateway is as it was before", why), providers.ErrRolledBack)
}

// claim makes a change stay and saves it, over a new connection: that there can be one is
// the proof that nobody is locked out.
func (g *gateway) claim(ctx context.Context, save, generation string, until time.Time) error {
	// Whether a claim comes in time is for the gateway to say, not for our
	// clock; and saving may take a while.
	ctx, cancel := context.WithDeadline(ctx, until.Add(time.Minute))
	defer cancel()
	script := scriptHead + claimScript(g.project, generation) + save + "exit 0\n"
	g.runner.Hangup()
	var err error
	var unreachable *remote.UnreachableError
	var interrupted *remote.InterruptedError
	unknown := false // an attempt was cut short: it may have claimed the change
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		_, err = g.runner.Run(ctx, runStdin, []byte(script))
		unknown = unknown || errors.As(err, &interrupted)
		again := errors.As(err, &unreachable) || errors.As(err, &interrupted)
		if !again || ctx.Err() != nil || time.Now().After(until) {
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
	case errors.As(err, &exit):
		return notSaved(err)
	case unknown:
		return fmt.Errorf("the connection ended while the change was being claimed: %w. If it was not, the gateway takes it back by itself. Run btplan plan to see", err)
	}
	return providers.Flag(fmt.Errorf("after the change the gateway could not be reached by a new connection: %w. By itself it takes the change back, and %s after it was made everything is as before", err, g.revertAfter), providers.ErrRolledBack)
}

// claimScript spells the claim of a change. It may be run again when nobody
// knows how far it got: what was claimed last is kept in a file.
func claimScript(project, generation string) string {
	dir, claimed := changeDir(generation), "/run/btplan."+project+".claimed"
	return fmt.Sprintf(`mv %s %s.kept 2>/dev/null || [ -d %s.kept ] || [ "$(cat %s 2>/dev/null)" = %s ] || exit %d
echo %s >%s
%srm -rf %s.kept
rmdir %s 2>/dev/null
`, dir, dir, dir, claimed, generation, exitLate, generation, claimed, standDown(dir+".kept", generation), dir, changesDir)
}
