package firewalld

import (
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// oursNow spells the function ours, which prints what these policies are: their
// files and, where firewalld runs, what they are until the next reload, in words
// that a reload by somebody else doesn't change: a description is taken up by it,
// and rules come in the order of the file.
func (f *firewalld) oursNow(list []frame) string {
	var files, names []string
	for _, fr := range list {
		files, names = append(files, f.file(fr)), append(names, fr.name(f.project))
	}
	if !f.active {
		return fmt.Sprintf("ours() { cat %s 2>/dev/null || :; }\n", strings.Join(files, " "))
	}
	return busHead + fmt.Sprintf(`ours() {
	cat %s
	for name in %s; do
		bus call $fw $at $fw.policy getPolicySettings s $name | sed 's/.*"target"/"target"/; s/ "/\n"/g' | sort
	done
} 2>/dev/null
`, strings.Join(files, " "), strings.Join(names, " "))
}

func (f *firewalld) Snapshot() string {
	var b strings.Builder
	for _, fr := range frames {
		fmt.Fprintf(&b, "[ ! -e %[1]s ] || cp -p %[1]s \"$change\" || exit\n", f.file(fr))
	}
	return b.String()
}

// Undo takes back a change. One that came to its end is only taken back while
// our policies are as it has left them: whoever has changed them since has taken
// over. And what others have since set until the next reload is not theirs to
// lose by ours: then only our rules go, and where a policy has to come back that
// the change has taken away, it comes with the next reload, and until then a
// plan says that it isn't in force.
func (f *firewalld) Undo(after host.Owned) string {
	var b strings.Builder
	touched := f.touched(f.describe(after))
	fmt.Fprintf(&b, "undo() {\n%s[ ! -e left ] || [ \"$(ours)\" = \"$(cat left)\" ] || return %d\n", f.oursNow(touched), script.ExitLeft)
	for _, fr := range touched {
		fmt.Fprintf(&b, "if [ -e %[1]s.xml ]; then cp -p %[1]s.xml %[2]s; else rm -f %[2]s; fi\n", fr.name(f.project), f.file(fr))
	}
	if f.active && f.reloads(after) {
		b.WriteString(f.others() + "if ! [ -e left ] || [ \"$(others show)\" = \"$(cat others)\" ]; then\n\tbus call $fw $at $fw reload && others restore || return\n")
		for _, fr := range touched {
			if f.inForce(fr) {
				b.WriteString("\t" + f.setAll(fr, f.rulesNow(fr)) + " || return\n")
			}
		}
		b.WriteString("\treturn\nfi\n")
	}
	for _, fr := range touched {
		if f.active {
			b.WriteString(f.setOnly(fr, busList("rich_rules", "as", f.rulesNow(fr))) + " 2>/dev/null\n")
		}
	}
	return b.String() + "}\nundo\n"
}
