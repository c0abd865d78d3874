package guarded

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/providers"
)

// Keep makes the change stay, and runs save, the commands that make it last
// over a reboot, which end the script with another code than 0 when they can't.
// What is saved is what has been proved.
func (m *Made) Keep(ctx context.Context, save string) error {
	if m.on.RevertAfter > 0 {
		return m.claim(ctx, save)
	}
	if save == "" {
		return nil
	}
	if _, err := m.on.Runner.Run(ctx, script.FromStdin, []byte(script.Head+save+"exit 0\n")); err != nil {
		return m.notSaved(err)
	}
	return nil
}

// notSaved is the fate of a change that was made to stay but not to last.
func (m *Made) notSaved(err error) error {
	return fmt.Errorf("the change is in force, but could not be saved for the next boot: %w", m.on.Explain(err))
}

// takeBackPatience is how long the device may wait for the lock to take a change
// back at once, in seconds: after revert_after it does so anyway.
const takeBackPatience = 10

// TakeBack undoes a change that isn't as it should be, and says why. The error
// is flagged with providers.ErrRolledBack unless somebody else has changed since
// what the change made: that is left alone.
func (m *Made) TakeBack(ctx context.Context, why error) error {
	d := m.on
	if d.RevertAfter == 0 {
		return why
	}
	spelled := script.Head + script.LockWithin(takeBackPatience) +
		fmt.Sprintf("%s || exit\n[ $undone != %[2]d ] || exit %[2]d\n", strings.TrimSuffix(UndoNow(m.generation), "\n"), script.ExitLeft)
	_, err := d.Runner.Run(ctx, spelled, nil)
	var exit *remote.ExitError
	switch {
	case errors.As(err, &exit) && exit.Code == script.ExitLeft:
		return fmt.Errorf("%w. The change was not taken back: its rules are not as it left them, so somebody else has changed them since, and they stay as they are now. Run btplan plan to see", why)
	case err != nil:
		return providers.Flag(fmt.Errorf("%w. The change could not be taken back at once (%w), the %s does it by itself within %s", why, err, d.Noun, d.RevertAfter), providers.ErrRolledBack)
	}
	return providers.Flag(fmt.Errorf("%w. The change was taken back: the %s is as it was before", why, d.Noun), providers.ErrRolledBack)
}

// claim makes a change stay and saves it, over a new connection: that there can
// be one is the proof that nobody is locked out.
func (m *Made) claim(ctx context.Context, save string) error {
	d := m.on
	// Whether a claim comes in time is for the device to say, not for our
	// clock; and saving may take a while.
	ctx, cancel := context.WithDeadline(ctx, m.until.Add(time.Minute))
	defer cancel()
	spelled := []byte(script.Head + claimScript(d.Name, m.generation) + save + "exit 0\n")
	d.Runner.Hangup()
	var err error
	var unreachable *remote.UnreachableError
	var interrupted *remote.InterruptedError
	unknown := false // an attempt was cut short: it may have claimed the change
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		_, err = d.Runner.Run(ctx, script.FromStdin, spelled)
		unknown = unknown || errors.As(err, &interrupted)
		again := errors.As(err, &unreachable) || errors.As(err, &interrupted)
		if !again || ctx.Err() != nil || time.Now().After(m.until) {
			break
		}
		// A device may be slow to take connections again; nothing tells when.
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
		return providers.Flag(fmt.Errorf("the change was claimed too late: after %[1]s the %[2]s has taken it back. Set a longer revert_after if the %[2]s is slow", d.RevertAfter, d.Noun), providers.ErrRolledBack)
	case errors.As(err, &exit):
		return m.notSaved(err)
	case unknown:
		return fmt.Errorf("the connection ended while the change was being claimed: %w. If it was not, the %s takes it back by itself. Run btplan plan to see", err, d.Noun)
	}
	return providers.Flag(fmt.Errorf("after the change the %s could not be reached by a new connection: %w. By itself it takes the change back, and %s after it was made everything is as before", d.Noun, err, d.RevertAfter), providers.ErrRolledBack)
}

// claimScript spells the claim of a change. It may be run again when nobody
// knows how far it got: what was claimed last is kept in a file.
func claimScript(name, generation string) string {
	dir, claimed := changeDir(generation), "/run/btplan."+name+".claimed"
	return fmt.Sprintf(`mv %s %s.kept 2>/dev/null || [ -d %s.kept ] || [ "$(cat %s 2>/dev/null)" = %s ] || exit %d
echo %s >%s
%srm -rf %s.kept
rmdir %s 2>/dev/null
`, dir, dir, dir, claimed, generation, exitLate, generation, claimed, standDown(dir+".kept", generation), dir, script.ChangesDir)
}
