package cli

import (
	"context"

	"github.com/btplan/btplan/plan"
)

// renew renews leases and does nothing else. It asks nothing: it is made to be
// run by a timer.
func (r *run) renew(ctx context.Context, args []string) int {
	if len(args) > 0 || r.destroy {
		return r.failInView("Option -renew misplaced", "-renew carries out nothing but renewals: it goes neither with a saved plan nor with -destroy.")
	}
	return r.untilNotOutrun(ctx, r.planAndRenew)
}

// planAndRenew makes a plan and carries out its renewals. An error about the
// rest of the plan keeps no lease from being renewed.
func (r *run) planAndRenew(ctx context.Context) (code int, outrun bool) {
	s := r.begin(ctx)
	if s == nil {
		return exitError, false
	}
	defer s.engine.Close()
	s.view.Diagnostics(s.diags, s.files)
	for _, resource := range s.plan.Pending() {
		if resource.Action != plan.Renew {
			s.left++
		}
	}
	s.plan = s.plan.OnlyRenewals()
	code, outrun = r.carryOut(ctx, s)
	if code == exitOK && s.refused() {
		code = exitError
	}
	return code, outrun
}
