package linuxgw

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// The lab matrix: every kind of gateway goes through every kind of change, over
// IPv4 and IPv6, and after each one packets tell what is open and what is not,
// a second plan is empty, and in the end all that others have made is there
// as it was.
func TestLabMatrix(t *testing.T) {
	const (
		nft       = "table inet btplan_home"
		viaNft    = "of iptables-nft"
		viaLegacy = "of iptables-legacy"
	)
	for _, row := range []struct {
		name    string
		gateway func(*lab.NAT) // makes it one of this kind
		ssh     bool           // btplan comes from another host; otherwise it runs there
		backend netfilter.Choice
		home    string // part of what holds the rules
		refused string // part of why there can be none
	}{
		{"nft drop", func(*lab.NAT) {}, false, netfilter.Auto, nft, ""},
		{"iptables-nft DROP", onGateway(clean("nft") + dropping("nft") + withoutNft), false, netfilter.Auto, viaNft, ""},
		{"iptables-legacy DROP", onGateway(clean("legacy") + dropping("legacy") + withoutNft), false, netfilter.Auto, viaLegacy, ""},
		{"both iptables at once", onGateway(clean("nft") + dropping("nft") + dropping("legacy") + withoutNft), false, netfilter.Auto, viaNft, ""},
		{"nft and legacy at once", onGateway(clean("legacy") + dropping("legacy") + nftDrops), false, netfilter.Auto, nft, ""},
		{"nft and legacy at once, ours in legacy", onGateway(clean("legacy") + dropping("legacy") + nftDrops), false, netfilter.Iptables, viaLegacy, ""},
		{"all three at once", onGateway(clean("legacy") + dropping("legacy") + dropping("nft") + nftDrops), false, netfilter.Auto, nft, ""},
		{"all three at once, ours in iptables-nft", onGateway(clean("nft") + dropping("legacy") + dropping("nft") + nftDrops), false, netfilter.Iptables, viaNft, ""},
		{"firewalld", func(n *lab.NAT) { n.Gateway.Sh(clean("nft")); n.Gateway.ServeFirewalld() }, false, netfilter.Auto, "", "firewalld"},
		{"OpenSSH", func(*lab.NAT) {}, true, netfilter.Auto, nft, ""},
		{"Dropbear and busybox", func(n *lab.NAT) { n.Gateway.ServeDropbear() }, true, netfilter.Auto, nft, ""},
		{"Dropbear and busybox, iptables", func(n *lab.NAT) {
			n.Gateway.Sh(clean("nft") + dropping("nft"))
			n.Gateway.ServeDropbear("nft")
		}, true, netfilter.Auto, viaNft, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, "iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
			m := matrix{lab.NewNAT(t)}
			row.gateway(m.NAT)
			m.listen()
			before := m.foreign()
			g := openInside(t, m.Gateway, "home", "wan0")
			if row.ssh {
				g = openOver(t, m.Control, "home", "wan0")
			}
			g.backend = row.backend
			if row.refused != "" {
				if _, err := g.Read(context.Background()); !errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), row.refused) {
					t.Errorf("got %v, want it refused because of %s", err, row.refused)
				}
			} else {
				m.walk(t, g, row.home)
			}
			if after := m.foreign(); after != before {
				t.Errorf("in the end the gateway has\n%s\nand had\n%s", after, before)
			}
		})
	}
}

// onGateway runs a script there.
func onGateway(s string) func(*lab.NAT) {
	return func(n *lab.NAT) { n.Gateway.Sh(s) }
}

// matrix is the network of one row.
type matrix struct{ *lab.NAT }

// Every port at or beside an end of some step's ranges, on the machines; and
// those outside that lead to other ports.
var (
	matrixPorts  = []uint16{6880, 6881, 6884, 6885, 6887, 6888, 6889, 6890, 6899, 6900}
	shiftedPorts = []uint16{7885, 16884, 16885, 16887, 16888}
)

func (m matrix) listen() {
	for _, h := range []*lab.Host{m.Seedbox, m.Desktop} {
		for _, protocol := range []string{"tcp", "udp"} {
			h.Listen(protocol, matrixPorts...)
		}
	}
}

// way is ports of a machine that are open, by each protocol and IP version.
type way struct {
	ports, to string
	machine   [2]string // its addresses, by IP version
	client    bool      // for the client only
}

var (
	toSeedbox = [2]string{lab.SeedboxLAN, lab.SeedboxLAN6}
	toDesktop = [2]string{lab.DesktopLAN, lab.DesktopLAN6}
)

// walk takes the gateway through all the steps of the matrix.
func (m matrix) walk(t *testing.T, g inside, home string) {
	t.Helper()
	for _, step := range []struct {
		name string
		ways []way
	}{
		{"create", []way{{"6881-6889", "6881", toSeedbox, false}}},
		{"widen", []way{{"6881-6899", "6881", toSeedbox, false}}},
		{"narrow", []way{{"6885-6887", "6885", toSeedbox, false}}},
		{"shift", []way{{"16885-16887", "6885", toSeedbox, false}}},
		{"retarget", []way{{"16885-16887", "6885", toDesktop, false}}},
		{"two ways to a port, one for some only", []way{{"6885-6887", "6885", toSeedbox, true}, {"7885", "6885", toSeedbox, false}, {"6881", "6881", toDesktop, false}}},
		{"destroy", nil},
	} {
		var want []plan.Rule
		for _, w := range step.ways {
			want = append(want, w.rules(t)...)
		}
		g.make(t, want...) // which plans once more, in vain
		if !strings.Contains(g.last.filter.String(), home) {
			t.Errorf("%s: the rules are in %s, want them in %s", step.name, g.last.filter, home)
		}
		if got, want := m.open(want), m.wanted(want); got != want {
			t.Errorf("%s: open is\n%s\nand should be\n%s", step.name, got, want)
		}
	}
}

func (w way) rules(t *testing.T) []plan.Rule {
	t.Helper()
	var out []plan.Rule
	for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
		four := forward(t, protocol, w.ports, w.machine[0]+":"+w.to)
		six := forward(t, protocol, w.ports, "["+w.machine[1]+"]:"+w.to)
		if w.client {
			four.Sources = []netip.Prefix{netip.MustParsePrefix(lab.ClientWAN + "/32")}
			six.Sources = []netip.Prefix{netip.MustParsePrefix(lab.ClientWAN6 + "/128")}
		}
		out = append(out, four, six)
	}
	return out
}

// A target is what somebody can try to reach, from outside or, by the WAN
// address, from inside.
type target struct {
	from     *lab.Host
	source   [2]string // its address, by IP version
	protocol plan.Protocol
	to       string // the WAN address, or that of a machine
}

func (m matrix) targets(want []plan.Rule) []target {
	var out []target
	forSome := slices.ContainsFunc(want, func(r plan.Rule) bool { return r.Sources != nil })
	for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
		for _, to := range []string{lab.GatewayWAN, lab.SeedboxLAN6, lab.DesktopLAN6} {
			out = append(out, target{m.Client, [2]string{lab.ClientWAN, lab.ClientWAN6}, protocol, to})
			if forSome {
				out = append(out, target{m.Stranger, [2]string{lab.StrangerWAN, lab.StrangerWAN6}, protocol, to})
			}
		}
		// From inside, a machine itself among others. The gateway's address
		// there remains the gateway's.
		for _, h := range []*lab.Host{m.Control, m.Seedbox} {
			out = append(out, target{h, [2]string{lab.GatewayLAN}, protocol, lab.GatewayWAN})
		}
		out = append(out, target{m.Control, [2]string{lab.GatewayLAN}, protocol, lab.GatewayLAN})
	}
	return out
}

func (m matrix) ports() []uint16 { return append(slices.Clone(matrixPorts), shiftedPorts...) }

// open tells what can be reached, a line each, and who answers.
func (m matrix) open(want []plan.Rule) string {
	targets := m.targets(want)
	found := make([]string, len(targets))
	var wait sync.WaitGroup
	for i, on := range targets {
		wait.Go(func() {
			// Those that should answer get all the time they need.
			var shut, open []uint16
			for _, port := range m.ports() {
				if on.answer(want, port) == "" {
					shut = append(shut, port)
				} else {
					open = append(open, port)
				}
			}
			answers := on.from.ProbeAll(string(on.protocol), on.to, lab.Patient, open...)
			for port, r := range on.from.ProbeAll(string(on.protocol), on.to, lab.Brief, shut...) {
				answers[port] = r
			}
			for _, port := range m.ports() {
				if r := answers[port]; r.Err == nil {
					found[i] += on.line(port, fmt.Sprintf("%s %d from %s", r.Host, r.Port, r.Peer.Addr()))
				}
			}
		})
	}
	wait.Wait()
	return strings.Join(found, "")
}

// wanted tells what should be reached, as open does.
func (m matrix) wanted(want []plan.Rule) string {
	out := ""
	for _, on := range m.targets(want) {
		for _, port := range m.ports() {
			if a := on.answer(want, port); a != "" {
				out += on.line(port, a)
			}
		}
	}
	return out
}

func (on target) line(port uint16, answer string) string {
	return fmt.Sprintf("%s: %s %s %d: %s\n", on.from.Name, on.protocol, on.to, port, answer)
}

// answer is who should answer at a port; empty: nobody.
func (on target) answer(want []plan.Rule, port uint16) string {
	if on.to == lab.GatewayLAN {
		return ""
	}
	to := netip.MustParseAddr(on.to)
	source := on.source[0]
	if to.Is6() {
		source = on.source[1]
	}
	names := map[string]string{lab.SeedboxLAN: "seedbox", lab.SeedboxLAN6: "seedbox", lab.DesktopLAN: "desktop", lab.DesktopLAN6: "desktop"}
	for _, r := range want {
		machine := r.To.Addr()
		if machine.Is6() != to.Is6() || to.Is6() && machine != to || r.Protocol != on.protocol || port < r.Ports.First || port > r.Ports.Last {
			continue
		}
		// Who comes from inside is none of the sources that there are here.
		if len(r.Sources) > 0 && !r.Sources[0].Contains(netip.MustParseAddr(source)) {
			continue
		}
		return fmt.Sprintf("%s %d from %s", names[machine.String()], r.To.Port()+port-r.Ports.First, source)
	}
	return ""
}

// foreign is all the rules that the gateway has, of every filter. Of tables
// that iptables has made, whose chains have names in capitals, only what
// iptables tells counts: when the last of our rules is gone they may stay,
// empty.
func (m matrix) foreign() string {
	var out strings.Builder
	for table := range strings.SplitSeq(m.Gateway.Sh("nft --stateless list ruleset 2>/dev/null || true"), "\n}\n") {
		if !madeByIptables.MatchString(table) {
			out.WriteString(table)
		}
	}
	return out.String() + dump(m.Gateway)
}

var madeByIptables = regexp.MustCompile(`^table ip6? \w+ {\n\tchain [A-Z]`)
