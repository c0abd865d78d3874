package packetfilter

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// chains are our chains in the tables of one variant of iptables as the home
// of our rules.
type chains struct{ *netfilter.Chains }

// Our chains, for packets to the machine and from it.
const (
	inChain  = "IN"
	outChain = "OUT"
)

// kinds of chains: in filter they accept, in mangle they mark, for the chains
// of other filters. As long as nobody else drops packets, an accept in our own
// chain does.
var chainKinds = []netfilter.Kind{
	{Name: inChain, Table: netfilter.TableID{Six: false, Name: "filter"}, From: "INPUT", Accepts: true},
	{Name: outChain, Table: netfilter.TableID{Six: false, Name: "filter"}, From: "OUTPUT", Accepts: true},
	{Name: inChain, Table: netfilter.TableID{Six: true, Name: "filter"}, From: "INPUT", Accepts: true},
	{Name: outChain, Table: netfilter.TableID{Six: true, Name: "filter"}, From: "OUTPUT", Accepts: true},
	{Name: inChain, Table: netfilter.TableID{Six: false, Name: "mangle"}, From: "INPUT"},
	{Name: outChain, Table: netfilter.TableID{Six: false, Name: "mangle"}, From: "OUTPUT"},
	{Name: inChain, Table: netfilter.TableID{Six: true, Name: "mangle"}, From: "INPUT"},
	{Name: outChain, Table: netfilter.TableID{Six: true, Name: "mangle"}, From: "OUTPUT"},
}

// want gives what the tables have to hold for these openings.
func (c chains) want(list []opening, generation string) map[netfilter.TableID]netfilter.ChainSet {
	if len(list) == 0 {
		return nil
	}
	want := map[netfilter.TableID]netfilter.ChainSet{}
	for _, k := range chainKinds {
		six := k.Table.Six
		some := versionsOf(list).Six && c.NoIPv6 == "" || !six && versionsOf(list).Four
		needed := some && c.marks(six)
		if k.Table.Name == "filter" {
			// Whatever there is, the first table says which writing it is.
			needed = some || k.Table == netfilter.FirstTable
		}
		if !needed {
			continue
		}
		set := want[k.Table]
		if set.Rules == nil {
			set = netfilter.ChainSet{Exists: true, Generation: generation, Rules: map[string][]string{}}
		}
		set.Rules[k.Name] = c.rules(k, list)
		want[k.Table] = set
	}
	return want
}

// marks says whether packets of an IP version have to be marked.
func (c chains) marks(six bool) bool {
	return c.Hooks.Needed(netfilter.Input, six) || c.Hooks.Needed(netfilter.Output, six)
}

// rules gives what a chain has to hold for these openings. Those of the table
// filter have their comments, in the chain of the packets that are the first of
// a connection; the answers to what comes in are let out where somebody drops
// them.
func (c chains) rules(k netfilter.Kind, list []opening) []string {
	six, filters := k.Table.Six, k.Table.Name == "filter"
	target := " -j " + netfilter.MarkTarget(netfilter.PassMark)
	if filters {
		target = " -j ACCEPT"
	}
	silent := k.Name == outChain && !c.Drops(netfilter.Output, six) && (filters || !c.Hooks.Needed(netfilter.Output, six))
	var out []string
	for _, o := range list {
		first := o.rule.Kind == plan.Allow && k.Name == inChain || o.rule.Kind == plan.Outbound && k.Name == outChain
		comment := ""
		if filters && first {
			comment = netfilter.IptablesComment(o.comment)
		}
		ports := o.rule.Ports.String()
		for _, p := range host.SourcesOf(o.rule, six) {
			source := p.String()
			switch {
			case first && k.Name == inChain:
				out = append(out, netfilter.Packets(source, "", o.rule.Protocol, "", "--dport", ports)+comment+target)
			case first:
				out = append(out, netfilter.Packets("", source, o.rule.Protocol, "", "--dport", ports)+comment+target)
			case k.Name == inChain:
				out = append(out, netfilter.Packets(source, "", o.rule.Protocol, "--ctdir REPLY", "--sport", ports)+target)
			case !silent:
				out = append(out, netfilter.Packets("", source, o.rule.Protocol, "--ctdir REPLY", "--sport", ports)+target)
			}
		}
	}
	return out
}

func (c chains) where() string   { return c.String() }
func (c chains) NeedsLock() bool { return c.Chains.NeedsLock() }
func (c chains) writing() string { return c.Generation() }

func (c chains) change(list []opening, generation string) string {
	return c.Chains.Change(c.want(list, generation), versionsOf(list))
}

// Snapshot has nothing to save: undo spells out all there is.
func (c chains) Snapshot() string { return "" }

func (c chains) undo(list []opening, generation string) string {
	return c.Chains.Undo(c.want(list, generation))
}

func (c chains) load(list []opening, generation string) string {
	return c.Chains.Load(c.want(list, generation), versionsOf(list))
}

// read gives what our chains hold.
func (c chains) read(*netfilter.Facts) (list []opening, drift string, err error) {
	if !c.Exists() {
		return nil, "", nil
	}
	for _, k := range chainKinds {
		if k.Table.Name != "filter" {
			continue
		}
		chain, _ := c.In(k.Table).Chain(c.Chain(k.Name))
		for _, r := range chain.Rules {
			if r.Value("--ctdir") != "" {
				continue // it is for answers
			}
			o, err := readOpening(r, k)
			if err != nil {
				return nil, "", fmt.Errorf("%s can't be made sense of: the rule %q: %w. If nothing else is of use, flush it by hand and apply again", chain.Name, r, err)
			}
			list = append(list, o)
		}
	}
	list = joinOpenings(list)
	return list, c.Drift(c.want(list, ""), versionsOf(list), sameRules), nil
}

// sameRules says whether a chain holds these rules, in whatever order.
func sameRules(_ netfilter.Kind, has iptables.Chain, want []string) bool {
	count := map[string]int{}
	for _, spec := range want {
		count[netfilter.MustParse("-A "+has.Name+spec).Canonical()]++
	}
	for _, r := range has.Rules {
		count[r.Canonical()]--
	}
	return !slices.ContainsFunc(slices.Collect(maps.Values(count)), func(n int) bool { return n != 0 })
}

// readOpening reads a rule that holds an opening, or a part of one.
func readOpening(r iptables.Rule, k netfilter.Kind) (opening, error) {
	o := opening{plan.Rule{Kind: plan.Allow, Protocol: plan.Protocol(r.Value("-p"))}, r.Comment()}
	known := []string{"-p", "-m", "-j", "--dport", "--comment"}
	if k.Name == outChain {
		o.rule.Kind = plan.Outbound
	} else {
		known = append(known, "-s")
	}
	for _, option := range r.Options {
		if option.Not || !slices.Contains(known, option.Name) {
			return o, fmt.Errorf("it has %s", option.Name)
		}
	}
	if r.Target() != "ACCEPT" {
		return o, fmt.Errorf("it leads to %q", r.Target())
	}
	var err error
	if o.rule.Ports, err = netfilter.ParseColon(r.Value("--dport")); err != nil {
		return o, err
	}
	if err := o.rule.Check(); err != nil {
		return o, err
	}
	source := host.Everywhere(k.Table.Six)
	if s := r.Value("-s"); s != "" {
		if source, err = netip.ParsePrefix(s); err != nil {
			return o, err
		}
		if source.Addr().Is6() != k.Table.Six {
			return o, fmt.Errorf("%s is of the other IP version", source)
		}
	}
	o.rule.Sources = []netip.Prefix{source}
	return o, nil
}
