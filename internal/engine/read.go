package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
)

// read reads these devices side by side. How it went stands in each.
func (e *Engine) read(ctx context.Context, devices []*device) {
	var reading group
	reading.setLimit(max(1, e.Parallelism))
	for _, d := range devices {
		reading.do(func() {
			e.observe(Event{Kind: ReadStarted, Device: d.addr, Waiting: d.waiting})
			d.reading, d.readErr = d.Read(ctx)
			e.observe(Event{Kind: ReadDone, Device: d.addr, Err: d.readErr})
		})
	}
	reading.wait()
}

// readDiagnostics tells of the devices that could not be read, and of the
// problems seen on the others. withRules says of which a problem of rules is
// one.
func (e *Engine) readDiagnostics(withRules func(*device) bool) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, d := range e.devices {
		if d.readErr != nil {
			summary := fmt.Sprintf("%s could not be read", d.addr)
			if errors.Is(d.readErr, providers.ErrUnreachable) {
				summary = fmt.Sprintf("%s could not be reached", d.addr)
			}
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  summary,
				Detail:   sentence(d.readErr),
				Subject:  d.declRange.Ptr(),
			})
			continue
		}
		diags = append(diags, e.problemDiagnostics(d, problemsOf(d, withRules), nil)...)
	}
	return diags
}

// problemsOf are the problems seen on a device that was read, without those of
// rules unless it is one withRules.
func problemsOf(d *device, withRules func(*device) bool) []providers.Problem {
	if withRules(d) {
		return d.reading.Problems
	}
	return slices.DeleteFunc(slices.Clone(d.reading.Problems), func(p providers.Problem) bool { return p.OfRules })
}

// hasRules says whether a device that was read holds rules of this project.
func (d *device) hasRules() bool {
	return slices.ContainsFunc(d.reading.Rules, func(l plan.Live) bool { return !l.Owner.IsZero() })
}

// leavesRules says whether a device that was read will hold rules of this
// project when a plan is carried out: those of the plan, or others that the
// targets leave alone.
func (e *Engine) leavesRules(d *device, p *plan.Plan) bool {
	for _, r := range p.Resources {
		if r.Device == d.addr && slices.ContainsFunc(r.Changes, func(c plan.Change) bool { return c.After != nil }) {
			return true
		}
	}
	return slices.ContainsFunc(d.reading.Rules, func(l plan.Live) bool {
		return !l.Owner.IsZero() && !e.covers(l.Device, l.Owner)
	})
}

// problemDiagnostics tells of problems on a device, but for those that were
// told already. Extra is the device's plan.Addr, with which the summary begins.
func (e *Engine) problemDiagnostics(d *device, problems, known []providers.Problem) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, p := range problems {
		if slices.Contains(known, p) {
			continue
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagWarning,
			Summary:  fmt.Sprintf("%s: %s", d.addr, p.Summary),
			Detail:   p.Detail,
			Subject:  e.declRange(d, p.Owner).Ptr(),
			Extra:    d.addr,
		})
	}
	return diags
}

// declRange is where owner asks for something; if it is nobody, or no longer in
// the configuration, where the device is.
func (e *Engine) declRange(d *device, owner plan.Addr) hcl.Range {
	for _, m := range e.Config.Machines {
		if m.Addr == owner && !m.TrackersRange.Empty() {
			return m.TrackersRange
		}
	}
	i := slices.IndexFunc(e.Config.PortRanges, func(r *config.PortRange) bool { return r.Addr == owner })
	if i < 0 {
		return d.declRange
	}
	return e.Config.PortRanges[i].DeclRange
}
