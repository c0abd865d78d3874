package cli

import (
	"context"
)

func (r *run) plan(ctx context.Context, _ []string) int {
	s := r.begin(ctx)
	if s == nil {
		return exitError
	}
	defer s.engine.Close()
	s.view.Plan(s.plan, s.engine.Estimate(s.plan))
	s.view.Diagnostics(s.diags, s.files)
	if r.planFile != "" && !s.refused() {
		if err := r.save(s); err != nil {
			s.view.Diagnostics(failure("Plan not saved", "The plan could not be written: "+err.Error()+"."), nil)
			return exitError
		}
		s.view.Saved(r.planFile)
	}
	return r.planCode(s)
}

// planCode is the exit code of a plan.
func (r *run) planCode(s *session) int {
	switch incomplete := len(s.plan.Unread) > 0; {
	case s.refused():
		return exitError
	case incomplete && r.detailedExitCode:
		return exitIncomplete
	case incomplete:
		return exitError
	case r.detailedExitCode && s.plan.Counts().Any():
		return exitChanges
	}
	return exitOK
}
