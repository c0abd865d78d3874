package macos

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
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
			fmt.Fprintf(&b, "pass %s quick %s # %s %s\n", pfWays[r.Kind], pfText(r, from, pfLabel(mark)), mark, plan.Seal(rules))
		}
	}
	return b.String()
}

// pfWays are pf's words for the ways of packets. What answers to a packet that
// was let pass is let pass too: pf keeps state unless it is told not to.
var pfWays = map[plan.Kind]string{plan.Allow: "in", plan.Outbound: "out"}

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

var pfLineForm = regexp.MustCompile(`^(pass (in|out) quick (inet6? |)proto (tcp|udp) from (\S+) to any port ([0-9]+):([0-9]+) label "(btplan:[0-9a-f]{8})") # (\S+) ([0-9a-f]{8})$`)

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
	text, way, inet, protocol, from, first, last, label, mark, seal := f[1], f[2], strings.TrimSuffix(f[3], " "), f[4], f[5], f[6], f[7], f[8], f[9], f[10]
	project, owner, marked := plan.ParseMark(mark)
	ports, err := plan.ParsePortRange(first + "-" + last)
	sources, known := pfSource(inet, from)
	if !marked || err != nil || !known || label != pfLabel(mark) {
		return pfLine{}, "", false
	}
	rule := plan.Rule{Kind: plan.Allow, Protocol: plan.Protocol(protocol), Ports: ports, Sources: sources}
	if way == pfWays[plan.Outbound] {
		rule.Kind = plan.Outbound
		if inet != "" || from != "any" {
			return pfLine{}, "", false
		}
	}
	return pfLine{text: text, rule: rule, owner: owner, seal: seal}, project, true
}

// pfSource reads a source; "any" is everything, of one IP version or of both.
func pfSource(inet, from string) ([]netip.Prefix, bool) {
	all := map[string][]netip.Prefix{"": {host.Everywhere(false), host.Everywhere(true)}, "inet": {host.Everywhere(false)}, "inet6": {host.Everywhere(true)}}[inet]
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
