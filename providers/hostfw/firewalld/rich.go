package firewalld

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// rich is a rule in firewalld's rich language, as far as it opens or shuts
// ports: see firewalld.richlanguage(5).
type rich struct {
	priority int    // among the rules of its zone or policy
	family   string // "ipv4", "ipv6" or empty
	source   string // an address or prefix; empty: anywhere
	ports    string // "6881-6889", or empty: all
	protocol string
	action   string // "accept", "drop", "reject"
	more     bool   // there is more to it
}

// String is the rule as firewalld writes it, for a rule without more to it.
func (r rich) String() string {
	s := "rule"
	if r.priority != 0 {
		s += fmt.Sprintf(" priority=\"%d\"", r.priority)
	}
	if r.family != "" {
		s += fmt.Sprintf(" family=%q", r.family)
	}
	if r.source != "" {
		s += fmt.Sprintf(" source address=%q", r.source)
	}
	if r.ports != "" {
		s += fmt.Sprintf(" port port=%q protocol=%q", r.ports, r.protocol)
	}
	return s + " " + r.action
}

// xml is the rule as an element of a policy.
func (r rich) xml() string {
	s := "<rule"
	if r.family != "" {
		s += fmt.Sprintf(" family=%q", r.family)
	}
	s += ">"
	if r.source != "" {
		s += fmt.Sprintf("<source address=%q/>", r.source)
	}
	return s + fmt.Sprintf("<port port=%q protocol=%q/><accept/></rule>", r.ports, r.protocol)
}

// richOf gives the rich rules for rules of ours: one for each source. Unlike
// plain ports, firewalld doesn't join those that are next to each other.
func richOf(list []described) []rich {
	var out []rich
	for _, d := range list {
		out = append(out, richRules(d.rule)...)
	}
	slices.SortFunc(out, func(a, b rich) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

func richRules(rule plan.Rule) []rich {
	r := rich{ports: rule.Ports.String(), protocol: string(rule.Protocol), action: "accept"}
	if len(rule.Sources) == 0 {
		return []rich{r}
	}
	var out []rich
	for _, p := range rule.Sources {
		r.family, r.source = "ipv4", p.String()
		if p.Addr().Is6() {
			r.family = "ipv6"
		}
		switch {
		case p.Bits() == 0:
			r.source = ""
		case p.IsSingleIP():
			r.source = p.Addr().String()
		}
		out = append(out, r)
	}
	return out
}

// setPriority takes a priority as it is written. What is no number is more.
func (r *rich) setPriority(text string) {
	if text == "" {
		return
	}
	n, err := strconv.Atoi(text)
	r.priority, r.more = n, r.more || err != nil
}

// logged is what a rule writes to the log, which changes nothing of what it
// does with packets.
var logged = regexp.MustCompile(` (log|nflog|audit)( (prefix|level|group|queue-size)="[^"]*")*`)

// parseRich reads a rule as firewalld lists it. What it doesn't know is more.
func parseRich(text string) rich {
	var r rich
	within := ""
	for word := range strings.FieldsSeq(logged.ReplaceAllString(text, "")) {
		name, value, isAttr := strings.Cut(word, "=")
		value = strings.Trim(value, `"`)
		switch {
		case !isAttr && word == "rule":
		case !isAttr && (word == "accept" || word == "drop" || word == "reject"):
			r.action, within = word, word
		case !isAttr:
			within = word
			r.more = r.more || word != "source" && word != "port"
		case within == "" && name == "priority":
			r.setPriority(value)
		case name == "family":
			r.family = value
		case within == "source" && name == "address":
			r.source = value
		case within == "port" && name == "port":
			r.ports = value
		case within == "port" && name == "protocol":
			r.protocol = value
		case within == "reject" && name == "type":
		default:
			r.more = true
		}
	}
	return r
}

// rules gives what a rule that accepts lets through, as rules of this kind; none
// if it opens no port.
func (r rich) rules(kind plan.Kind) []plan.Rule {
	ports, err := plan.ParsePortRange(r.ports)
	if r.action != "accept" || r.more || err != nil {
		return nil
	}
	rule := plan.Rule{Kind: kind, Protocol: plan.Protocol(r.protocol), Ports: ports}
	switch {
	case r.source != "":
		p, ok := parseSource(r.source)
		if !ok {
			return nil
		}
		rule.Sources = plan.CanonicalSources([]netip.Prefix{p})
	case r.family != "":
		rule.Sources = []netip.Prefix{host.Everywhere(r.family == "ipv6")}
	}
	if rule.Check() != nil {
		return nil
	}
	return []plan.Rule{rule}
}

// parseSource reads an address or a prefix.
func parseSource(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.WithZone(""), a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	return p, err == nil
}

// shuts says whether r keeps out packets of ours. What it asks of them beside
// source and port may be theirs or not.
func (r rich) shuts(ours plan.Rule) bool {
	if !r.denies() {
		return false
	}
	if r.ports != "" {
		ports, err := plan.ParsePortRange(r.ports)
		if err != nil || r.protocol != string(ours.Protocol) || !ports.Overlaps(ours.Ports) {
			return false
		}
	}
	from, ok := parseSource(r.source)
	return r.source == "" || !ok || len(ours.Sources) == 0 || slices.ContainsFunc(ours.Sources, from.Overlaps)
}

func (r rich) denies() bool { return r.action == "drop" || r.action == "reject" }

// isForAll says whether a rule is for all packets, at least of an IP version.
func (r rich) isForAll() bool { return r.ports == "" && r.source == "" && !r.more }

// isFor says whether a rule that shuts ports is for nothing but ports of ours,
// whoever sends.
func (r rich) isFor(ours plan.Rule) bool {
	ports, err := plan.ParsePortRange(r.ports)
	return err == nil && r.source == "" && !r.more && ports.First >= ours.Ports.First && ports.Last <= ours.Ports.Last
}
