package ufw

import (
	"fmt"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// writtenFile is the file in which we note what we wrote: ufw keeps one comment
// for a rule, and who adds the same rule by hand takes our mark off it. If the
// file goes, such a rule is somebody else's.
func writtenFile(project string) string { return "/etc/btplan/" + project + ".ufw" }

// written is a line of that file.
type written struct{ tuple }

// of is w as the rule of an owner.
func (w written) of(project string, owner plan.Addr) written {
	w.comment = plan.Mark(project, owner)
	return w
}

func (w written) line() string {
	line := fmt.Sprintf("%s %s %s %s", w.protocol, w.ports, w.from, w.comment)
	if w.direction == outward {
		return outward + " " + line
	}
	return line
}

// parseWritten reads the file. It helps, and no more: a line that can't be read
// is none.
func parseWritten(file []byte) []written {
	var out []written
	for line := range strings.Lines(string(file)) {
		direction, f := inward, strings.Fields(line)
		if len(f) > 0 && f[0] == outward {
			direction, f = outward, f[1:]
		}
		if len(f) != 4 {
			continue
		}
		w := written{ourTuple(direction, f[0], f[1], f[2])}
		w.comment = f[3]
		out = append(out, w)
	}
	return out
}

// note spells the commands that write down what we wrote.
func (u *ufw) note(lines string) string {
	file := writtenFile(u.project)
	if lines == "" {
		return "rm -f " + file + " || return\nrmdir /etc/btplan 2>/dev/null || :\n"
	}
	return "mkdir -p /etc/btplan || return\ncat >" + file + " " + host.HeredocOr(lines) + "\n"
}
