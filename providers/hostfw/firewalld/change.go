package firewalld

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// Change writes the files of our policies and has firewalld do the same at
// once. A policy that comes or goes needs a reload; what others have set until
// the next reload is then put back.
//
// It leaves in its directory what our policies are then, and after a reload what
// the rest is, for undo to know whether anybody has changed that since.
func (f *firewalld) Change(after host.Owned) string {
	list := f.describe(after)
	var b strings.Builder
	touched := f.touched(list)
	b.WriteString(f.oursNow(touched))
	for _, fr := range touched {
		b.WriteString(f.write(fr, list))
	}
	if f.active {
		reloads := f.reloads(after)
		if reloads {
			b.WriteString(f.others() + "bus call $fw $at $fw reload && others restore && others show >others || return\n")
		}
		for _, fr := range touched {
			switch {
			case !f.inForce(fr) || !f.stays(fr, list):
			case reloads:
				b.WriteString(f.setAll(fr, f.wants(fr, list)) + " || return\n")
			default:
				b.WriteString(f.set(fr, f.wants(fr, list)))
			}
		}
	}
	return b.String() + "ours >left || return\n"
}

// describe gives what the descriptions of our policies are to say.
func (f *firewalld) describe(after host.Owned) []described {
	var list []described
	for owner, rules := range after {
		for _, r := range rules {
			list = append(list, described{plan.Mark(f.project, owner), r})
		}
	}
	return list
}

// NeedsWhole: a reload changes the settings of all zones.
func (f *firewalld) NeedsWhole(after host.Owned) bool { return f.active && f.reloads(after) }

// reloads says whether a change needs a reload.
func (f *firewalld) reloads(after host.Owned) bool {
	list := f.describe(after)
	return slices.ContainsFunc(frames, func(fr frame) bool {
		if f.stays(fr, list) {
			return !f.takesRules(fr)
		}
		return f.inForce(fr)
	})
}

// stays says whether there is to be a policy of ours for these rules.
func (f *firewalld) stays(fr frame, list []described) bool {
	return len(oursOf(list, fr.kind)) > 0 || len(f.othersIn(fr)) > 0
}

// touched gives those of our policies that there are or are to be.
func (f *firewalld) touched(list []described) []frame {
	return slices.DeleteFunc(slices.Clone(frames), func(fr frame) bool {
		return !f.stays(fr, list) && !f.inForce(fr) && f.files[fr.name(f.project)] == nil
	})
}

// othersIn gives what others have put into the file of a policy of ours.
func (f *firewalld) othersIn(fr frame) []element {
	p := f.files[fr.name(f.project)]
	if p == nil {
		return nil
	}
	mine := richOf(oursOf(f.ours, fr.kind))
	return slices.DeleteFunc(slices.Clone(p.Parts), func(e element) bool {
		r, err := e.rich()
		return err == nil && slices.Contains(mine, r) ||
			slices.Contains([]string{"short", "ingress-zone", "egress-zone"}, e.XMLName.Local)
	})
}

// wants gives the rules that a policy of ours is to have now: those of others
// stay, whether for good or until the next reload.
func (f *firewalld) wants(fr frame, list []described) []string {
	words := func(list []described) []string {
		var out []string
		for _, r := range richOf(oursOf(list, fr.kind)) {
			out = append(out, r.String())
		}
		return out
	}
	mine := words(f.ours)
	extra := slices.DeleteFunc(slices.Clone(f.rulesNow(fr)), func(s string) bool { return slices.Contains(mine, s) })
	return union(extra, words(list))
}

func (f *firewalld) rulesNow(fr frame) []string { return f.now[fr.name(f.project)].rich() }

func (f *firewalld) file(fr frame) string { return policiesDir + "/" + fr.name(f.project) + ".xml" }

// write spells the commands that write the file of a policy of ours. firewalld
// reads the files of the directory that end with .xml, and none by halves.
func (f *firewalld) write(fr frame, list []described) string {
	file := f.file(fr)
	if !f.stays(fr, list) {
		return "rm -f " + file + " || return\n"
	}
	// The others are there for all to read too.
	return fmt.Sprintf("[ -d %[1]s ] || mkdir -p %[1]s || return\n(umask 022 && cat >%[2]s.new) %[3]s\nmv %[2]s.new %[2]s || return\n",
		policiesDir, file, host.HeredocOr(fr.render(oursOf(list, fr.kind), f.othersIn(fr))))
}

// set spells the commands that give a policy of ours these rules until the next
// reload, and no others. What is to go goes last, so that no port that stays open
// is shut in between: of two rules for a port firewalld takes one away first.
func (f *firewalld) set(fr frame, rules []string) string {
	now := f.rulesNow(fr)
	both := union(now, rules)
	var s string
	if len(both) > len(now) && len(both) > len(rules) {
		s = f.setOnly(fr, busList("rich_rules", "as", both)) + " || return\n"
	}
	if len(both) > len(now) || len(both) > len(rules) {
		s += f.setOnly(fr, busList("rich_rules", "as", rules)) + " || return\n"
	}
	return s
}

// setAll spells the command that gives a policy of ours these rules after a
// reload, and what else others had set in it until then.
func (f *firewalld) setAll(fr frame, rules []string) string {
	s := f.now[fr.name(f.project)]
	return f.setOnly(fr, append(s.entries(nil), busList("rich_rules", "as", rules))...)
}

func (f *firewalld) setOnly(fr frame, entries ...string) string {
	return fmt.Sprintf("bus call $fw $at $fw.policy setPolicySettings 'sa{sv}' %s %d %s >/dev/null", fr.name(f.project), len(entries), strings.Join(entries, " "))
}

// union gives the words of both lists, each once.
func union(a, b []string) []string {
	var out []string
	for _, s := range slices.Concat(a, b) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// busList spells an entry of a dictionary for busctl's command line. Its words
// are those of an array but for the number of elements.
func busList(key, signature string, words []string) string {
	n := len(words) / max(1, strings.Count(signature, "s"))
	s := fmt.Sprintf("%s %s %d", key, remote.Quote(signature), n)
	for _, w := range words {
		s += " " + remote.Quote(w)
	}
	return s
}
