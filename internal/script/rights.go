package script

import "strings"

// RootOnly says what to do about a lack of rights.
const RootOnly = "the packet filter may be read and changed by root only: log in as root, or set sudo = true in the ssh block; with local = true, run btplan as root"

// ForRootOnly says whether a program has complained of a lack of rights.
func ForRootOnly(says string) bool {
	for _, s := range []string{"Operation not permitted", "Permission denied", "must be root", "need to be root"} {
		if strings.Contains(says, s) {
			return true
		}
	}
	return false
}
