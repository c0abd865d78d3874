package ufw

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// step is one command of ufw's, without its name, and the one that takes it
// back; empty: none has to.
type step struct{ do, undo string }

// spelled is a rule of ours as it is written on ufw's command line: if it is
// for everyone of one IP version alone, its source is "0.0.0.0/0" or "::/0".
func (u *ufw) spelled(o ours) tuple {
	t := o.tuple
	if t.from == anywhere && u.ipv6 && o.six != [2]bool{true, true} {
		t.from = host.Everywhere(o.six[1]).String()
	}
	return t
}

// holds says whether t, as [tuples] spells it, is the rule o that is there, be
// it whole or flawed.
func (u *ufw) holds(o ours, t tuple) bool {
	return u.spelled(o).same(t) || o.flaw != "" && o.same(t)
}

// commented spells an option of ufw's commands; empty: they take a comment off.
// ufw takes none that isn't a line of text.
func commented(comment string) string {
	if comment == "" || strings.ContainsFunc(comment, unicode.IsControl) || !utf8.ValidString(comment) {
		return ""
	}
	return " comment " + remote.Quote(comment)
}

// steps first add what is to come, so that no port that stays open is shut in
// between, and then delete what is to go. New rules come before all others:
// behind somebody's deny they would be of no use. note is what to write down of
// the rules.
func (u *ufw) steps(after host.Owned) (list []step, note string) {
	var notes strings.Builder
	kept := map[int]bool{}
	for _, owner := range slices.SortedFunc(maps.Keys(after), plan.Addr.Compare) {
		mark := plan.Mark(u.project, owner)
		for _, t := range tuples(after[owner]) {
			fmt.Fprintln(&notes, written{t}.of(u.project, owner).line())
			args, comment := t.args(), commented(mark)
			i := slices.IndexFunc(u.ours, func(o ours) bool { return u.holds(o, t) })
			if i < 0 {
				list = append(list, step{"prepend " + args + comment, "delete " + args})
				continue
			}
			kept[i] = true
			o, back := u.ours[i], ""
			if o.comment != mark || !o.marked {
				back = args + commented(o.comment)
			}
			switch {
			case o.flaw != "":
				// To move it or to make it whole is to make it anew. It may
				// stay so.
				list = append(list, step{"delete " + args, back}, step{"prepend " + args + comment, ""})
			case back != "":
				list = append(list, step{args + comment, back})
			}
		}
	}
	for i, o := range u.ours {
		if !kept[i] {
			args := u.spelled(o).args()
			list = append(list, step{"delete " + args, "prepend " + args + commented(o.comment)})
		}
	}
	return list, notes.String()
}

func (u *ufw) NeedsWhole(host.Owned) bool { return false }

// Change also keeps, for undo, what it led to.
func (u *ufw) Change(after host.Owned) string {
	var b strings.Builder
	list, note := u.steps(after)
	for _, s := range list {
		fmt.Fprintf(&b, "ufw %s >/dev/null || return\n", s.do)
	}
	return b.String() + u.note(note) + "cat " + files + " >left || return\n"
}

func (u *ufw) Snapshot() string {
	return `cp -p /etc/ufw/user.rules /etc/ufw/user6.rules "$change" || exit
`
}

// Undo puts ufw's files back and loads them as ufw itself does. What someone
// else has done to other rules since the change would be lost by that: then it
// takes back its own, one by one. If not even these are as the change left
// them, another change has come after, which is not to be taken back.
func (u *ufw) Undo(after host.Owned) string {
	var b strings.Builder
	fmt.Fprintf(&b, `files() { cat %s; }
ours() { grep ' comment=%s'; }
if ! [ -e left ] || [ "$(files)" = "$(cat left)" ]; then
	cat user.rules >/etc/ufw/user.rules
	cat user6.rules >/etc/ufw/user6.rules
`, files, hex.EncodeToString([]byte(plan.Mark(u.project, plan.Addr{}))))
	if u.active {
		b.WriteString("\tiptables-restore -w -n </etc/ufw/user.rules\n")
		if u.ipv6 {
			b.WriteString("\tip6tables-restore -w -n </etc/ufw/user6.rules\n")
		}
	}
	b.WriteString(`elif [ "$(files | ours)" = "$(ours <left)" ]; then
	:
`)
	list, _ := u.steps(after)
	for _, s := range slices.Backward(list) {
		if s.undo != "" {
			fmt.Fprintf(&b, "\tufw %s >/dev/null\n", s.undo)
		}
	}
	fmt.Fprintf(&b, "else\n\treturn %d\nfi\n", script.ExitLeft)
	return b.String() + u.note(string(u.written))
}

// Takes counts the commands of ufw, each of which takes about a second, and
// more on a slow machine.
func (u *ufw) Takes(after host.Owned) time.Duration {
	const command = 3 * time.Second
	list, _ := u.steps(after)
	return time.Duration(len(list)) * command
}
