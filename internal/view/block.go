package view

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
)

// block is one change as a plan shows it: a rule, or a run of rules for single
// ports that differ in nothing but the port.
type block struct {
	action        plan.Action
	before, after *plan.Rule
	mappings      int // how many rules it stands for
}

// rule is the rule by which the block is named.
func (b block) rule() *plan.Rule {
	if b.after != nil {
		return b.after
	}
	return b.before
}

// blocks folds the changes of a resource, which are sorted by rule.
func blocks(changes []plan.Change) []block {
	var out []block
	for _, c := range changes {
		next := block{action: c.Action, before: c.Before, after: c.After, mappings: 1}
		if n := len(out); n > 0 && out[n-1].continuedBy(next) {
			out[n-1].extend(next)
			continue
		}
		out = append(out, next)
	}
	return out
}

// continuedBy says whether next is the same change one port further on.
func (b block) continuedBy(next block) bool {
	return b.action == next.action && single(next.before) && single(next.after) &&
		(b.mappings > 1 || single(b.before) && single(b.after)) &&
		follows(b.before, next.before) && follows(b.after, next.after)
}

// extend makes b stand for next too.
func (b *block) extend(next block) {
	grow := func(r, by *plan.Rule) *plan.Rule {
		if r == nil {
			return nil
		}
		grown := *r // the plan's own rule stays as it is
		grown.Ports.Last = by.Ports.Last
		return &grown
	}
	b.before, b.after = grow(b.before, next.before), grow(b.after, next.after)
	b.mappings++
}

// single says whether r is for one port, or isn't there.
func single(r *plan.Rule) bool { return r == nil || r.Ports.Count() == 1 }

// follows says whether b goes on where a ends, or both are not there.
func follows(a, b *plan.Rule) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Ports.Last < b.Ports.First && len(plan.Coalesce([]plan.Rule{*a, *b})) == 1
}

// symbol is the action's mark at the head of a line, coloured.
func (p palette) symbol(a plan.Action) string {
	switch a {
	case plan.Create:
		return p.green("+")
	case plan.Update:
		return p.yellow("~")
	case plan.Replace:
		return p.red("-") + "/" + p.green("+")
	case plan.Delete:
		return p.red("-")
	}
	return " "
}

// writeBlock writes a block as Terraform writes a resource's: each attribute
// with the symbol of what happens to it.
func (p palette) writeBlock(w *strings.Builder, b block) {
	margin := "  "
	if b.action == plan.Replace {
		margin = "" // its symbol is that much wider
	}
	w.WriteString(margin + p.symbol(b.action) + " " + b.rule().Kind.String() + " {\n")
	old, now := b.before, b.after
	p.writeAttribute(w, "protocol", value(old, protocol), value(now, protocol), "")
	p.writeAttribute(w, "ports", value(old, ports), value(now, ports), p.portsNote(b))
	p.writeAttribute(w, "to", value(old, plan.Rule.Target), value(now, plan.Rule.Target), "")
	if from, to := sources(old), sources(now); len(from) > 0 && slices.Equal(from, to) {
		w.WriteString("        # (1 unchanged attribute hidden)\n")
	} else {
		p.writeSources(w, from, to)
	}
	w.WriteString("    }\n")
}

// portsNote is the comment behind the ports.
func (p palette) portsNote(b block) string {
	note := ""
	if b.mappings > 1 {
		what := "rule"
		if b.rule().Kind == plan.Forward {
			what = "mapping" // as routers' own pages have it
		}
		note = "  # " + count(b.mappings, what)
	}
	if b.action == plan.Replace {
		note += p.red("  # forces replacement")
	}
	return note
}

// attributeWidth is the longest name of an attribute: protocol.
const attributeWidth = len("protocol")

// writeAttribute writes one attribute; an empty value means that the rule
// doesn't have it. An attribute that neither rule has is left out.
func (p palette) writeAttribute(w *strings.Builder, name, before, after, note string) {
	if before == "" && after == "" {
		return
	}
	action, text := attributeChange(before, after)
	w.WriteString("      " + p.symbol(action) + " " + name + strings.Repeat(" ", attributeWidth-len(name)) + " = " + text + note + "\n")
}

func attributeChange(before, after string) (plan.Action, string) {
	switch {
	case before == after:
		return plan.NoOp, strconv.Quote(after)
	case before == "":
		return plan.Create, strconv.Quote(after)
	case after == "":
		return plan.Delete, strconv.Quote(before) + " -> null"
	}
	return plan.Update, strconv.Quote(before) + " -> " + strconv.Quote(after)
}

// writeSources writes the list of who may connect, an element a line. Both
// lists are sorted.
func (p palette) writeSources(w *strings.Builder, before, after []netip.Prefix) {
	if len(before) == 0 && len(after) == 0 {
		return
	}
	action, end := plan.Update, "]"
	switch {
	case len(before) == 0:
		action = plan.Create
	case len(after) == 0:
		action, end = plan.Delete, "] -> null"
	}
	w.WriteString("      " + p.symbol(action) + " sources  = [\n")
	unchanged := 0
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0, len(before) > 0 && before[0].Compare(after[0]) < 0:
			w.WriteString("          " + p.symbol(plan.Delete) + " " + strconv.Quote(before[0].String()) + ",\n")
			before = before[1:]
		case len(before) == 0, before[0].Compare(after[0]) > 0:
			w.WriteString("          " + p.symbol(plan.Create) + " " + strconv.Quote(after[0].String()) + ",\n")
			after = after[1:]
		default:
			unchanged++
			before, after = before[1:], after[1:]
		}
	}
	if unchanged > 0 {
		w.WriteString("            # (" + count(unchanged, "unchanged element") + " hidden)\n")
	}
	w.WriteString("        " + end + "\n")
}

// value is what of says of a rule; nothing of a rule that isn't there.
func value(r *plan.Rule, of func(plan.Rule) string) string {
	if r == nil {
		return ""
	}
	return of(*r)
}

func protocol(r plan.Rule) string { return string(r.Protocol) }
func ports(r plan.Rule) string    { return r.Ports.String() }

func sources(r *plan.Rule) []netip.Prefix {
	if r == nil {
		return nil
	}
	return r.Sources
}
