package firewalld

import (
	"slices"

	"github.com/btplan/btplan/plan"
)

// oursOf gives our rules of a kind.
func oursOf(list []described, kind plan.Kind) []described {
	return slices.DeleteFunc(slices.Clone(list), func(d described) bool { return d.rule.Kind != kind })
}

// live gives our rules: those that the descriptions of our policies tell of.
func (f *firewalld) live() []plan.Live {
	var out []plan.Live
	for _, fr := range frames {
		name, ours := fr.name(f.project), oursOf(f.ours, fr.kind)
		if len(ours) == 0 {
			continue
		}
		flaw := f.flaw(fr)
		permanent := f.files[name].rich()
		for _, d := range ours {
			_, owner, _ := plan.ParseMark(d.mark)
			l := plan.Live{Rule: d.rule, Owner: owner, Handle: "in firewalld's policy " + name, Drift: flaw}
			for _, r := range richRules(d.rule) {
				switch {
				case l.Drift != "":
				case !slices.Contains(permanent, r):
					l.Drift = "it is missing in firewalld's permanent configuration"
				case f.active && !slices.Contains(f.now[name].rich(), r.String()):
					l.Drift = "it is not in force"
				}
			}
			out = append(out, l)
		}
	}
	return out
}

// flaw says what is wrong with a policy of ours as a whole.
func (f *firewalld) flaw(fr frame) string {
	p := f.files[fr.name(f.project)]
	if !fr.is(p.Target, p.Priority, p.named("ingress-zone"), p.named("egress-zone")) {
		return "its policy was changed on the machine"
	}
	if !f.active {
		return ""
	}
	if !f.inForce(fr) {
		return "its policy is not in force"
	}
	if !f.takesRules(fr) {
		return "its policy was changed on the machine until the next reload"
	}
	return ""
}

// inForce says whether a policy of ours is there now.
func (f *firewalld) inForce(fr frame) bool {
	_, there := f.now[fr.name(f.project)]
	return there
}

// takesRules says whether a policy of ours is there now, and is what it has to
// be but for its rules.
func (f *firewalld) takesRules(fr frame) bool {
	now := f.now[fr.name(f.project)].dict
	return fr.is(now["target"].basic(), now["priority"].basic(), now["ingress_zones"].strings(), now["egress_zones"].strings())
}

// foreign gives the rules of others that open ports of this machine: those of
// zones that are in use, and of policies. What is opened by the name of a
// service is left out.
func (f *firewalld) foreign() []plan.Live {
	var out []plan.Live
	add := func(where, project string, rules []worded) {
		for _, w := range rules {
			for _, rule := range w.rules(plan.Allow) {
				out = append(out, plan.Live{Rule: rule, Project: project, Handle: "firewalld: " + where})
			}
		}
	}
	for _, name := range f.inUse {
		add("zone "+name, "", f.zones[name].worded())
	}
	for _, p := range f.policies(plan.Allow) {
		add("policy "+p.name, p.project, p.rules)
	}
	return out
}
