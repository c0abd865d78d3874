package linuxgw

import "fmt"

// The lock is flock(2) on a file, held by the script that changes the gateway
// and by what it runs: it goes with the last of them, however they end. The
// transactions of nftables and of iptables-legacy would exclude each other
// without it; two of iptables-nft at once may both succeed, and mix.
const lockFile = "/run/btplan.lock"

// openLock begins the commands that take the lock, as descriptor 9, where that
// can be had. They end with "fi".
const openLock = `[ -d /run ] || mkdir /run
if command -v flock >/dev/null && { true >>` + lockFile + `; } 2>/dev/null; then
	exec 9>>` + lockFile + `
`

// lock is the commands that wait for the lock, for as long as it takes: they are
// for what has to be done even though nobody is there any more.
const lock = openLock + "\tflock 9\nfi\n"

// How long a script waits for the lock when somebody waits for the script, in
// seconds. Who has it needs it for a moment, or on a slow gateway for some
// seconds.
const (
	changePatience = 10
	readPatience   = 30
)

// lockOrLeave spells the commands that take the lock, or end the script with
// exitBusy: once nobody waits for a change any more, it must not be made. needed
// says that it must not be made without the lock either.
func lockOrLeave(patience int, needed bool) string {
	otherwise := ""
	if needed {
		otherwise = fmt.Sprintf("else\n\texit %d\n", exitNoLock)
	}
	return openLock + tryLock("flock -n", patience) + otherwise + "fi\n"
}

// tryLock spells the loop that takes the lock. Busybox's flock can't wait for a
// limited time.
func tryLock(flock string, patience int) string {
	return fmt.Sprintf(`	tries=0
	until %s 9; do
		[ $tries -lt %d ] || exit %d
		tries=$((tries + 1))
		sleep 1
	done
`, flock, patience, exitBusy)
}

// sharedLock is the commands that wait until nobody is in the middle of a change.
var sharedLock = `if [ -d ` + changesDir + ` ] && [ -r ` + lockFile + ` ] && command -v flock >/dev/null; then
	exec 9<` + lockFile + `
` + tryLock("flock -ns", readPatience) + "fi\n"
