package netfilter

import (
	"fmt"
	"iter"
	"slices"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/nft"
)

// Verdict is a rule of somebody else's that accepts packets or drops them.
type Verdict struct {
	Match
	Accepts bool   // else it drops or rejects
	Chain   string // where it is: "chain input of table inet filter"
	Rule    string // which it is there: "handle 7", or as iptables-save prints it
	List    string // the command that shows it by that handle; empty: none is needed
}

// String is v as a person finds it on the device.
func (v Verdict) String() string {
	if v.List != "" {
		return fmt.Sprintf("%s (%s shows it)", v.Rule, v.List)
	}
	return v.Rule + " of " + v.Chain
}

// Verdicts gives the rules that decide of packets on a way, as far as they can
// be told: those of the chains that all packets on it come by, of which nothing
// is asked but what a Match can hold.
func (f *Facts) Verdicts(way Way) iter.Seq[Verdict] {
	return f.verdicts(func(c nft.Chain) bool { return c.Type == "filter" && c.Hook == string(way) }, way.chain(), "filter", "mangle")
}

// DropsRest says over which IP versions packets on a way are dropped that no rule
// lets pass: by the policy of a chain, or by a rule for all of them.
func (f *Facts) DropsRest(way Way) Versions {
	var drops Versions
	if f.Ruleset != nil {
		for _, c := range f.Ruleset.Chains {
			if c.Hook == string(way) && c.Policy == "drop" && !isOurs(c.In()) {
				drops = drops.with(VersionOf(c.Family))
			}
		}
	}
	for on, save := range f.Listed() {
		for _, table := range []string{"filter", "mangle"} {
			if c, found := save.Table(table).Chain(way.chain()); found && c.Policy != "ACCEPT" {
				drops = drops.with(VersionOf(Family(on.Six)))
			}
		}
	}
	for v := range f.Verdicts(way) {
		if !v.Accepts && len(v.Ports) == 0 && len(v.From) == 0 && len(v.In) == 0 && len(v.Protocols) > 1 {
			drops = drops.with(v.Version)
		}
	}
	return drops
}

// EarlyDrops gives the rules that drop packets for whomever, before any rule of
// ours can mark or translate them.
func (f *Facts) EarlyDrops() iter.Seq[Verdict] {
	return func(yield func(Verdict) bool) {
		early := func(c nft.Chain) bool { return c.Type == "filter" && c.Hook == "prerouting" }
		for v := range f.verdicts(early, "PREROUTING", "raw", "mangle") {
			if !v.Accepts && !yield(v) {
				return
			}
		}
	}
}

func (f *Facts) verdicts(begins func(nft.Chain) bool, builtIn string, tables ...string) iter.Seq[Verdict] {
	return func(yield func(Verdict) bool) {
		if f.Ruleset != nil {
			for _, c := range From(f.Ruleset, begins, unconditional) {
				if f.ToldByIptables(c.In()) {
					continue
				}
				for _, r := range f.Ruleset.RulesOf(c) {
					if v, is := verdictOf(r); is && !yield(v) {
						return
					}
				}
			}
		}
		for on, save := range f.Listed() {
			for _, table := range tables {
				if on.Variant == ViaNft && f.Ruleset != nil && slices.Contains(save.Incompatible, table) {
					continue // seen already
				}
				for v := range chainVerdicts(on, save.Table(table), builtIn) {
					if !yield(v) {
						return
					}
				}
			}
		}
	}
}

// verdictOf reads a rule of nftables.
func verdictOf(r nft.Rule) (v Verdict, is bool) {
	v = Verdict{Match: MatchIn(r.Family), Chain: fmt.Sprintf("chain %s of %s", r.Chain, r.In()), Rule: fmt.Sprintf("handle %d", r.Handle), List: listCommand(r)}
	if r.Comment != "" {
		v.Rule += fmt.Sprintf(" %q", r.Comment)
	}
	for _, s := range r.Statements {
		switch s.Name {
		case "counter", "log":
		case "match":
			if !v.Narrow(s.Body) {
				return v, false
			}
		case "accept":
			v.Accepts, is = true, true
		case "drop", "reject":
			is = true
		default:
			return v, false
		}
	}
	return v, is
}

// listCommand is the command that lists the chain of a rule with the handles,
// fit for a person to paste into a shell.
func listCommand(r nft.Rule) string {
	for _, name := range []string{r.Family, r.Table, r.Chain} {
		if nft.CheckName(name) != nil {
			return "nft -a list ruleset"
		}
	}
	return fmt.Sprintf("nft -a list chain %s %s %s", r.Family, r.Table, r.Chain)
}

// chainVerdicts reads the rules of a built-in chain of iptables, and of those
// that it leads all packets to.
func chainVerdicts(on Program, t iptables.Table, builtIn string) iter.Seq[Verdict] {
	return func(yield func(Verdict) bool) {
		var seen []string
		todo := []string{builtIn}
		for len(todo) > 0 {
			name := todo[0]
			todo = todo[1:]
			c, found := t.Chain(name)
			if !found || slices.Contains(seen, name) {
				continue
			}
			seen = append(seen, name)
			for _, r := range c.Rules {
				m, whole := MatchOf(r, on.Six)
				v := Verdict{Match: m, Chain: fmt.Sprintf("chain %s of table %s of %s", name, t.Name, on.Command), Rule: r.String()}
				switch target := r.Target(); target {
				case "ACCEPT":
					v.Accepts = true
				case "DROP", "REJECT":
				default:
					if len(r.Options) == 1 && !isOurChain(target) { // -j alone
						todo = append(todo, target)
					}
					continue
				}
				if whole && !yield(v) {
					return
				}
			}
		}
	}
}
