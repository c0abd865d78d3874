package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
)

// Result is how an apply went, resource by resource.
type Result struct {
	Done         []plan.Resource
	Failed       []plan.Resource
	NotAttempted []plan.Resource
	// RolledBack are those devices that took a change back, or will, since it
	// could not be proved to be right.
	RolledBack []plan.Addr
	// Outrun are those devices that someone else changed between plan and
	// apply. Nothing was changed there; a new plan may be.
	Outrun []plan.Addr
}

// Counts counts what was done.
func (r *Result) Counts() plan.Counts {
	var c plan.Counts
	for _, done := range r.Done {
		c.Count(done.Action)
	}
	return c
}

// Apply carries out a plan that this engine made, then reads the changed
// devices again: that nothing is left to do is part of its success. One
// device's failure doesn't keep the others from being changed. Cancelling ctx
// breaks off at once.
func (e *Engine) Apply(ctx context.Context, p *plan.Plan) (*Result, hcl.Diagnostics) {
	pending := map[plan.Addr][]plan.Resource{}
	destroying := true
	for _, r := range p.Pending() {
		pending[r.Device] = append(pending[r.Device], r)
		destroying = destroying && r.Action == plan.Delete
	}
	// Inside-out, so that a gateway never sends packets to a machine that
	// isn't ready; outside-in when everything is taken away.
	phases := []string{plan.BlockMachine, plan.BlockGateway}
	if destroying {
		slices.Reverse(phases)
	}
	result := &Result{}
	var diags hcl.Diagnostics
	for _, phase := range phases {
		var devices []*device
		for _, d := range e.devices {
			if d.addr.Block == phase && len(pending[d.addr]) > 0 {
				devices = append(devices, d)
			}
		}
		diags = append(diags, e.applyPhase(ctx, devices, pending, result)...)
	}
	return result, diags
}

// applyPhase changes these devices side by side.
func (e *Engine) applyPhase(ctx context.Context, devices []*device, pending map[plan.Addr][]plan.Resource, result *Result) hcl.Diagnostics {
	outcomes := make([][]error, len(devices)) // nil: not attempted
	known := make([][]providers.Problem, len(devices))
	var changing group
	changing.setLimit(max(1, e.Parallelism))
	for i, d := range devices {
		changing.do(func() {
			if ctx.Err() == nil && !e.stopped.Load() {
				known[i] = d.reading.Problems
				outcomes[i] = e.applyDevice(ctx, d, pending[d.addr])
			}
		})
	}
	changing.wait()
	var diags hcl.Diagnostics
	for i, d := range devices {
		resources := pending[d.addr]
		if outcomes[i] == nil {
			result.NotAttempted = append(result.NotAttempted, resources...)
			continue
		}
		for j, err := range outcomes[i] {
			if err != nil {
				result.Failed = append(result.Failed, resources[j])
			} else {
				result.Done = append(result.Done, resources[j])
			}
		}
		for sentinel, list := range map[error]*[]plan.Addr{
			providers.ErrRolledBack: &result.RolledBack,
			providers.ErrConflict:   &result.Outrun,
		} {
			if slices.ContainsFunc(outcomes[i], func(err error) bool { return errors.Is(err, sentinel) }) {
				*list = append(*list, d.addr)
			}
		}
		diags = append(diags, applyDiagnostics(d, resources, outcomes[i])...)
		if d.reading != nil {
			diags = append(diags, problemDiagnostics(d, d.reading.Problems, known[i])...)
		}
	}
	return diags
}

// applyDevice changes one device, checks that it took, and gives the outcome
// of each resource.
func (e *Engine) applyDevice(ctx context.Context, d *device, resources []plan.Resource) []error {
	index := map[plan.Addr]int{}
	var changes []plan.Change
	for i := range resources {
		e.observe(Event{Kind: ApplyStarted, Device: d.addr, Resource: &resources[i], Waiting: d.waiting})
		index[resources[i].Owner] = i
		for _, c := range resources[i].Changes {
			if c.Action != plan.NoOp {
				changes = append(changes, c)
			}
		}
	}
	outcomes := make([]error, len(resources))
	told := 0
	err := d.Apply(ctx, changes, func(c plan.Change, err error) {
		told++
		if i := index[c.Owner]; outcomes[i] == nil {
			outcomes[i] = err
		}
	})
	if err == nil && told != len(changes) {
		panic(fmt.Sprintf("%s told of %d changes, but was given %d", d.addr, told, len(changes)))
	}
	if err == nil || slices.Contains(outcomes, nil) {
		e.verify(ctx, d, index, outcomes, err)
	}
	for i := range resources {
		e.observe(Event{Kind: ApplyDone, Device: d.addr, Resource: &resources[i], Err: outcomes[i]})
	}
	return outcomes
}

// verify reads a changed device again, and fails the resources that are not
// as they should be. applyErr is what the apply as a whole said.
func (e *Engine) verify(ctx context.Context, d *device, index map[plan.Addr]int, outcomes []error, applyErr error) {
	fail := func(i int, err error) {
		if outcomes[i] == nil {
			outcomes[i] = err
		}
	}
	if self, ok := d.Device.(providers.ReadingBack); ok && applyErr == nil {
		d.reading = self.ReadBack()
	} else {
		d.reading, d.readErr = d.Read(ctx)
	}
	if d.readErr != nil {
		for i := range outcomes {
			fail(i, errors.Join(applyErr, fmt.Errorf("the change was sent, but the device can't be read to check it: %w", d.readErr)))
		}
		return
	}
	left, _ := e.diff([]*device{d}) // conflicts were told when the plan was made
	for _, r := range left.Pending() {
		i, ours := index[r.Owner]
		if !ours {
			continue // changed by someone else just now: the next plan's business
		}
		if applyErr != nil {
			fail(i, applyErr)
			continue
		}
		fail(i, fmt.Errorf("the device took the change, but does not hold what was asked for: %s", leftToDo(r)))
	}
}

// leftToDo tells in a few words what a resource still lacks.
func leftToDo(r plan.Resource) string {
	var parts []string
	for _, c := range r.Changes {
		switch c.Action {
		case plan.NoOp:
		case plan.Create:
			parts = append(parts, c.After.String()+" is missing")
		case plan.Delete:
			parts = append(parts, c.Before.String()+" is still there")
		default:
			part := c.Before.String() + " instead of " + c.After.String()
			if c.Because != "" {
				part += " (" + c.Because + ")"
			}
			parts = append(parts, part)
		}
	}
	const most = 3
	if n := len(parts); n > most {
		parts = append(parts[:most], fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(parts, "; ")
}

// applyDiagnostics tells what went wrong on one device, once for each
// different error.
func applyDiagnostics(d *device, resources []plan.Resource, outcomes []error) hcl.Diagnostics {
	var diags hcl.Diagnostics
	told := map[string]bool{}
	for i, err := range outcomes {
		if err == nil || told[err.Error()] {
			continue
		}
		told[err.Error()] = true
		subject := resources[i].DeclRange
		if subject.Empty() {
			subject = d.declRange
		}
		summary, detail := fmt.Sprintf("%s could not be changed", d.addr), sentence(err)
		var interrupted *remote.InterruptedError
		if errors.As(err, &interrupted) && !errors.Is(err, providers.ErrRolledBack) {
			summary = fmt.Sprintf("It is not known whether %s was changed", d.addr)
			detail += " Run btplan plan: it shows what the device holds now, and what is left to do."
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  summary,
			Detail:   detail,
			Subject:  subject.Ptr(),
		})
	}
	return diags
}
