// Package script spells what the scripts that btplan has a device run have in
// common: their beginning, the sections of what they print, and the lock that
// all of them take turns by. They are POSIX sh, and work with busybox: no
// bashisms, no nohup, no timeout, no stat.
package script

import (
	"bytes"
	"strings"
)

// Head makes the tools of root be found in a login that isn't root's, and their
// messages readable here.
const Head = `PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
export PATH LC_ALL
`

// FromStdin is the script that runs the one on its standard input. Commands of
// that one have to keep their hands off it.
const FromStdin = "exec sh -s"

// SectionHead defines the command that begins a section of output: an ASCII
// record separator, which no text that follows may hold, and a name.
const SectionHead = `section() { printf '\036%s\n' "$1"; }
`

// Printed is what sections of a script printed, by their names.
type Printed map[string][]byte

// Parse takes apart what a script printed. What stands before the first section
// is dropped.
func Parse(out []byte) Printed {
	sections := Printed{}
	for i, s := range bytes.Split(out, []byte{0x1e}) {
		if name, body, found := bytes.Cut(s, []byte("\n")); i > 0 && found {
			sections[string(name)] = body
		}
	}
	return sections
}

// Heredoc spells a redirection that gives a command this text. The tag has to
// be one that is not a line of the text.
func Heredoc(text, tag string) string {
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return "<<'" + tag + "'\n" + text + tag + "\n"
}
