package cli

import (
	"context"

	"github.com/btplan/btplan/internal/view"
)

func (r *run) show(ctx context.Context, args []string) int {
	if len(args) == 1 {
		return r.showSaved(args[0])
	}
	c, files, diags := r.load()
	if c == nil {
		r.diagnostics(diags, files)
		return exitError
	}
	e := r.newEngine(c)
	defer e.Close()
	holdings, more := e.Show(ctx)
	diags = append(diags, more...)
	r.diagnostics(diags, files)
	if ctx.Err() != nil {
		return exitError
	}
	if r.json {
		say(r.Stdout, "%s", view.HoldingsJSON(holdings, Version))
	} else {
		say(r.Stdout, "%s", view.HoldingsText(holdings))
	}
	if diags.HasErrors() {
		return exitError
	}
	return exitOK
}

// showSaved shows a saved plan.
func (r *run) showSaved(file string) int {
	p, extra, raw, err := r.readPlan(file)
	if err != nil {
		return r.fail("Saved plan unusable", "The plan can't be shown: "+err.Error()+".")
	}
	if r.json {
		say(r.Stdout, "%s", raw)
		return exitOK
	}
	o := r.viewOptions()
	o.Destroy, o.Targeted = extra.Destroy, len(extra.Targets) > 0
	view.New(o).Plan(p, 0)
	return exitOK
}
