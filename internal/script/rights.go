package script

import "strings"

// RootOnly says what to do about a lack of rights.
const RootOnly = "only root can read and change the packet filter, and btplan is not root there. Log in as root, or set sudo = true in the ssh block; with local = true, run btplan itself as root, by sudo btplan"

// ForRootOnly says whether a program has complained of a lack of rights.
func ForRootOnly(says string) bool {
	for _, s := range []string{"Operation not permitted", "Permission denied", "must be root", "need to be root"} {
		if strings.Contains(says, s) {
			return true
		}
	}
	return false
}
