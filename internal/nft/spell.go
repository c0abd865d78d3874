package nft

import (
	"fmt"
	"regexp"
	"strings"
)

// identifier is what nft's grammar takes for the name of a table, chain or
// set without quotes ("string" in its scanner.l). Names of other people's
// tables go into our commands, so nothing else may get there.
var identifier = regexp.MustCompile(`^[a-zA-Z_.][a-zA-Z0-9/_.-]{0,127}$`)

// CheckName gives an error unless s can stand in an nft command as a name.
func CheckName(s string) error {
	if !identifier.MatchString(s) {
		return fmt.Errorf("%q is not a name that can be given to nft", s)
	}
	return nil
}

// Quote spells a string for nft: a comment or an interface's name. nft has no
// escapes, so a string with a quote or a control character is a mistake of the
// caller, who validates what comes from outside.
func Quote(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r == '"' || r < ' ' || r == 0x7f }) {
		panic(fmt.Sprintf("nft can't spell %q", s))
	}
	return `"` + s + `"`
}
