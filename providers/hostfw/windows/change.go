package windows

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// change is what windows.ps1 is told. The zero change is none.
type change struct {
	Expect string      `json:"expect,omitempty"` // the digest of what the change was made from
	Keep   []keptRule  `json:"keep"`
	Add    []addedRule `json:"add"`
	Remove []string    `json:"remove"` // names
}

// keptRule is a rule that stays as it is, but for its seal.
type keptRule struct {
	Name   string `json:"name"`
	Was    string `json:"was"`    // its description
	Open   string `json:"open"`   // its description without a seal
	Sealed string `json:"sealed"` // its description at the end
}

// addedRule is a new rule.
type addedRule struct {
	Name      string   `json:"name"`
	Display   string   `json:"display"`
	Open      string   `json:"open"`
	Sealed    string   `json:"sealed"`
	Direction string   `json:"direction"`
	Protocol  string   `json:"protocol"`
	Ports     []string `json:"ports"`
	Sources   []string `json:"sources"`
	Program   string   `json:"program"`
}

// rule is a as it will be listed.
func (a addedRule) rule() rule {
	r := rule{Direction: a.Direction, Protocol: a.Protocol, RemoteAddress: a.Sources}
	if r.kind() == plan.Outbound {
		r.RemotePort = a.Ports
	} else {
		r.LocalPort = a.Ports
	}
	return r
}

// maxWindowsPorts is how many ranges of ports one rule gets. Windows sets no
// limit that its documentation tells of.
const maxWindowsPorts = 500

// windowsRules spells rules of one owner, in as few rules of Windows' as there
// can be: each takes about a tenth of a second.
func (w *windows) windowsRules(rules []plan.Rule) []addedRule {
	var out []addedRule
	sorted := slices.SortedFunc(slices.Values(rules), plan.Rule.Compare)
	at := map[string]int{} // where the rule for a direction, protocol and sources is
	for _, r := range sorted {
		sources := spelledAddresses(r.Sources)
		direction := direction(r.Kind)
		place := direction + " " + string(r.Protocol) + " " + strings.Join(sources, ",")
		i, found := at[place]
		if !found || len(out[i].Ports) == maxWindowsPorts {
			i = len(out)
			at[place] = i
			out = append(out, addedRule{Direction: direction, Protocol: strings.ToUpper(string(r.Protocol)), Sources: sources, Program: w.program})
		}
		out[i].Ports = append(out[i].Ports, r.Ports.String())
	}
	return out
}

// apply makes the rules of each owner anew that are not as they are to be.
func (n *netSecurity) apply(ctx context.Context, w *windows, after host.Owned) (*state, error) {
	return w.netSecurity(ctx, n.change(w, after))
}

func (n *netSecurity) change(w *windows, after host.Owned) change {
	c := change{Expect: n.Digest, Keep: []keptRule{}, Add: []addedRule{}, Remove: []string{}}
	kept := map[string]bool{}
	for _, owner := range slices.SortedFunc(maps.Keys(after), plan.Addr.Compare) {
		mark := plan.Mark(w.project, owner)
		sealed := mark + " " + plan.Seal(after[owner])
		for _, add := range w.windowsRules(after[owner]) {
			i := slices.IndexFunc(n.ours, func(o ours) bool { return o.owner == owner && !kept[o.Name] && o.holds(add) })
			if i >= 0 {
				o := n.ours[i]
				kept[o.Name] = true
				if o.Description != sealed {
					c.Keep = append(c.Keep, keptRule{Name: o.Name, Was: o.Description, Open: mark, Sealed: sealed})
				}
				continue
			}
			add.Name, add.Display, add.Open, add.Sealed = rulePrefix+guarded.NewGeneration(), mark, mark, sealed
			c.Add = append(c.Add, add)
		}
	}
	for _, o := range n.ours {
		if !kept[o.Name] {
			c.Remove = append(c.Remove, o.Name)
		}
	}
	return c
}

// holds says whether o is what add would make, and nothing is wrong with it.
func (o ours) holds(add addedRule) bool {
	is, err := add.rule().rules()
	return err == nil && o.drift == "" && !o.other && slices.EqualFunc(o.is, is, plan.Rule.Equal)
}
