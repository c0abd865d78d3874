package engine

import (
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

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
