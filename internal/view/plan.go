package view

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/btplan/btplan/plan"
)

// planText is a plan as people read it: what was found, what would be done,
// the summary line, and what goes with it. takes is about how long it will.
func (p palette) planText(pl *plan.Plan, takes time.Duration, o Options) string {
	var w strings.Builder
	writeFound(&w, pl, o)
	if pending := pl.Pending(); len(pending) > 0 {
		p.writeActions(&w, pending, o)
	}
	if !pl.Counts().Any() {
		p.writeNothingToDo(&w, pl, o)
	} else {
		w.WriteString(p.bold("Plan:") + strings.TrimPrefix(summary(pl.Counts()), "Plan:") + "\n")
		if len(pl.Unread) > 0 {
			w.WriteString(p.bold("The plan is incomplete:") + " " + unread(pl.Unread) + "\n")
		}
	}
	if n := pl.Renewals(); n > 0 {
		w.WriteString(count(n, "lease") + " to renew.\n")
	}
	if worthAWord(takes) {
		w.WriteString("To apply this takes about " + takes.Round(time.Second).String() + ".\n")
	}
	return w.String()
}

// worthAWord says whether a person should know beforehand how long it takes.
func worthAWord(takes time.Duration) bool { return takes >= 5*time.Second }

func (p palette) writeActions(w *strings.Builder, pending []plan.Resource, o Options) {
	w.WriteString("btplan will perform the following actions:\n")
	// Renewals, which hardly anyone has to read, come first, and destroys
	// last, just above the summary, where they are seen.
	slices.SortStableFunc(pending, func(a, b plan.Resource) int { return weight(a) - weight(b) })
	for _, r := range pending {
		w.WriteString("\n")
		p.writeResource(w, r, o.Destroy)
	}
	w.WriteString("\n")
}

func weight(r plan.Resource) int {
	switch r.Action {
	case plan.Renew:
		return -1
	case plan.Delete:
		return 1
	}
	return 0
}

// summary is the line that counts.
func summary(c plan.Counts) string {
	return "Plan: " + strconv.Itoa(c.Add) + " to add, " + strconv.Itoa(c.Change) + " to change, " + strconv.Itoa(c.Destroy) + " to destroy."
}

// unread says which devices a plan knows nothing of.
func unread(devices []plan.Addr) string { return listed(devices) + " could not be read." }

func listed(devices []plan.Addr) string {
	var names []string
	for _, d := range devices {
		names = append(names, d.String())
	}
	return strings.Join(names, ", ")
}

// writeFound tells what there is on the devices besides what a plan is about:
// what they turned out to be, rules of others, so that nobody has to wonder
// what becomes of them, and how long leases last.
func writeFound(w *strings.Builder, pl *plan.Plan, o Options) {
	var lines []string
	for device, what := range pl.Found {
		lines = append(lines, device.String()+" has "+what+", which is active there.\n")
	}
	for device, n := range pl.Foreign {
		they := "they stay as they are"
		if n == 1 {
			they = "it stays as it is"
		}
		if n > 0 {
			lines = append(lines, device.String()+" holds "+count(n, "rule")+" that this project did not make; "+they+".\n")
		}
	}
	if !o.Destroy {
		lines = append(lines, leases(pl)...)
	}
	if len(lines) > 0 {
		slices.Sort(lines)
		w.WriteString(strings.Join(lines, "") + "\n")
	}
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
	switch {
	case r.Action != plan.Delete || destroy:
	case r.Owner == r.Device:
		// They may be in the configuration still.
		w.WriteString("  # (because " + r.Device.String() + " has no trackers, or nothing shuts the way to them)\n")
	default:
		w.WriteString("  # (because " + r.String() + " is not in configuration)\n")
	}
	for _, why := range drifts(r) {
		w.WriteString("  # (drift: " + why + ")\n")
	}
	if n := r.Renewals(); n > 0 {
		w.WriteString("  # (" + count(n, "lease") + " renewed: " + dueFirst(r) + ")\n")
	}
	if r.Action == plan.Renew {
		return // its rules stay as they are
	}
	unchanged, again := 0, 0
	var changed []block
	for _, b := range blocks(r.Changes) {
		switch {
		case b.action == plan.NoOp, b.action == plan.Renew:
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
	case plan.Renew:
		return "will be renewed"
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
		if why := Printable(c.Because); why != "" && c.Action != plan.Renew && !slices.Contains(out, why) {
			out = append(out, why)
		}
	}
	if len(out) == 0 && r.Drift {
		out = []string{"it was changed outside of btplan"}
	}
	return out
}
