package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
)

// Plan reads the devices and works out what there is to do. A device that
// can't be read is in the plan's Unread, with an error among the diagnostics;
// the others are planned all the same. The plan is nil when the configuration
// can't be carried out by its devices at all, or a target covers nothing.
func (e *Engine) Plan(ctx context.Context) (*plan.Plan, hcl.Diagnostics) {
	diags := e.Check()
	if diags.HasErrors() {
		return nil, diags
	}
	p, more := e.plan(ctx)
	return p, append(diags, more...)
}

// PlanDestroy is Plan for a configuration that wants nothing.
func (e *Engine) PlanDestroy(ctx context.Context) (*plan.Plan, hcl.Diagnostics) {
	diags := e.Check()
	if diags.HasErrors() {
		return nil, diags
	}
	for _, d := range e.devices {
		d.wanted = nil
	}
	p, more := e.plan(ctx)
	return p, append(diags, more...)
}

func (e *Engine) plan(ctx context.Context) (*plan.Plan, hcl.Diagnostics) {
	e.read(ctx, e.devices)
	p, conflicts := e.diff(e.devices)
	diags := e.readDiagnostics(func(d *device) bool { return e.leavesRules(d, p) })
	diags = append(diags, e.twice()...) // some know only now which one they are
	diags = append(diags, conflicts...)
	diags = append(diags, e.review(p)...)
	diags = append(diags, e.memoryDiagnostics()...)
	if unmatched := e.unmatchedTargets(p); len(unmatched) > 0 {
		return nil, append(diags, unmatched...)
	}
	return p, diags
}

// diff compares what was read of these devices with what is wanted of them,
// within the targets.
func (e *Engine) diff(devices []*device) (*plan.Plan, hcl.Diagnostics) {
	var wanted []plan.Wanted
	var live []plan.Live
	var unread []plan.Addr
	for _, d := range devices {
		if d.readErr != nil {
			unread = append(unread, d.addr)
			continue
		}
		for _, w := range d.wanted {
			needless := w.Kind == plan.Outbound && !d.reading.DropsOutbound
			if !needless && e.covers(w.Device, w.Owner) {
				wanted = append(wanted, w)
			}
		}
		for _, l := range d.reading.Rules {
			if l.Owner.IsZero() || e.covers(l.Device, l.Owner) {
				live = append(live, l)
			}
		}
	}
	p, diags := plan.Diff(wanted, live)
	p.Found = map[plan.Addr]string{}
	for _, d := range devices {
		if d.readErr == nil && d.reading.Found != "" {
			p.Found[d.addr] = d.reading.Found
		}
	}
	slices.SortFunc(unread, plan.Addr.Compare)
	p.Unread = unread
	return p, diags
}

// Show reads the devices and gives what they hold, compared with nothing.
func (e *Engine) Show(ctx context.Context) ([]Holding, hcl.Diagnostics) {
	diags := e.Check()
	if diags.HasErrors() {
		return nil, diags
	}
	e.read(ctx, e.devices)
	var out []Holding
	for _, d := range e.devices {
		h := Holding{Device: d.addr, Type: d.typeName, Unread: d.readErr != nil}
		if d.reading != nil {
			h.Found = d.reading.Found
			for _, l := range d.reading.Rules {
				switch {
				case l.Owner.IsZero():
					h.Foreign++
				case e.covers(l.Device, l.Owner):
					h.Rules = append(h.Rules, l)
				}
			}
		}
		slices.SortFunc(h.Rules, func(a, b plan.Live) int {
			if order := a.Owner.Compare(b.Owner); order != 0 {
				return order
			}
			return a.Rule.Compare(b.Rule)
		})
		out = append(out, h)
	}
	diags = append(diags, e.readDiagnostics((*device).hasRules)...)
	return out, append(diags, e.memoryDiagnostics()...)
}

// Holding is what one device holds.
type Holding struct {
	Device  plan.Addr
	Type    string      // the gateway's or firewall's type
	Found   string      // what that turned out to be; see providers.Reading
	Rules   []plan.Live // ours, sorted by owner and rule
	Foreign int         // how many rules of others
	Unread  bool        // it could not be read: the rest is unknown
}

// sentence makes of an error what a diagnostic's detail is: a text that
// begins with a capital letter and ends with a full stop.
func sentence(err error) string { return sentenceOf(err.Error()) }

func sentenceOf(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	// Only a plain word gets a capital: not an address, a path or a name.
	if word, _, _ := strings.Cut(s, " "); !strings.ContainsAny(word, ".:/_\"@0123456789") {
		s = string(unicode.ToUpper(first)) + s[size:]
	}
	if last, _ := utf8.DecodeLastRuneInString(s); !strings.ContainsRune(".!?\n", last) {
		s += "."
	}
	return s
}

// unmatchedTargets tells of targets that are neither in the configuration nor
// on a device: most likely misspelt.
func (e *Engine) unmatchedTargets(p *plan.Plan) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, t := range e.Targets {
		matched := e.configured(t) || slices.ContainsFunc(p.Resources, func(r plan.Resource) bool {
			return t.covers(e, r.Device, r.Owner)
		})
		if !matched && len(p.Unread) == 0 {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Target not found",
				Detail:   fmt.Sprintf("-target=%s covers nothing: no block of the configuration has this address, and no device holds a rule of it.", t),
			})
		}
	}
	return diags
}
