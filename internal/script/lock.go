package script

import (
	"bytes"
	"fmt"
)

// LockFile is what the lock is on: flock(2), held by the script that changes
// the device and by what it runs. It goes with the last of them, however they
// end. The transactions of nftables and of iptables-legacy would exclude each
// other without it; two of iptables-nft at once may both succeed, and mix.
const LockFile = "/run/btplan.lock"

// ChangesDir has a directory for each change that is being made.
const ChangesDir = "/run/btplan"

// How a script ends that has not done anything for want of the lock.
const (
	ExitBusy   = 77 // somebody else has it
	ExitNoLock = 78 // there is none, and it is needed
)

// ExitLeft is how what takes a change back ends where what the change made is
// not as it left it: somebody else has changed it since, and it is left alone.
const ExitLeft = 79

// openLock begins the commands that take the lock, as descriptor 9, where that
// can be had. They end with "fi".
const openLock = `[ -d /run ] || mkdir /run
if command -v flock >/dev/null && { true >>` + LockFile + `; } 2>/dev/null; then
	exec 9>>` + LockFile + `
`

// Lock is the commands that wait for the lock, for as long as it takes: they are
// for what has to be done even though nobody is there any more.
const Lock = openLock + "\tflock 9\nfi\n"

// LockOrLeave spells the commands that take the lock, or end the script with
// ExitBusy. They don't wait, since who does may go away: once nobody waits for a
// change any more, it must not be made. needed says that it must not be made
// without the lock either.
func LockOrLeave(needed bool) string {
	otherwise := ""
	if needed {
		otherwise = fmt.Sprintf("else\n\texit %d\n", ExitNoLock)
	}
	return openLock + fmt.Sprintf("\tflock -n 9 || exit %d\n", ExitBusy) + otherwise + "fi\n"
}

// LockWithin spells the commands that take the lock, or after so many seconds
// end the script with ExitBusy: they are for what is better done late than not,
// but not for long. Busybox's flock can't wait for a limited time.
func LockWithin(seconds int) string {
	return openLock + fmt.Sprintf(`	tries=0
	until flock -n 9; do
		[ $tries -lt %d ] || exit %d
		tries=$((tries + 1))
		sleep 1
	done
fi
`, seconds, ExitBusy)
}

// SharedLock is the commands that keep everyone from changing the device while
// the script runs, or end it with ExitBusy where somebody is in the middle of
// that.
var SharedLock = fmt.Sprintf(`if [ -d %s ] && [ -r %[2]s ] && command -v flock >/dev/null; then
	exec 9<%[2]s
	flock -ns 9 || exit %[3]d
fi
`, ChangesDir, LockFile, ExitBusy)

// LockSection is the commands that print what CanLock reads, as the section
// "lock". They start no program, and make no file.
const LockSection = `section lock
if command -v flock >/dev/null; then echo flock; fi
`

// CanLock says, by that section, whether the device has the program that takes
// the lock.
func CanLock(section []byte) bool { return len(bytes.TrimSpace(section)) > 0 }
