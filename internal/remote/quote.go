package remote

import (
	"fmt"
	"regexp"
	"strings"
)

// Quote makes one word of s for a POSIX sh script, whatever s holds: the shell
// takes nothing in it as its own. A NUL stays a NUL, which no shell can be
// given: [Runner.Run] refuses the script then.
func Quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// maxCommand is how long a command may be, in bytes: Linux passes no longer
// word to a program (MAX_ARG_STRLEN, 128 KiB with the final NUL), and the
// device's sshd passes the command to the login shell as one word.
const maxCommand = 128<<10 - 1

// checkScript says whether a shell can be given script at all.
func checkScript(script string) error {
	if at := strings.IndexByte(script, 0); at >= 0 {
		return fmt.Errorf("byte %d of the script is a NUL, which no shell can be given", at)
	}
	return nil
}

// sudoMark is what a script prints on its standard error before anything else
// where it was started through sudo. Without it in there, sudo didn't run the
// script. The exit code alone can't say that: sudo's own is 1, and a complaint
// of sudo's can stand in front of a script that it does run.
const sudoMark = "btplan: sudo has started the script"

// withSudoMark makes script print sudoMark. It stays on the first line, so
// that the shell's messages give the right line numbers.
func withSudoMark(script string) string { return "echo '" + sudoMark + "' >&2;" + script }

// sshCommand is the command line that makes a login shell at the far end run
// script by sh, with the standard input left for data.
//
// The login shell may be any. A sh takes all but ' literally between single
// quotes, but fish takes \\ and \' there as one character, and csh takes ! as
// history and lets no newline stand there. So each line of the script is a word
// of its own, and in it ', \ and ! stand behind a backslash, outside the quotes.
// An sh of its own runs the script, so that the login shell's options and
// functions have no part in it. So does one that hands SSH_CONNECTION through
// sudo, for fish and csh have words of their own for a variable that may not be
// there.
func sshCommand(script string, sudo bool) string {
	lines := "'" + lineWords.Replace(script) + "'"
	switch {
	case sudo:
		return `sh -c 'join=$1;shift;exec sudo -n sh -c "$join" sh "$SSH_CONNECTION" "$@"' sh '` + takeLogin + joinLines + `' ` + lines
	case startsProgram.MatchString(script):
		return script
	}
	return `sh -c '` + joinLines + `' sh ` + lines
}

// takeLogin makes of a script's first argument its SSH_CONNECTION, as ssh(1)
// has it. sudo takes that out of the environment, and where there is no /proc
// to look at the login's own, a script could not tell how btplan came there.
const takeLogin = `SSH_CONNECTION=$1;export SSH_CONNECTION;shift;`

// joinLines runs the script whose lines are the arguments, without them. "$*"
// joins these by the first character of IFS, which is a newline once a space and
// a tab are off (POSIX.1-2017, XCU 2.5.3: whatever the environment says). That
// starts no process, as $(printf) would. While IFS is unset, words are split as
// they were at first.
const joinLines = `IFS=${IFS#??};eval "shift $#;unset IFS;$*"`

// lineWords makes the inside of a word between single quotes, or of several.
var lineWords = strings.NewReplacer("'", `'\''`, `\`, `'\\'`, "!", `'\!'`, "\n", `' '`)

// startsProgram matches a script that means the same to every shell, and that
// needs no sh of its own: it starts one program, by words of letters.
var startsProgram = regexp.MustCompile(`^exec [a-z]+( -?[a-z]+)*$`)

// shellWord is s as a person would type it into a shell: quoted where it has to be.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("@%+:,./_-", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return Quote(s)
}
