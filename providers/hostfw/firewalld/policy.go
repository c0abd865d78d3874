package firewalld

import (
	"crypto/sha256"
	"encoding/xml"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
)

// policy is a policy of firewalld's as its file has it: see
// firewalld.policy(5).
type policy struct {
	XMLName     xml.Name  `xml:"policy"`
	Target      string    `xml:"target,attr,omitempty"`
	Priority    string    `xml:"priority,attr,omitempty"`
	Description string    `xml:"description"`
	Parts       []element `xml:",any"`
}

// element is anything in a policy, kept as it was written.
type element struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Inner   string     `xml:",innerxml"`
}

func (e element) attr(name string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// named gives the names in those elements of the policy that are called so.
func (p *policy) named(element string) []string {
	var names []string
	for _, e := range p.Parts {
		if e.XMLName.Local == element {
			names = append(names, e.attr("name"))
		}
	}
	return names
}

// frame is what a policy of ours is but for its rules.
type frame struct {
	kind            plan.Kind // of its rules
	prefix          string    // of its name
	priority        int       // the least comes first
	ingress, egress string
}

// frames are those of the policies that a project may have. One policy is for
// one direction. That for packets to this machine comes before the zones; that
// for what the machine sends has to come before whatever policy drops it.
var frames = []frame{
	{plan.Allow, "btplan-", -100, "ANY", "HOST"},
	{plan.Outbound, "btpout-", -32768, "HOST", "ANY"},
}

// Ours have no say in what they don't let through.
const policyTarget = "CONTINUE"

// name names a project's policy. A name may have 17 letters, digits and any of
// _-/ (firewalld.policy(5)).
func (fr frame) name(project string) string {
	const room = 10
	if len(project) <= room && regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(project) {
		return fr.prefix + project
	}
	return fr.prefix + fmt.Sprintf("%x", sha256.Sum256([]byte(project)))[:room]
}

// is says whether a policy is the one that ours has to be, but for its rules.
func (fr frame) is(target, priority string, ingress, egress []string) bool {
	return target == policyTarget && priority == strconv.Itoa(fr.priority) &&
		slices.Equal(ingress, []string{fr.ingress}) && slices.Equal(egress, []string{fr.egress})
}

func parsePolicy(file []byte) (*policy, error) {
	p := &policy{}
	if err := xml.Unmarshal(file, p); err != nil {
		return nil, fmt.Errorf("it is not the XML of a policy: %w", err)
	}
	return p, nil
}

// rich gives the rules of the policy in firewalld's rich language.
func (p *policy) rich() []rich {
	var rules []rich
	for _, e := range p.Parts {
		if r, err := e.rich(); err == nil {
			rules = append(rules, r)
		}
	}
	return rules
}

// rich reads an element of a policy that is a rule, or a port.
func (e element) rich() (rich, error) {
	switch e.XMLName.Local {
	case "port":
		return rich{ports: e.attr("port"), protocol: e.attr("protocol"), action: "accept"}, nil
	case "rule":
	default:
		return rich{}, errors.New("it is no rule")
	}
	r := rich{family: e.attr("family")}
	r.setPriority(e.attr("priority"))
	var parts struct {
		Parts []element `xml:",any"`
	}
	if err := xml.Unmarshal([]byte("<rule>"+e.Inner+"</rule>"), &parts); err != nil {
		return rich{}, err
	}
	for _, part := range parts.Parts {
		switch name := part.XMLName.Local; {
		case name == "source" && part.attr("address") != "" && len(part.Attrs) == 1:
			r.source = part.attr("address")
		case name == "port":
			r.ports, r.protocol = part.attr("port"), part.attr("protocol")
		case name == "accept" || name == "drop" || name == "reject":
			r.action = name
			r.more = r.more || strings.TrimSpace(part.Inner) != ""
		case name == "log" || name == "nflog" || name == "audit":
		default:
			r.more = true
		}
	}
	return r, nil
}

// described is what the description of a policy of ours says: which rules are
// whose. firewalld keeps no comment for a rule.
type described struct {
	mark string
	rule plan.Rule
}

const descriptionHead = "Opened by btplan, which keeps account here. "

func describe(list []described) string {
	var parts []string
	for _, d := range list {
		s := fmt.Sprintf("%s %s %s", d.mark, d.rule.Protocol, d.rule.Ports)
		for _, source := range d.rule.Sources {
			s += " " + source.String()
		}
		parts = append(parts, s)
	}
	slices.Sort(parts)
	return descriptionHead + strings.Join(parts, "; ")
}

// parseDescription reads what describe has written for rules of this kind.
// Anything else describes nothing: the rules are then nobody's.
func parseDescription(kind plan.Kind, text string) []described {
	text, ours := strings.CutPrefix(strings.TrimSpace(text), strings.TrimSpace(descriptionHead))
	if !ours {
		return nil
	}
	var out []described
	for part := range strings.SplitSeq(text, ";") {
		f := strings.Fields(part)
		if len(f) < 3 {
			continue
		}
		d := described{mark: f[0], rule: plan.Rule{Kind: kind, Protocol: plan.Protocol(f[1])}}
		var err error
		if d.rule.Ports, err = plan.ParsePortRange(f[2]); err != nil {
			continue
		}
		for _, s := range f[3:] {
			// A source that can't be read is invalid, and left out below: the
			// rule would be another one.
			p, err := netip.ParsePrefix(s)
			if err != nil {
				d.rule.Protocol = ""
			}
			d.rule.Sources = append(d.rule.Sources, p)
		}
		d.rule.Sources = plan.CanonicalSources(d.rule.Sources)
		if d.rule.Check() == nil {
			out = append(out, d)
		}
	}
	return out
}

// render writes the file of a policy of ours. What others have put into it
// stays.
func (fr frame) render(list []described, others []element) string {
	var b strings.Builder
	escape := func(s string) string {
		var e strings.Builder
		_ = xml.EscapeText(&e, []byte(s)) // a Builder takes everything
		return e.String()
	}
	fmt.Fprintf(&b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<policy target=%q priority=\"%d\">\n", policyTarget, fr.priority)
	fmt.Fprintf(&b, "  <short>btplan</short>\n  <description>%s</description>\n", escape(describe(list)))
	fmt.Fprintf(&b, "  <ingress-zone name=%q/>\n  <egress-zone name=%q/>\n", fr.ingress, fr.egress)
	for _, e := range others {
		b.WriteString("  <" + e.XMLName.Local)
		for _, a := range e.Attrs {
			fmt.Fprintf(&b, " %s=\"%s\"", a.Name.Local, escape(a.Value))
		}
		b.WriteString(">" + e.Inner + "</" + e.XMLName.Local + ">\n")
	}
	for _, r := range richOf(list) {
		b.WriteString("  " + r.xml() + "\n")
	}
	b.WriteString("</policy>\n")
	return b.String()
}
