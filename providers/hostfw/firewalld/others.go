package firewalld

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// foreignPolicy is what a policy does with packets, apart from our own rules in it.
type foreignPolicy struct {
	name, project   string // project: whose, where it is btplan's for another one
	priority        int
	ingress, egress []string
	rules           []worded // in the order in which packets meet them, and then the target
}

// worded is a rich rule and its words.
type worded struct {
	rich
	text string
}

// worded gives the rules of a zone or policy, plain ports as rules too.
func (s settings) worded() []worded {
	var out []worded
	ports := s.dict["ports"].strings()
	for i := 0; i+1 < len(ports); i += 2 {
		r := rich{ports: ports[i], protocol: ports[i+1], action: "accept"}
		out = append(out, worded{r, r.String()})
	}
	for _, text := range s.rich() {
		out = append(out, worded{parseRich(text), text})
	}
	return out
}

// policies gives the policies that apply to packets to this machine or, as kind
// says, to those that it sends: as they are in force or, where firewalld doesn't
// run, as they will be.
func (f *firewalld) policies(kind plan.Kind) []foreignPolicy {
	var out []foreignPolicy
	add := func(name, target, priority string, ingress, egress []string, rules []worded) {
		p := foreignPolicy{name: name, ingress: ingress, egress: egress, rules: rules}
		p.priority, _ = strconv.Atoi(priority)
		if f.applies(p, kind) {
			p.order(target)
			f.disown(&p, kind)
			out = append(out, p)
		}
	}
	if f.active {
		for name, s := range f.now {
			add(name, s.dict["target"].basic(), s.dict["priority"].basic(), s.dict["ingress_zones"].strings(), s.dict["egress_zones"].strings(), s.worded())
		}
	} else {
		for name, p := range f.files {
			var rules []worded
			for _, r := range p.rich() {
				rules = append(rules, worded{r, r.String()})
			}
			add(name, p.Target, p.Priority, p.named("ingress-zone"), p.named("egress-zone"), rules)
		}
	}
	slices.SortFunc(out, func(a, b foreignPolicy) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.name, b.name))
	})
	return out
}

// applies says whether any packets of a direction get to a policy. Which zones
// are in use is not known of a firewalld that doesn't run.
func (f *firewalld) applies(p foreignPolicy, kind plan.Kind) bool {
	here, there := p.egress, p.ingress
	if kind == plan.Outbound {
		here, there = there, here
	}
	return slices.Contains(here, "HOST") && (!f.active || slices.Contains(there, "ANY") ||
		slices.ContainsFunc(there, func(zone string) bool { return slices.Contains(f.inUse, zone) }))
}

// order puts the rules of a policy in order: by their priority, of equal ones
// what denies before what accepts, and behind them all the target.
func (p *foreignPolicy) order(target string) {
	if target == "ACCEPT" || target == "DROP" || target == "REJECT" {
		p.rules = append(p.rules, worded{rich{priority: math.MaxInt, action: strings.ToLower(target)}, "target " + target})
	}
	rank := func(w worded) int {
		if w.denies() {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.rules, func(a, b worded) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(rank(a), rank(b)))
	})
}

// disown takes our rules out of a policy, and says whose it is.
func (f *firewalld) disown(p *foreignPolicy, kind plan.Kind) {
	for _, fr := range frames {
		if p.name == fr.name(f.project) {
			mine := richOf(oursOf(f.ours, fr.kind))
			p.rules = slices.DeleteFunc(p.rules, func(w worded) bool { return slices.Contains(mine, w.rich) })
			return
		}
	}
	if file := f.files[p.name]; file != nil {
		if list := parseDescription(kind, file.Description); len(list) > 0 {
			p.project, _, _ = plan.ParseMark(list[0].mark)
		}
	}
}

// outward says whether anything drops what the machine sends, and gives what
// others let out to everyone before that.
func (f *firewalld) outward() (drops bool, accepts []plan.Live) {
	drops = len(f.direct) > 0
	var denied []rich
	for _, p := range f.policies(plan.Outbound) {
		everywhere := slices.Contains(p.egress, "ANY")
		for _, w := range p.rules {
			switch {
			case w.denies() && w.isForAll():
				drops = true
			case w.denies():
				denied = append(denied, w.rich)
			case everywhere && w.action == "accept" && w.isForAll() && w.family == "":
				return drops, accepts // nothing gets any further
			case everywhere && !drops:
				for _, rule := range w.rules(plan.Outbound) {
					if !slices.ContainsFunc(denied, func(d rich) bool { return d.shuts(rule) }) {
						accepts = append(accepts, plan.Live{Rule: rule, Project: p.project, Handle: "firewalld: policy " + p.name})
					}
				}
			}
		}
	}
	return drops, accepts
}

// denial is a rule of others that shuts ports.
type denial struct {
	worded
	where string // "zone public"
	some  bool   // only packets of some zones get to it
	first bool   // packets get to it before they get to ours
}

// denials gives the rules of others that shut ports against packets of a kind.
func (f *firewalld) denials(fr frame) []denial {
	var out []denial
	if fr.kind == plan.Allow {
		for _, zone := range f.inUse {
			for _, w := range f.zones[zone].worded() {
				out = append(out, denial{worded: w, where: "zone " + zone})
			}
		}
	}
	for _, p := range f.policies(fr.kind) {
		for _, w := range p.rules {
			out = append(out, denial{
				w, "policy " + p.name, !slices.Contains(slices.Concat(p.ingress, p.egress), "ANY"),
				p.priority <= fr.priority && p.name != fr.name(f.project),
			})
		}
	}
	return slices.DeleteFunc(out, func(d denial) bool { return !d.denies() })
}

// eachShutting calls do for the rules of others that keep packets from these
// rules, and for one of these each.
func (f *firewalld) eachShutting(rules []plan.Rule, do func(denial, plan.Rule)) {
	for _, fr := range frames {
		for _, d := range f.denials(fr) {
			for _, r := range rules {
				if r.Kind == fr.kind && d.shuts(r) {
					do(d, r)
				}
			}
		}
	}
}

func (f *firewalld) Overridden(rules []plan.Rule) []string {
	var names []string
	f.eachShutting(rules, func(d denial, _ plan.Rule) {
		// What drops everything is what the firewall is there for.
		if !d.isForAll() {
			names = append(names, fmt.Sprintf("%q of the %s", d.text, d.where))
		}
	})
	return names
}

func (f *firewalld) Refuse(rules []plan.Rule) (why *providers.Problem) {
	f.eachShutting(rules, func(d denial, r plan.Rule) {
		switch {
		case !d.some && d.isFor(r):
			why = &providers.Problem{
				Summary: "A rule shuts these ports",
				Detail:  fmt.Sprintf("firewalld's %s has the rule %q, which is for these very ports (%s). btplan does not open what someone has shut on purpose: remove that rule, with firewall-cmd --remove-rich-rule, or choose other ports.", d.where, d.text, r),
			}
		case d.first && why == nil:
			why = &providers.Problem{
				Summary: "A policy comes first",
				Detail:  fmt.Sprintf("firewalld's %s has %q, and comes before the policy of btplan's that would open %s: give it a higher priority number, with firewall-cmd --permanent --set-priority.", d.where, d.text, r),
			}
		}
	})
	return why
}

// Obstacles tells of direct rules that what is let out elsewhere doesn't get past.
func (f *firewalld) Obstacles(rules []plan.Rule) []providers.Problem {
	if len(f.direct) == 0 || !slices.ContainsFunc(rules, func(r plan.Rule) bool { return r.Kind == plan.Outbound }) {
		return nil
	}
	return []providers.Problem{{
		Summary: "A direct rule drops what the machine sends",
		Detail:  fmt.Sprintf("firewalld has the direct rule %q in %s, and what a policy lets out does not get past a direct rule. Make a policy of it, with firewall-cmd --permanent --new-policy, or let the trackers' ports out by a direct rule before it.", f.direct[0], directFile),
	}}
}

// dropsAll is what a direct rule looks like that drops all that is new.
var dropsAll = regexp.MustCompile(`^(-o \S+ )?(-m (conntrack --ctstate|state --state) (\S+,)?NEW(,\S+)? )?-j (DROP|REJECT)( --reject-with \S+)?$`)

// parseDirect reads the file of the direct rules: see firewalld.direct(5). It
// gives those that drop whatever the machine sends. They are rules of iptables,
// beside the tables in which policies are.
func parseDirect(file []byte) ([]string, error) {
	var direct struct {
		Rules []struct {
			Table string `xml:"table,attr"`
			Chain string `xml:"chain,attr"`
			Args  string `xml:",chardata"`
		} `xml:"rule"`
		Passthrough []string `xml:"passthrough"`
	}
	if err := xml.Unmarshal(file, &direct); err != nil {
		return nil, fmt.Errorf("it is not the XML of direct rules: %w", err)
	}
	var out []string
	add := func(args string) {
		args = strings.Join(strings.Fields(args), " ")
		if dropsAll.MatchString(args) {
			out = append(out, args)
		}
	}
	for _, r := range direct.Rules {
		if r.Table == "filter" && r.Chain == "OUTPUT" {
			add(r.Args)
		}
	}
	for _, args := range direct.Passthrough {
		args = strings.TrimPrefix(strings.Join(strings.Fields(args), " "), "-t filter ")
		for _, verb := range []string{"-A OUTPUT ", "-I OUTPUT "} {
			if rest, is := strings.CutPrefix(args, verb); is {
				add(rest)
			}
		}
	}
	return out, nil
}
