package hostfw

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
)

// change writes the file of our policy and has firewalld do the same at once.
// A policy that comes or goes needs a reload; what others have set until the
// next reload is then put back.
func (f *firewalld) change(after owned) string {
	list := f.describe(after)
	var b strings.Builder
	b.WriteString(f.write(list))
	if !f.active {
		return b.String()
	}
	b.WriteString(busHead)
	_, there := f.now[f.name]
	rules := f.extra()
	for _, r := range richOf(list) {
		rules = append(rules, r.String())
	}
	switch {
	case f.reloads(after):
		b.WriteString(f.reload())
	case there:
		// First with what is to go, so that no port that stays open is shut in
		// between: of two rules for a port firewalld takes one away first.
		b.WriteString(f.set(f.now[f.name].rich(), rules))
		b.WriteString(f.set(rules))
	}
	return b.String()
}

// describe gives what the description of our policy is to say.
func (f *firewalld) describe(after owned) []described {
	var list []described
	for owner, rules := range after {
		for _, r := range rules {
			list = append(list, described{plan.Mark(f.project, owner), r})
		}
	}
	return list
}

// needsWhole: a reload changes the settings of all zones.
func (f *firewalld) needsWhole(after owned) bool { return f.active && f.reloads(after) }

// reloads says whether a change needs a reload.
func (f *firewalld) reloads(after owned) bool {
	_, there := f.now[f.name]
	stays := len(after) > 0 || len(f.others()) > 0
	return stays && !f.takesRules() || !stays && there
}

// others gives what others have put into our policy's file.
func (f *firewalld) others() []element {
	p := f.files[f.name]
	if p == nil {
		return nil
	}
	mine := richOf(f.ours)
	return slices.DeleteFunc(slices.Clone(p.Parts), func(e element) bool {
		r, err := e.rich()
		return err == nil && slices.Contains(mine, r) ||
			slices.Contains([]string{"short", "ingress-zone", "egress-zone"}, e.XMLName.Local)
	})
}

// extra gives what others have put into our policy until the next reload, and
// for good.
func (f *firewalld) extra() []string {
	var mine []string
	for _, r := range richOf(f.ours) {
		mine = append(mine, r.String())
	}
	return slices.DeleteFunc(slices.Clone(f.now[f.name].rich()), func(s string) bool { return slices.Contains(mine, s) })
}

func (f *firewalld) file() string { return policiesDir + "/" + f.name + ".xml" }

// write spells the commands that write our policy's file. firewalld reads the
// files of the directory that end with .xml, and none by halves.
func (f *firewalld) write(list []described) string {
	others := f.others()
	if len(list) == 0 && len(others) == 0 {
		return "rm -f " + f.file() + " || return\n"
	}
	p := f.files[f.name]
	if p == nil {
		p = &policy{}
	}
	const mode = "0644" // that of the others
	return fmt.Sprintf("mkdir -p %s || return\ncat >%s.new %s\nchmod %s %s.new && mv %s.new %s || return\n",
		policiesDir, f.file(), heredocOr(p.render(list, others)), mode, f.file(), f.file(), f.file())
}

// set spells the command that gives our policy these rules until the next
// reload, and no others.
func (f *firewalld) set(lists ...[]string) string {
	var rules []string
	for _, list := range lists {
		for _, r := range list {
			if !slices.Contains(rules, r) {
				rules = append(rules, r)
			}
		}
	}
	return "bus call $fw $at $fw.policy setPolicySettings 'sa{sv}' " + f.name + " 1 " + busList("rich_rules", "as", rules) + " >/dev/null || return\n"
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

// What of the settings of zones and policies is lists, and can be set until the
// next reload: see zone and policy in firewalld.dbus(5). Which interfaces a
// zone has stays over a reload.
var (
	commonLists = map[string]string{
		"services": "as", "ports": "a(ss)", "icmp_blocks": "as", "forward_ports": "a(ssss)", "protocols": "as",
		"source_ports": "a(ss)",
	}
	zoneLists   = map[string]string{"rules_str": "as", "sources": "as"}
	policyLists = map[string]string{"rich_rules": "as", "ingress_zones": "as", "egress_zones": "as"}
	switches    = []string{"masquerade", "forward", "icmp_block_inversion"}
)

// reload spells the commands that have firewalld read its files, and then give
// all zones and policies but ours the settings that they have now.
func (f *firewalld) reload() string {
	var b strings.Builder
	b.WriteString(`restore() {
	kind=$1 get=$2 set=$3 name=$4 was=$5
	shift 5
	[ "$(bus call $fw $at $fw.$kind $get s "$name")" = "$was" ] ||
		bus call $fw $at $fw.$kind $set 'sa{sv}' "$name" "$@" >/dev/null
}
bus call $fw $at $fw reload || return
`)
	for _, name := range slices.Sorted(maps.Keys(f.zones)) {
		b.WriteString("restore zone getZoneSettings2 setZoneSettings2 " + f.zones[name].spell(name, zoneLists))
	}
	for _, name := range slices.Sorted(maps.Keys(f.now)) {
		if name != f.name {
			b.WriteString("restore policy getPolicySettings setPolicySettings " + f.now[name].spell(name, policyLists))
		}
	}
	return b.String()
}

// spell spells settings for restore.
func (s settings) spell(name string, own map[string]string) string {
	lists := maps.Clone(commonLists)
	maps.Copy(lists, own)
	var entries []string
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		entries = append(entries, busList(key, lists[key], s.dict[key].strings()))
	}
	for _, key := range switches {
		if v, there := s.dict[key]; there && v.signature == "b" {
			entries = append(entries, key+" b "+remote.Quote(v.words[0]))
		}
	}
	return fmt.Sprintf("%s %s %d %s || return\n", remote.Quote(name), remote.Quote(s.line), len(entries), strings.Join(entries, " "))
}

func (f *firewalld) snapshot() string {
	return fmt.Sprintf("[ ! -e %s ] || cp -p %s \"$change/policy\" || exit\n", f.file(), f.file())
}

func (f *firewalld) undo(after owned) string {
	s := fmt.Sprintf("undo() {\nif [ -e policy ]; then cp -p policy %s; else rm -f %s; fi\n", f.file(), f.file())
	if f.active {
		s += busHead
		if _, there := f.now[f.name]; f.reloads(after) {
			s += f.reload()
			if there {
				s += f.set(f.now[f.name].rich())
			}
		} else if there {
			s += f.set(f.now[f.name].rich())
		}
	}
	return s + "}\nundo\n"
}
