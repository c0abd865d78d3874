package linuxgw

import (
	"bytes"
	"strings"
)

// What btplan has a gateway do is POSIX sh, and works with busybox: no bashisms,
// no nohup, no timeout, no stat.

// scriptHead makes the tools of root be found in a login that isn't root's,
// and their messages readable here.
const scriptHead = `PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
`

// runStdin is the script that runs the one on its standard input. Commands of
// that one have to keep their hands off it.
const runStdin = "exec sh -s"

// sectionHead defines the command that begins a section of output: an ASCII
// record separator, which no text that follows may hold, and a name.
const sectionHead = `section() { printf '\036%s\n' "$1"; }
`

// parseSections takes apart what sections of a script printed. What stands
// before the first one is dropped.
func parseSections(out []byte) map[string][]byte {
	sections := map[string][]byte{}
	for i, s := range bytes.Split(out, []byte{0x1e}) {
		if name, body, found := bytes.Cut(s, []byte("\n")); i > 0 && found {
			sections[string(name)] = body
		}
	}
	return sections
}

// heredoc spells a redirection that gives a command this text. The tag has to
// be one that is not a line of the text.
func heredoc(text, tag string) string {
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return "<<'" + tag + "'\n" + text + tag + "\n"
}
