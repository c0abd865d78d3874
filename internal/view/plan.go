package view

import (
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
)

// planText is a plan as people read it: what was found, what would be done,
// and the summary line.
func (p palette) planText(pl *plan.Plan, o Options) string {
	var w strings.Builder
	p.writeForeign(&w, pl)
	pending := pl.Pending()
	if len(pending) == 0 {
		p.writeNothingToDo(&w, pl, o)
		return w.String()
	}
	w.WriteString("btplan will perform the following actions:\n")
	// Destroys come last, just above the summary, where they are seen.
	slices.SortStableFunc(pending, func(a, b plan.Resource) int {
		return deletes(a) - deletes(b)
	})
	for _, r := range pending {
		w.WriteString("\n")
		p.writeResource(&w, r, o.Destroy)
	}
	w.WriteString("\n" + p.bold("Plan:") + strings.TrimPrefix(summary(pl.Counts()), "Plan:"))
	if len(pl.Unread) > 0 {
		w.WriteString("\n" + p.bold("The plan is incomplete:") + " " + unread(pl.Unread))
	}
	w.WriteString("\n")
	return w.String()
}

func deletes(r plan.Resource) int {
	if r.Action == plan.Delete {
		return 1
	}
	return 0
}

// summary is the line that counts.
func summary(c plan.Counts) string {
	return "Plan: " + strconv.Itoa(c.Add) + " to add, " + strconv.Itoa(c.Change) + " to change, " + strconv.Itoa(c.Destroy) + " to destroy."
}

// unread says which devices a plan knows nothing of.
func unread(devices []plan.Addr) string {
	var names []string
	for _, d := range devices {
		names = append(names, d.String())
	}
	return strings.Join(names, ", ") + " could not be read."
}

// writeForeign tells how many rules of others there are, so that nobody has
// to wonder what becomes of them.
func (p palette) writeForeign(w *strings.Builder, pl *plan.Plan) {
	var devices []plan.Addr
	for device, n := range pl.Foreign {
		if n > 0 {
			devices = append(devices, device)
		}
	}
	if len(devices) == 0 {
		return
	}
	slices.SortFunc(devices, plan.Addr.Compare)
	for _, device := range devices {
		n, they := pl.Foreign[device], "they stay as they are"
		if n == 1 {
			they = "it stays as it is"
		}
		w.WriteString(device.String() + " holds " + count(n, "rule") + " that this project did not make; " + they + ".\n")
	}
	w.WriteString("\n")
}

func (p palette) writeNothingToDo(w *strings.Builder, pl *plan.Plan, o Options) {
	switch {
	case len(pl.Unread) > 0:
		w.WriteString(p.bold("No changes for the devices that could be read.") + " The plan is incomplete: " + unread(pl.Unread) + "\n")
	case o.Targeted:
		w.WriteString(p.success("No changes") + p.bold(" for what -target covers.") + "\n")
	case o.Destroy:
		w.WriteString(p.success("No changes.") + p.bold(" No rules need to be destroyed.") + "\n")
	default:
		w.WriteString(p.success("No changes.") + p.bold(" Your devices match the configuration.") + "\n")
	}
}

func (p palette) writeResource(w *strings.Builder, r plan.Resource, destroy bool) {
	w.WriteString("  # " + p.bold(r.String()) + " " + p.fate(r.Action) + "\n")
	if r.Action == plan.Delete && !destroy {
		w.WriteString("  # (because " + r.String() + " is not in configuration)\n")
	}
	for _, why := range drifts(r) {
		w.WriteString("  # (drift: " + why + ")\n")
	}
	unchanged, again := 0, 0
	var changed []block
	for _, b := range blocks(r.Changes) {
		switch {
		case b.action == plan.NoOp:
			unchanged++
		case b.action == plan.Update && b.before.Equal(*b.after):
			again++ // why is said above: the rule itself stays the same
		default:
			changed = append(changed, b)
		}
	}
	if again > 0 {
		as := "they are"
		if again == 1 {
			as = "it is"
		}
		w.WriteString("  # (" + count(again, "block") + " written again as " + as + ")\n")
	}
	for _, b := range changed {
		p.writeBlock(w, b)
	}
	if unchanged > 0 {
		w.WriteString("    # (" + count(unchanged, "unchanged block") + " hidden)\n")
	}
}

// fate is what a heading says will become of a resource.
func (p palette) fate(a plan.Action) string {
	switch a {
	case plan.Create:
		return "will be created"
	case plan.Update:
		return "will be updated in-place"
	case plan.Replace:
		return "must be " + p.failure("replaced")
	case plan.Delete:
		return "will be " + p.failure("destroyed")
	}
	panic("a resource with nothing to do is not shown: " + a.String())
}

// drifts are the different things that someone else changed on the device.
// The words are the device's.
func drifts(r plan.Resource) []string {
	var out []string
	for _, c := range r.Changes {
		if why := Printable(c.Because); why != "" && !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	if len(out) == 0 && r.Drift {
		out = []string{"it was changed outside of btplan"}
	}
	return out
}
