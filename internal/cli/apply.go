package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/btplan/btplan/internal/engine"
)

func (r *run) apply(ctx context.Context, args []string) int {
	if r.renewOnly {
		return r.renew(ctx, args)
	}
	if len(args) == 1 {
		return r.applySaved(ctx, args[0])
	}
	if code, ok := r.mayAsk(); !ok {
		return code
	}
	return r.untilNotOutrun(ctx, r.planAndApply)
}

// untilNotOutrun plans and applies until nobody has come between the two, or
// it is enough.
func (r *run) untilNotOutrun(ctx context.Context, once func(context.Context) (code int, outrun bool)) int {
	// Who comes second plans again from what the first one left.
	const mostAttempts = 3
	for attempt := 1; ; attempt++ {
		code, outrun := once(ctx)
		if !outrun || attempt == mostAttempts || r.wasInterrupted(ctx) {
			return code
		}
		r.view().Again()
	}
}

// planAndApply makes a plan, has it approved and carries it out. outrun says
// that someone else has changed a device in the meantime.
func (r *run) planAndApply(ctx context.Context) (code int, outrun bool) {
	s := r.begin(ctx)
	if s == nil {
		return exitError, false
	}
	defer s.engine.Close()
	s.view.Plan(s.plan, s.engine.Estimate(s.plan))
	s.view.Diagnostics(s.diags, s.files)
	if s.refused() {
		return exitError, false
	}
	// To renew leases changes nothing that anyone could object to.
	if s.plan.Counts().Any() && !r.autoApprove && !r.approved(ctx) {
		return exitError, false
	}
	return r.carryOut(ctx, s)
}

func (r *run) destroyAll(ctx context.Context, _ []string) int {
	r.destroy = true
	return r.apply(ctx, nil)
}

// mayAsk says whether the run can get the approval that it needs.
func (r *run) mayAsk() (code int, ok bool) {
	switch {
	case r.autoApprove:
		return exitOK, true
	case r.json:
		return r.failInView("Approval needed", "-json can't ask for approval. Give -auto-approve, or a plan that btplan plan -out=FILE saved."), false
	case !r.input:
		return r.failInView("Approval needed", "-input=false forbids to ask for approval, and -auto-approve was not given. Give -auto-approve, or a plan that btplan plan -out=FILE saved."), false
	}
	return exitOK, true
}

// carryOut applies the session's plan and gives the exit code. outrun says
// that some device was no longer what the plan was made from, and that a new
// plan is worth the trouble.
func (r *run) carryOut(ctx context.Context, s *session) (code int, outrun bool) {
	r.onInterrupt(func() {
		s.engine.Stop()
		s.view.Interrupted()
	})
	result := &engine.Result{}
	if len(s.plan.Pending()) > 0 {
		applied, diags := s.engine.Apply(ctx, s.plan)
		s.view.Diagnostics(diags, s.files)
		result = applied
	}
	r.onInterrupt(nil)
	r.done = append(r.done, result.Done...)
	result.Done, result.Left = r.done, s.left
	s.view.Result(result, s.plan)
	switch {
	case len(result.RolledBack) > 0:
		// Whoever runs btplan should look at why before it is tried again.
		return exitRolledBack, false
	case len(result.Failed)+len(result.NotAttempted)+len(s.plan.Unread) > 0:
		return exitError, len(result.Outrun) > 0
	}
	if !r.destroy && !r.renewOnly {
		s.view.Outputs(s.config.Outputs)
	}
	return exitOK, false
}

// approved asks whether to carry out the plan that was just printed.
func (r *run) approved(ctx context.Context) bool {
	verb := "Apply"
	if r.destroy {
		verb = "Destroy"
		say(r.Stdout, "\nDo you really want to destroy all resources?\n"+
			"  btplan will remove every rule that it made, as shown above.\n"+
			"  There is no undo. Only 'yes' will be accepted to confirm.\n\n  Enter a value: ")
	} else {
		say(r.Stdout, "\nDo you want to perform these actions?\n"+
			"  btplan will perform the actions described above.\n"+
			"  Only 'yes' will be accepted to approve.\n\n  Enter a value: ")
	}
	answer, err := readLine(ctx, r.Stdin)
	if err == nil && answer == "yes" {
		return true
	}
	say(r.Stdout, "\n%s cancelled.\n", verb)
	if err != nil {
		r.fail("No answer", "There was no answer to the question for approval: "+err.Error()+". Answer it with yes, or give -auto-approve.")
	}
	return false
}

// readLine reads one line, or less if the input ends. It gives up when ctx
// ends.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	type answer struct {
		line string
		err  error
	}
	// A read can't be broken off: when ctx ends first, it is left behind, and
	// ends with the process.
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(io.LimitReader(in, 4096)).ReadString('\n')
		got <- answer{strings.TrimSpace(line), err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("interrupted")
	case a := <-got:
		switch {
		case errors.Is(a.err, io.EOF) && a.line == "":
			return "", errors.New("the standard input ended")
		case a.err != nil && !errors.Is(a.err, io.EOF):
			return "", fmt.Errorf("the standard input can't be read: %w", a.err)
		}
		return a.line, nil
	}
}
