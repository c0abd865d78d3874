// Package packetfilter is the kernel's own packet filters, nftables and iptables,
// on machines whose rules people write themselves.
package packetfilter

import (
	"errors"
	"slices"
	"time"

	"github.com/btplan/btplan/internal/boot"
	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// The kernel's own packet filters, whose rules people write themselves: see
// nft(8) and iptables(8). Auto takes nftables where that works.
var (
	Nftables = kindOf("nftables", netfilter.Nftables)
	Iptables = kindOf("iptables", netfilter.Iptables)
	Any      = kindOf("a packet filter", netfilter.Auto)
)

func kindOf(name string, asked netfilter.Choice) host.Kind {
	return host.Kind{
		Name: name,
		Script: func(project string, _ bool) string {
			return readingOf(project, asked).Script() + bootScript(project).Section()
		},
		Read: func(project string, p script.Printed) (*host.Holding, error) {
			return readFilter(readingOf(project, asked), p)
		},
	}
}

// readingOf is how the packet filters of a machine are read.
func readingOf(project string, asked netfilter.Choice) netfilter.Reading {
	return netfilter.Reading{
		Names: netfilter.HostNames(project), Asked: asked, InFull: netfilter.Input, Peers: true,
		Words: netfilter.Words{Device: host.Noun, Setting: "firewall %q"},
	}
}

// bootScript is what makes our rules last.
func bootScript(project string) boot.Script {
	return boot.Script{Name: host.UnitName(project), Project: project, What: "Open ports"}
}

// packetFilter is a packet filter of the kernel in the state in which it was
// read.
type packetFilter struct {
	home
	project string
	choice  netfilter.Choice
	facts   *netfilter.Facts
	boot    boot.State
	decide  map[plan.Kind][]netfilter.Verdict // rules of others, by the kind of ours that they bear on
	others  []opening                         // among ours, but not ours
	drops   netfilter.Versions                // over which the machine sends nothing that no rule lets out
	next    string                            // names the writing that a change makes
}

// home is our table or our chains.
type home interface {
	// where names it: "table inet btplanhost_home".
	where() string
	Listing() (command string, printed []byte)
	NeedsLock() bool
	// writing says which writing it is; empty: it doesn't say.
	writing() string
	// change, snapshot, undo and load are as those of netfilter.
	change(list []opening, generation string) string
	Snapshot() string
	undo(list []opening, generation string) string
	load(list []opening, generation string) string
	// read gives what it holds, and what is wrong with that on which all of
	// it depends.
	read(*netfilter.Facts) (list []opening, drift string, err error)
}

func readFilter(reading netfilter.Reading, p script.Printed) (*host.Holding, error) {
	if reading.Asked == netfilter.Auto && p["iptables"] == nil {
		return nil, nil // it was not asked for
	}
	f, err := reading.Parse(p)
	if err != nil {
		return nil, err
	}
	if _, whole := p["boot"]; !whole {
		return nil, errors.New("the machine's answer is incomplete: it has no section \"boot\"")
	}
	if reading.Asked == netfilter.Auto && f.None() {
		return nil, nil
	}
	if f.Firewalld() {
		return nil, providers.Flag(errors.New("the machine's firewall is firewalld, which throws away the rules that let packets through its chains whenever it reloads: name firewall \"firewalld\" in the machine's block"), providers.ErrUnsupported)
	}
	u := &packetFilter{project: reading.Names.Project, facts: f, boot: boot.Parse(p["boot"]), next: guarded.NewGeneration()}
	if err := u.find(reading); err != nil {
		return nil, err
	}
	u.decide = map[plan.Kind][]netfilter.Verdict{
		plan.Allow:    slices.Collect(f.Verdicts(netfilter.Input)),
		plan.Outbound: slices.Collect(f.Verdicts(netfilter.Output)),
	}
	list, drift, err := u.read(f)
	if err != nil {
		return nil, err
	}
	h := &host.Holding{Filter: u, Active: true}
	h.Rules, u.others = liveOpenings(u.project, u.where(), drift, list)
	if len(list) > 0 && !bootScript(u.project).Holds(u.boot, u.bootText(list, u.writing())) {
		for i := range h.Rules {
			if !h.Rules[i].Owner.IsZero() {
				h.Rules[i].Outdated = host.Unsaved
			}
		}
	}
	if len(list) == 0 {
		h.Returning = bootScript(u.project).Returning(u.boot, host.Noun)
	}
	h.Problems = append(u.problems(h.Ours().Rules()), h.Returning...)
	u.drops = f.DropsRest(netfilter.Output)
	h.DropsOutbound = u.drops != netfilter.Versions{}
	h.Rules = append(h.Rules, u.foreign(reading.Names)...)
	return h, nil
}

// find finds our home, and the ways through the chains of others.
func (u *packetFilter) find(reading netfilter.Reading) error {
	table, own, err := u.facts.Home(reading.Names, reading.Asked, chainKinds)
	if err != nil {
		return err
	}
	if table != nil {
		u.home, u.choice = nftables{table}, netfilter.Nftables
		table.Hooks, err = u.facts.Hooks(reading.Names, nil, netfilter.Input, netfilter.Output)
		return err
	}
	u.home, u.choice = chains{own}, netfilter.Iptables
	own.Hooks, err = u.facts.Hooks(reading.Names, own, netfilter.Input, netfilter.Output)
	return err
}

func (u *packetFilter) String() string { return string(u.choice) }

func (u *packetFilter) Listing() (command string, printed []byte) { return u.home.Listing() }

func (u *packetFilter) NeedsWhole(host.Owned) bool { return false }

func (u *packetFilter) Change(after host.Owned) string {
	return u.home.change(openingsOf(u.project, after, u.others), u.next)
}

func (u *packetFilter) Undo(after host.Owned) string {
	return u.home.undo(openingsOf(u.project, after, u.others), u.next)
}

// bootText spells the script that makes the machine hold these openings at
// boot.
func (u *packetFilter) bootText(list []opening, generation string) string {
	return bootScript(u.project).Text(u.load(list, generation))
}

// Save spells the commands that make a change last. They end the script with
// another code than 0 when they can't.
func (u *packetFilter) Save(after host.Owned) string {
	list := openingsOf(u.project, after, u.others)
	if len(list) == 0 {
		return bootScript(u.project).Forget(u.boot)
	}
	return bootScript(u.project).Save(u.boot, u.bootText(list, u.next), "BTPLAN_"+u.next)
}

func (u *packetFilter) Takes(host.Owned) time.Duration { return 0 }
