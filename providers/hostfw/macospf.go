package hostfw

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
)

// pfLine is a line of our file: one rule of pf, in the form in which pfctl
// lists it, but for the state that pf adds, and behind it as a comment the mark
// and the seal. pf keeps no comments, and 63 bytes of label.
type pfLine struct {
	text  string    // the rule
	rule  plan.Rule // with one source
	owner plan.Addr
	seal  string
}

// pfLines spells rules of one owner: each source takes a rule.
func pfLines(project string, owner plan.Addr, rules []plan.Rule) string {
	mark := plan.Mark(project, owner)
	var b strings.Builder
	for _, r := range rules {
		for _, from := range pfSources(r.Sources) {
			fmt.Fprintf(&b, "pass in quick %s # %s %s\n", pfText(r, from, pfLabel(mark)), mark, plan.Seal(rules))
		}
	}
	return b.String()
}

// pfText is a rule from its address family on. A single port is spelled as a
// range, for as a single one it would be listed by its name in /etc/services.
func pfText(r plan.Rule, from, label string) string {
	return fmt.Sprintf("%sproto %s from %s to any port %d:%d label %q", family(from), r.Protocol, strings.TrimPrefix(strings.TrimPrefix(from, "inet6 "), "inet "), r.Ports.First, r.Ports.Last, label)
}

// family is the address family at the front of a source, with its blank.
func family(from string) string {
	word, _, found := strings.Cut(from, " ")
	if !found {
		return ""
	}
	return word + " "
}

// pfSources spells sources as pfctl lists them, behind their address family.
func pfSources(sources []netip.Prefix) []string {
	if len(sources) == 0 {
		return []string{"any"}
	}
	var out []string
	for _, p := range sources {
		inet, from := "inet", p.String()
		if p.Addr().Is6() {
			inet = "inet6"
		}
		switch {
		case p.Bits() == 0:
			from = "any"
		case p.IsSingleIP():
			from = p.Addr().String()
		}
		out = append(out, inet+" "+from)
	}
	return out
}

// pfLabel stands for a mark in the rules that are loaded.
func pfLabel(mark string) string {
	sum := sha256.Sum256([]byte(mark))
	return fmt.Sprintf("btplan:%x", sum[:4])
}

var pfLineForm = regexp.MustCompile(`^(pass in quick (inet6? |)proto (tcp|udp) from (\S+) to any port ([0-9]+):([0-9]+) label "(btplan:[0-9a-f]{8})") # (\S+) ([0-9a-f]{8})$`)

// parsePFFile reads what pfLines wrote. Comments on lines of their own are notes
// of ours; anything else is somebody's mistake.
func parsePFFile(file []byte, project string) ([]pfLine, error) {
	var out []pfLine
	n := 0
	for line := range strings.Lines(string(file)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		l, of, ok := parsePFLine(line)
		if !ok || of != project {
			return nil, fmt.Errorf("line %d is not one of btplan's. If it was edited by hand, delete the file and apply again", n)
		}
		out = append(out, l)
	}
	return out, nil
}

func parsePFLine(line string) (l pfLine, project string, ok bool) {
	f := pfLineForm.FindStringSubmatch(line)
	if f == nil {
		return pfLine{}, "", false
	}
	project, owner, marked := plan.ParseMark(f[8])
	ports, err := plan.ParsePortRange(f[5] + "-" + f[6])
	sources, known := pfSource(strings.TrimSuffix(f[2], " "), f[4])
	if !marked || err != nil || !known || f[7] != pfLabel(f[8]) {
		return pfLine{}, "", false
	}
	rule := plan.Rule{Kind: plan.Allow, Protocol: plan.Protocol(f[3]), Ports: ports, Sources: sources}
	return pfLine{text: f[1], rule: rule, owner: owner, seal: f[9]}, project, true
}

// pfSource reads a source; "any" is everything, of one IP version or of both.
func pfSource(inet, from string) ([]netip.Prefix, bool) {
	all := map[string][]netip.Prefix{"": {everywhere(false), everywhere(true)}, "inet": {everywhere(false)}, "inet6": {everywhere(true)}}[inet]
	if from == "any" {
		return all, true
	}
	p, err := netip.ParsePrefix(from)
	if err != nil {
		a, err := netip.ParseAddr(from)
		if err != nil || a.Zone() != "" || a.Is4In6() {
			return nil, false
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return []netip.Prefix{p.Masked()}, p.Addr().Is6() == (inet == "inet6") && !p.Addr().Is4In6() || inet == ""
}

// stateWords are what pf adds to a rule that says nothing of states: pf.conf(5).
var stateWords = regexp.MustCompile(`( flags S/SA)?( keep state)?( label )`)

// parseLoaded gives the rules of an anchor as our file has them.
func parseLoaded(rules []byte) []string {
	var out []string
	for line := range strings.Lines(string(rules)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, stateWords.ReplaceAllString(line, "$3"))
		}
	}
	return out
}

// pfRule is a rule of others, as far as it has to do with us.
type pfRule struct {
	text     string
	block    bool
	quick    bool
	early    bool // it stands before the anchors of com.apple
	narrow   bool // it is for some interfaces or local addresses only
	vague    bool // it is for ports that can't be told, such as some by name
	protocol string
	sources  []netip.Prefix
	ports    *plan.PortRange // nil: all
}

// parsePFMain reads the rules that pfctl lists, and says whether they call the
// anchors of com.apple.
func parsePFMain(rules []byte) (out []pfRule, called bool) {
	for line := range strings.Lines(string(rules)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, `anchor "com.apple/*"`) {
			called = true
			continue
		}
		if r, inbound := parsePFRule(line); inbound {
			r.early = !called
			out = append(out, r)
		}
	}
	return out, called
}

// parsePFRule reads a rule such as
//
//	block drop in quick on en0 inet proto tcp from any to any port = 6881
//
// and says whether it is one for packets that come in.
func parsePFRule(line string) (r pfRule, inbound bool) {
	words := strings.Fields(line)
	if len(words) == 0 || words[0] != "pass" && words[0] != "block" {
		return r, false
	}
	r = pfRule{text: line, block: words[0] == "block"}
	inet, from := "", "any"
	next := func(i int) string {
		if i+1 < len(words) {
			return words[i+1]
		}
		return ""
	}
	to := false
	for i, w := range words {
		switch w {
		case "out":
			return r, false
		case "quick":
			r.quick = true
		case "on":
			r.narrow = true
		case "inet", "inet6":
			inet = w
		case "proto":
			r.protocol = next(i)
		case "from":
			from = next(i)
		case "to":
			to = true
			r.narrow = r.narrow || next(i) != "any"
		case "port":
			ports, ok := pfPorts(words[i+1:])
			switch {
			case !to:
				r.narrow = true // the sender's port
			case !ok:
				r.vague = true
			default:
				r.ports = &ports
			}
		}
	}
	sources, known := pfSource(inet, from)
	r.narrow = r.narrow || !known
	if len(sources) < 2 {
		r.sources = plan.CanonicalSources(sources)
	}
	if inet != "" && from == "any" {
		r.narrow = true
	}
	return r, r.protocol == "" || r.protocol == string(plan.TCP) || r.protocol == string(plan.UDP)
}

// pfPorts reads what stands behind "port": "= 6881" or "6881:6889".
func pfPorts(words []string) (plan.PortRange, bool) {
	if len(words) > 1 && words[0] == "=" {
		n, err := strconv.ParseUint(words[1], 10, 16)
		return plan.PortRange{First: uint16(n), Last: uint16(n)}, err == nil && n > 0
	}
	if len(words) == 0 {
		return plan.PortRange{}, false
	}
	first, last, isRange := strings.Cut(words[0], ":")
	p, err := plan.ParsePortRange(first + "-" + last)
	return p, isRange && err == nil
}

// rules gives what r is for.
func (r pfRule) rules() []plan.Rule {
	ports := plan.PortRange{First: 1, Last: 65535}
	if r.ports != nil {
		ports = *r.ports
	}
	var out []plan.Rule
	for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
		if r.protocol == "" || r.protocol == string(protocol) {
			out = append(out, plan.Rule{Kind: plan.Allow, Protocol: protocol, Ports: ports, Sources: r.sources})
		}
	}
	return out
}

// meets says whether r is for packets that w is for too.
func (r pfRule) meets(w plan.Rule) bool {
	return slices.ContainsFunc(r.rules(), func(x plan.Rule) bool { return x.Collides(w) && sourcesMeet(x.Sources, w.Sources) })
}

// isFor says whether r is for nothing but ports of w, whoever sends.
func (r pfRule) isFor(w plan.Rule) bool {
	return r.ports != nil && !r.narrow && r.sources == nil && r.protocol == string(w.Protocol) && r.ports.First >= w.Ports.First && r.ports.Last <= w.Ports.Last
}
