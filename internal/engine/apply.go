package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
	// Left is how many resources had changes that this apply was not meant
	// to make.
	Left int
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

// Renewed is how many leases were renewed.
func (r *Result) Renewed() int {
	n := 0
	for _, done := range r.Done {
		n += done.Renewals()
	}
	return n
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
	return result, append(diags, e.memoryDiagnostics()...)
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
				known[i] = slices.Concat(d.reading.Problems, d.advised)
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
			diags = append(diags, e.problemDiagnostics(d, problemsOf(d, (*device).hasRules), known[i])...)
		}
	}
	return diags
}

// applyDevice changes one device, checks that it took, and gives the outcome
// of each resource.
func (e *Engine) applyDevice(ctx context.Context, d *device, resources []plan.Resource) []error {
	index := map[plan.Addr]int{}
	steps, done := make([]int, len(resources)), make([]int, len(resources))
	for i := range resources {
		e.observe(Event{Kind: ApplyStarted, Device: d.addr, Resource: &resources[i], Waiting: d.waiting})
		index[resources[i].Owner] = i
		steps[i] = len(changesOn(d.addr, resources[i:i+1]))
	}
	changes := changesOn(d.addr, resources)
	outcomes := make([]error, len(resources))
	told := 0
	err := d.Apply(ctx, changes, func(c plan.Change, err error) {
		told++
		i := index[c.Owner]
		if outcomes[i] == nil {
			outcomes[i] = err
		}
		if err != nil || steps[i] == 1 {
			return
		}
		done[i]++
		e.observe(Event{Kind: ApplyStep, Device: d.addr, Resource: &resources[i], Step: done[i], Steps: steps[i]})
	})
	if err == nil && told != len(changes) {
		panic(fmt.Sprintf("%s told of %d changes, but was given %d", d.addr, told, len(changes)))
	}
	if err == nil || slices.Contains(outcomes, nil) {
		e.verify(ctx, d, resources, outcomes, err)
	}
	for i := range resources {
		e.observe(Event{Kind: ApplyDone, Device: d.addr, Resource: &resources[i], Err: outcomes[i]})
	}
	return outcomes
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
