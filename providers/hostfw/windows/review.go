package windows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// Refuse keeps btplan's hands off the port by which it comes in, and off ports
// that someone has shut on purpose.
func (w *windows) Refuse(changes []plan.Change) *providers.Problem {
	after := host.WantedOf(changes)
	if why := w.last.seen().Guard(changes, after); why != nil {
		return why
	}
	if c, is := w.last.way.(*icf); is {
		return c.refuse(w, changes)
	}
	for _, r := range after {
		for _, b := range w.last.blocks {
			if b.meets(r) && b.isFor(r) {
				return &providers.Problem{
					Summary: "A rule shuts these ports",
					Detail:  fmt.Sprintf("The Windows firewall has the rule %q, which is for these very ports (%s) and blocks them, whatever other rules allow. btplan does not open what someone has shut on purpose: delete that rule, or choose other ports.", b.name, r),
				}
			}
		}
	}
	return nil
}

// Advise tells of rules of others that win over ours.
func (w *windows) Advise(changes []plan.Change) []providers.Problem {
	after := host.WantedOf(changes)
	out := w.adviseICF(changes)
	if list := w.blocking(after, plan.Allow); list != "" {
		out = append(out, providers.Problem{
			Summary: "Rules keep packets out",
			Detail:  fmt.Sprintf("The Windows firewall has rules that block some of the packets to the ports that are to be opened: %s. In Windows a rule that blocks wins over one that allows, so these packets stay out. Change or delete these rules if that is not what you want.", list),
		})
	}
	if list := w.blocking(after, plan.Outbound); list != "" {
		out = append(out, providers.Problem{
			Summary: "Rules keep packets from going out",
			Detail:  fmt.Sprintf("The Windows firewall has rules that block some of what the machine sends to its trackers: %s. In Windows a rule that blocks wins over one that allows, so these packets are dropped all the same. Change or delete these rules if that is not what you want.", list),
		})
	}
	return out
}

// blocking names the rules of others that drop packets of these rules, as far as
// they are of a kind; empty: there are none.
func (w *windows) blocking(rules []plan.Rule, kind plan.Kind) string {
	var names []string
	for _, r := range rules {
		for _, b := range w.last.blocks {
			if r.Kind == kind && b.meets(r) {
				names = append(names, fmt.Sprintf("%q", b.name))
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	n := len(names)
	list := strings.Join(names[:min(n, host.MaxNamed)], ", ")
	if n > host.MaxNamed {
		list += fmt.Sprintf(" and %d more", n-host.MaxNamed)
	}
	return list
}

// netshTakes is about how long netsh takes for one port, over SSH.
const netshTakes = 300 * time.Millisecond

// Estimate is about how long changes take where each port is a command of its
// own; elsewhere they are one command or a few.
func (w *windows) Estimate(changes []plan.Change) time.Duration {
	if w.mode != modeICF || w.program != "" {
		return 0
	}
	var takes time.Duration
	for _, c := range changes {
		if c.Action != plan.NoOp {
			takes += netshTakes
		}
	}
	return takes
}
