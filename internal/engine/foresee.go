package engine

import (
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
)

// changesOn are the changes of some resources that are to be made on a device.
func changesOn(device plan.Addr, resources []plan.Resource) []plan.Change {
	var out []plan.Change
	for _, r := range resources {
		for _, c := range r.Changes {
			if r.Device == device && c.Action != plan.NoOp {
				out = append(out, c)
			}
		}
	}
	return out
}

// advise asks the devices what may go wrong with their part of a plan.
func (e *Engine) advise(p *plan.Plan) hcl.Diagnostics {
	pending := p.Pending()
	var diags hcl.Diagnostics
	for _, d := range e.devices {
		advising, can := d.Device.(providers.Advising)
		if !can || d.readErr != nil {
			continue
		}
		if changes := changesOn(d.addr, pending); len(changes) > 0 {
			diags = append(diags, e.problemDiagnostics(d, advising.Advise(changes), d.reading.Problems)...)
		}
	}
	return diags
}

// Estimate is about how long Apply will take for a plan that this engine made,
// as far as the devices know; those that are quick have nothing to say.
func (e *Engine) Estimate(p *plan.Plan) time.Duration {
	pending := p.Pending()
	var whole time.Duration
	for _, phase := range []string{plan.BlockMachine, plan.BlockGateway} {
		// Side by side they take as long as the slowest, or more if there are
		// more of them than are worked on at once.
		var slowest, sum time.Duration
		for _, d := range e.devices {
			estimating, can := d.Device.(providers.Estimating)
			if !can || d.addr.Block != phase || d.readErr != nil {
				continue
			}
			if changes := changesOn(d.addr, pending); len(changes) > 0 {
				takes := estimating.Estimate(changes)
				slowest, sum = max(slowest, takes), sum+takes
			}
		}
		whole += max(slowest, sum/time.Duration(max(1, e.Parallelism)))
	}
	return whole
}
