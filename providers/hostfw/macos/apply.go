package macos

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// device is the firewall of one Mac. A Mac has no /run, and of the programs
// by which other scripts lock and compare not flock(1), setsid(1) nor
// sha256sum(1); its Perl does the same.
type device struct{ *host.Device }

// lockFile is what the lock is on. The lock, on an open file, is that of the
// script and of all that it runs, and goes with the last of them.
const lockFile = "/var/run/btplan.lock"

// head spells the beginning of a script, which takes the lock in one of Perl's
// modes, or ends with script.ExitBusy where somebody else has it.
func head(mode string) string {
	return script.Head + script.SectionHead + fmt.Sprintf(`exec 9>>%s || exit
perl -MFcntl=:flock -e 'open my $lock, ">&=9" or die $!; flock $lock, %s|LOCK_NB or $!{EWOULDBLOCK} ? exit %d : die $!' || exit
`, lockFile, mode, script.ExitBusy)
}

// Perl's modes of flock(2): to read with others, to change alone.
const (
	shared    = "LOCK_SH"
	exclusive = "LOCK_EX"
)

// Read gives our rules, and as foreign all others by which pf lets packets in to
// a port.
func (d device) Read(ctx context.Context) (*providers.Reading, error) {
	out, err := d.Guarded.Read(ctx, script.FromStdin, []byte(head(shared)+d.Sections(false)+"exit 0\n"))
	if err != nil {
		return nil, d.Guarded.Explain(err)
	}
	s, err := d.Parse(out)
	if err != nil {
		return nil, err
	}
	d.Last = s
	return d.ReadBack(), nil
}

// Apply makes the firewall hold our rules as they are to be. It does so as a
// whole or, where something fails, not at all.
func (d device) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if d.Last == nil {
		panic("Apply without Read")
	}
	return host.Together(changes, done, func() error { return d.apply(ctx, changes) })
}

func (d device) apply(ctx context.Context, changes []plan.Change) error {
	base := d.Last
	after, err := base.Changed(changes)
	if err != nil {
		return err
	}
	out, err := d.Guarded.RunInTurn(ctx, providers.ChangeLockTimeout, script.FromStdin, []byte(d.changeScript(base, after)))
	var exit *remote.ExitError
	if errors.As(err, &exit) && exit.Code == host.ExitChanged {
		err = guarded.ErrChanged
	}
	if err != nil {
		return d.WhyFailed(base, err)
	}
	now, err := d.Parse(out)
	if err != nil {
		return fmt.Errorf("the change was made, but what the machine says of it can't be read: %w", err)
	}
	if err := now.Check(after); err != nil {
		return err
	}
	d.Last = now
	return nil
}

// changeScript spells a change up to its reading back. Of its own session, the
// change comes to its end whatever becomes of the connection: half a change is
// none.
func (d device) changeScript(base *host.State, after host.Owned) string {
	list, printed := base.Listing()
	tag := "BTPLAN_" + guarded.NewGeneration()
	var b strings.Builder
	fmt.Fprintf(&b, `%snow=$(%s | shasum -a 256) || exit
[ "${now%%%% *}" = %x ] || exit %d
umask 077
change=$(mktemp -d /var/run/btplan.XXXXXX) || exit
%scat >"$change/do" %s(cd "$change" && exec perl -MPOSIX=setsid -e 'setsid(); exec @ARGV' sh ./do </dev/null) || exit
%sexit 0
`, head(exclusive), list, sha256.Sum256(printed), host.ExitChanged, base.Snapshot(),
		script.Heredoc(fmt.Sprintf(`%schange() {
%s}
change
code=$?
if [ $code != 0 ]; then
	%s
fi
rm -rf "$PWD"
exit $code
`, script.Head, base.Change(after), base.Undo(after)), tag), d.Sections(false))
	return b.String()
}
