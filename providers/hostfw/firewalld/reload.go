package firewalld

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/remote"
)

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

// others spells a function that does something with all zones and policies but
// ours: "show" prints their settings, and "restore" gives them those that they
// were read with.
func (f *firewalld) others() string {
	var b strings.Builder
	b.WriteString(`show() {
	bus call $fw $at $fw.$1 $2 s "$4"
}
restore() {
	[ "$(show "$@")" = "$5" ] && return
	kind=$1 set=$3 name=$4
	shift 5
	bus call $fw $at $fw.$kind $set 'sa{sv}' "$name" "$@" >/dev/null
}
others() {
`)
	line := func(what, name string, s settings, lists map[string]string) {
		entries := s.entries(lists)
		fmt.Fprintf(&b, "\t$1 %s %s %s %d %s || return\n", what, remote.Quote(name), remote.Quote(s.line), len(entries), strings.Join(entries, " "))
	}
	for _, name := range slices.Sorted(maps.Keys(f.zones)) {
		line("zone getZoneSettings2 setZoneSettings2", name, f.zones[name], zoneLists)
	}
	ours := func(name string) bool {
		return slices.ContainsFunc(frames, func(fr frame) bool { return fr.name(f.project) == name })
	}
	for _, name := range slices.Sorted(maps.Keys(f.now)) {
		if !ours(name) {
			line("policy getPolicySettings setPolicySettings", name, f.now[name], policyLists)
		}
	}
	return b.String() + "}\n"
}

// entries spells those of the settings that can be set: the lists that all have,
// and these.
func (s settings) entries(lists map[string]string) []string {
	all := maps.Clone(commonLists)
	maps.Copy(all, lists)
	var out []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out = append(out, busList(key, all[key], s.dict[key].strings()))
	}
	for _, key := range switches {
		if v, there := s.dict[key]; there && v.signature == "b" {
			out = append(out, key+" b "+remote.Quote(v.words[0]))
		}
	}
	return out
}
