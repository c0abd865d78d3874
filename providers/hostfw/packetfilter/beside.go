package packetfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// Beside is a firewall that writes the rules of a packet filter for people, ufw
// or firewalld, which also warns of what rules drop that it hasn't written: what
// one filter lets pass another may drop all the same.
func Beside(k host.Kind) host.Kind {
	return host.Kind{
		Name: k.Name,
		Script: func(project string, whole bool) string {
			reading := readingOf(project, netfilter.Auto)
			reading.Peers = false
			manager := netfilter.Manager(k.Name)
			if manager == netfilter.UFW {
				// iptables' own list would be of ufw's rules, which are left
				// out, and takes three more programs.
				reading.InFull = ""
			}
			return k.Script(project, whole) + "if " + manager.NotAlone() + "; then\n" + reading.Script() + "fi\n"
		},
		Read: func(project string, p script.Printed) (*host.Holding, error) {
			h, err := k.Read(project, p)
			if err == nil && h != nil {
				WarnOfOthers(h, project, p, k.Name)
			}
			return h, err
		},
	}
}

// WarnOfOthers has a firewall warn of what other packet filters drop, by what
// was read of these: of all rules but those that the firewalls of these names
// write.
func WarnOfOthers(h *host.Holding, project string, p script.Printed, firewalls ...string) {
	if p["iptables"] == nil {
		return // they were not asked for
	}
	f, err := readingOf(project, netfilter.Auto).Parse(p)
	if err != nil {
		h.Problems = append(h.Problems, providers.Problem{
			Summary: "What other filters drop can't be told",
			Detail:  fmt.Sprintf("The rules of nftables and iptables on the machine can't be read: %s. If any but those of %s drop packets, a port that btplan opens stays shut.", err, h),
			OfRules: true,
		})
		return
	}
	var managers []netfilter.Manager
	for _, name := range firewalls {
		managers = append(managers, netfilter.Manager(name))
	}
	bases := map[plan.Kind][]netfilter.Base{
		plan.Allow:    slices.Collect(f.Bases(netfilter.Input, managers...)),
		plan.Outbound: slices.Collect(f.Bases(netfilter.Output, managers...)),
	}
	h.Beside = func(rules []plan.Rule) []providers.Problem { return droppedBeside(h.String(), bases, rules) }
	h.Problems = append(h.Problems, h.Beside(h.Ours().Rules())...)
}

// droppedBeside tells of chains that drop packets of some of these rules.
func droppedBeside(firewall string, bases map[plan.Kind][]netfilter.Base, rules []plan.Rule) []providers.Problem {
	var names []string
	for _, kind := range []plan.Kind{plan.Allow, plan.Outbound} {
		for _, b := range bases[kind] {
			for _, r := range rules {
				if name := droppedIn(b, r); r.Kind == kind && name != "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	n := len(names)
	if n == 0 {
		return nil
	}
	list := strings.Join(names[:min(n, host.MaxNamed)], "; ")
	if n > host.MaxNamed {
		list += fmt.Sprintf("; and %d more", n-host.MaxNamed)
	}
	return []providers.Problem{{
		Summary: "Another filter drops packets too",
		Detail:  fmt.Sprintf("The machine has rules that %[1]s knows nothing of, and these drop packets that %[1]s lets pass: %[2]s. btplan opens ports in %[1]s only: let the packets pass there too, by hand, or take out what drops them.", firewall, list),
		OfRules: true,
	}}
}

// droppedIn names what drops packets of a rule in a base chain or where that
// leads to, though nothing there lets them pass before; empty: nothing does.
func droppedIn(b netfilter.Base, r plan.Rule) string {
	// Of a chain that leads elsewhere, the rules before that and behind it are
	// not told apart: what passes there is taken to do so in time.
	passed := func(until int, drop netfilter.Version) bool {
		var accepts []netfilter.Verdict
		for i, v := range b.Verdicts {
			if v.Accepts && (i < until || v.Chain != b.Verdicts[until].Chain) {
				accepts = append(accepts, v)
			}
		}
		return letIn(accepts, r, drop)
	}
	for i, v := range b.Verdicts {
		some := len(v.From) > 0 || len(v.In) > 0
		if !v.Accepts && !some && isFor(v.Match, r) && !passed(i, v.Version) {
			return "rule " + v.String()
		}
	}
	rest := netfilter.Match{Version: b.Version, Protocols: []plan.Protocol{r.Protocol}}
	if strings.EqualFold(b.Policy, "drop") && isFor(rest, r) && !passed(len(b.Verdicts), b.Version) {
		return fmt.Sprintf("%s (policy %s)", b.Chain, b.Policy)
	}
	return ""
}

// letIn says whether rules accept all packets of r that are of this IP version,
// as far as they don't depend on interfaces: a rule for the ports of one is taken
// for one of the right one.
func letIn(accepts []netfilter.Verdict, r plan.Rule, version netfilter.Version) bool {
	for _, six := range []bool{false, true} {
		for _, source := range host.SourcesOf(r, six) {
			is := func(v netfilter.Verdict) bool {
				ports := slices.ContainsFunc(v.Ports, func(p plan.PortRange) bool { return p.First <= r.Ports.First && p.Last >= r.Ports.Last })
				all := len(v.Ports) == 0 && len(v.In) == 0
				from := len(v.From) == 0 || slices.ContainsFunc(v.From, func(p netip.Prefix) bool { return p.Bits() <= source.Bits() && p.Overlaps(source) })
				return (ports || all) && from && v.Version.Of(source.Addr()) && slices.Contains(v.Protocols, r.Protocol)
			}
			if version.Of(source.Addr()) && !slices.ContainsFunc(accepts, is) {
				return false
			}
		}
	}
	return true
}
