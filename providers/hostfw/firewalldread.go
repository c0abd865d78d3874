package hostfw

import (
	"maps"
	"slices"

	"github.com/btplan/btplan/plan"
)

// live gives our rules: those that the description of our policy tells of.
func (f *firewalld) live() []plan.Live {
	flaw := f.policyFlaw()
	var out []plan.Live
	for _, d := range f.ours {
		_, owner, _ := plan.ParseMark(d.mark)
		l := plan.Live{Rule: d.rule, Owner: owner, Handle: "in firewalld's policy " + f.name, Drift: flaw}
		permanent := f.files[f.name].rich()
		for _, r := range richRules(d.rule) {
			switch {
			case l.Drift != "":
			case !slices.Contains(permanent, r):
				l.Drift = "it is missing in firewalld's permanent configuration"
			case f.active && !slices.Contains(f.now[f.name].rich(), r.String()):
				l.Drift = "it is not in force"
			}
		}
		out = append(out, l)
	}
	return out
}

// policyFlaw says what is wrong with our policy as a whole.
func (f *firewalld) policyFlaw() string {
	if len(f.ours) == 0 {
		return ""
	}
	p := f.files[f.name]
	var in, out []string
	for _, e := range p.Parts {
		switch e.XMLName.Local {
		case "ingress-zone":
			in = append(in, e.attr("name"))
		case "egress-zone":
			out = append(out, e.attr("name"))
		}
	}
	if p.Target != policyTarget || p.Priority != policyPriority || !slices.Equal(in, []string{"ANY"}) || !slices.Equal(out, []string{"HOST"}) {
		return "its policy was changed on the machine"
	}
	if !f.active {
		return ""
	}
	if _, there := f.now[f.name]; !there {
		return "its policy is not in force"
	}
	if !f.takesRules() {
		return "its policy was changed on the machine until the next reload"
	}
	return ""
}

// takesRules says whether our policy is there now, and is what it has to be but
// for its rules.
func (f *firewalld) takesRules() bool {
	now := f.now[f.name].dict
	return slices.Equal(now["target"].words, []string{policyTarget}) && slices.Equal(now["priority"].words, []string{policyPriority}) &&
		slices.Equal(now["ingress_zones"].strings(), []string{"ANY"}) && slices.Equal(now["egress_zones"].strings(), []string{"HOST"})
}

// foreign gives the rules of others that open ports of this machine: those of
// zones that are in use, and of policies. What is opened by the name of a
// service is left out.
func (f *firewalld) foreign() []plan.Live {
	var out []plan.Live
	add := func(where, project string, rules ...rich) {
		for _, r := range rules {
			for _, rule := range r.rules() {
				out = append(out, plan.Live{Rule: rule, Project: project, Handle: "firewalld: " + where})
			}
		}
	}
	for _, name := range f.inUse {
		ports := f.zones[name].dict["ports"].strings()
		for i := 0; i+1 < len(ports); i += 2 {
			add("zone "+name, "", rich{ports: ports[i], protocol: ports[i+1], action: "accept"})
		}
		for _, text := range f.zones[name].rich() {
			add("zone "+name, "", parseRich(text))
		}
	}
	mine := richOf(f.ours)
	for _, name := range slices.Sorted(maps.Keys(f.files)) {
		p := f.files[name]
		if !slices.ContainsFunc(p.Parts, func(e element) bool { return e.XMLName.Local == "egress-zone" && e.attr("name") == "HOST" }) {
			continue
		}
		project := ""
		if list := parseDescription(p.Description); len(list) > 0 {
			project, _, _ = plan.ParseMark(list[0].mark)
		}
		rules := p.rich()
		if name == f.name {
			rules = slices.DeleteFunc(rules, func(r rich) bool { return slices.Contains(mine, r) })
			project = ""
		}
		add("policy "+name, project, rules...)
	}
	return out
}
