package guarded

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
)

// undoUnit names the timer of systemd that takes a change back.
func undoUnit(generation string) string { return "btplan-undo-" + generation }

// arm spells the commands that make the device take the change back after
// RevertAfter, unless it was claimed by then. systemd does the waiting where it
// runs, for it may kill what a login leaves behind. The file watch says who
// waits, to be told when it needn't any longer: see standDown.
func (d *Device) arm(b *strings.Builder, generation string) {
	seconds := strconv.Itoa(int((d.RevertAfter + time.Second - 1) / time.Second))
	// Who has nothing to do leaves the lock alone: others may be waiting for it.
	// And who is at it need not be told to stop.
	undo := fmt.Sprintf("[ -d %[1]s ] || exit 0\n"+script.Lock+"rm -f %[1]s/watch\n", changeDir(generation)) + UndoNow(generation)
	// A shell that is killed would leave its sleep behind.
	wait := "trap 'kill $!; exit' TERM\nsleep " + seconds + " &\nwait $!\ntrap '' TERM\n"
	fmt.Fprintf(b, `if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null; then
	systemd-run --quiet --collect --on-active=%s --timer-property=AccuracySec=100ms --unit=%s \
		/bin/sh -c %s </dev/null >/dev/null 2>&1 && echo systemd >"$change/watch"
fi
if ! [ -e "$change/watch" ]; then
	(trap '' HUP; exec $detached sh -c %s) </dev/null >/dev/null 2>&1 9>&- &
	echo $! >"$change/watch"
fi
`, seconds, undoUnit(generation), remote.Quote(undo), remote.Quote(wait+undo))
}

// standDown spells the commands that end the waiting of who would take a change
// back, once that has been claimed or taken back by another. dir is where the
// change's directory has been moved to: who could do that knows that the
// process of the file watch is still waiting there, and not done and its number
// another's.
func standDown(dir, generation string) string {
	return fmt.Sprintf(`if read -r watch <%s/watch; then
	case $watch in
	systemd) systemctl --quiet stop %s.timer ;;
	*) kill "$watch" ;;
	esac
fi 2>/dev/null
`, dir, undoUnit(generation))
}

func changeDir(generation string) string { return script.ChangesDir + "/" + generation }

// UndoNow spells the commands that take a change back, unless somebody else
// has just claimed it or taken it back: that is their exit code. The variable
// undone is then how what took it back has ended; see script.ExitLeft.
func UndoNow(generation string) string {
	dir := changeDir(generation)
	return fmt.Sprintf(`mv %[1]s %[1]s.undo 2>/dev/null && cd %[1]s.undo && {
	sh ./undo
	undone=$?
	%[3]scd /
	rm -rf %[1]s.undo
	rmdir %[2]s 2>/dev/null || :
}
`, dir, script.ChangesDir, strings.ReplaceAll(standDown(".", generation), "\n", "\n\t"))
}
