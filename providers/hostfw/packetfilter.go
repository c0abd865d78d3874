package hostfw

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
)

// The kernel's own packet filters, whose rules people write themselves: see
// nft(8) and iptables(8). Auto takes nftables where that works.
var (
	nftablesKind = packetFilterKind("nftables", netfilter.Nftables)
	iptablesKind = packetFilterKind("iptables", netfilter.Iptables)
	anyFilter    = packetFilterKind("a packet filter", netfilter.Auto)
)

func packetFilterKind(name string, asked netfilter.Choice) kind {
	reading := func(project string) netfilter.Reading {
		return netfilter.Reading{
			Names: netfilter.HostNames(project), Asked: asked, InFull: netfilter.Input, Peers: true,
			Words: netfilter.Words{Device: noun, Setting: "firewall %q"},
		}
	}
	return kind{
		name: name,
		script: func(project string, _ bool) string {
			return reading(project).Script() + bootScript(project).Section()
		},
		read: func(project string, p script.Printed) (*holding, error) {
			return readPacketFilter(reading(project), p)
		},
	}
}

// bootScript is what makes our rules last.
func bootScript(project string) boot.Script {
	return boot.Script{Name: unitName(project), Project: project, What: "Open ports"}
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
	next    string                            // names the writing that a change makes
}

// home is our table or our chains.
type home interface {
	// where names it: "table inet btplanhost_home".
	where() string
	Listing() (command string, printed []byte)
	needsLock() bool
	// writing says which writing it is; empty: it doesn't say.
	writing() string
	// change, snapshot, undo and load are as those of netfilter.
	change(list []opening, generation string) string
	snapshot() string
	undo(list []opening, generation string) string
	load(list []opening, generation string) string
	// read gives what it holds, and what is wrong with that on which all of
	// it depends.
	read(*netfilter.Facts) (list []opening, drift string, err error)
}

func readPacketFilter(reading netfilter.Reading, p script.Printed) (*holding, error) {
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
	h := &holding{filter: u, active: true}
	h.rules, u.others = liveOpenings(u.project, u.where(), drift, list)
	if len(list) > 0 && !bootScript(u.project).Holds(u.boot, u.bootText(list, u.writing())) {
		for i := range h.rules {
			if !h.rules[i].Owner.IsZero() {
				h.rules[i].Outdated = unsaved
			}
		}
	}
	if len(list) == 0 {
		h.returning = bootScript(u.project).Returning(u.boot, noun)
	}
	h.problems = append(u.problems(h.ours().rules()), h.returning...)
	h.dropsOutbound = f.DropsRest(netfilter.Output)
	h.rules = append(h.rules, u.foreign(reading.Names)...)
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

func (u *packetFilter) listing() (command string, printed []byte) { return u.home.Listing() }

func (u *packetFilter) needsWhole(owned) bool { return false }

func (u *packetFilter) change(after owned) string {
	return u.home.change(openingsOf(u.project, after, u.others), u.next)
}

func (u *packetFilter) undo(after owned) string {
	return u.home.undo(openingsOf(u.project, after, u.others), u.next)
}

// bootText spells the script that makes the machine hold these openings at
// boot.
func (u *packetFilter) bootText(list []opening, generation string) string {
	return bootScript(u.project).Text(u.load(list, generation))
}

// save spells the commands that make a change last. They end the script with
// another code than 0 when they can't.
func (u *packetFilter) save(after owned) string {
	list := openingsOf(u.project, after, u.others)
	if len(list) == 0 {
		return bootScript(u.project).Forget(u.boot)
	}
	return bootScript(u.project).Save(u.boot, u.bootText(list, u.next), "BTPLAN_"+u.next)
}

func (u *packetFilter) takes(owned) time.Duration { return 0 }
