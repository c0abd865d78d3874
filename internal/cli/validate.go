package cli

import (
	"context"

	"github.com/btplan/btplan/internal/view"
	"github.com/hashicorp/hcl/v2"
)

func (r *run) validate(context.Context, []string) int {
	c, files, diags := r.load()
	if c != nil {
		e := r.newEngine(c)
		diags = append(diags, e.Check()...)
		e.Close()
	}
	switch {
	case r.json:
		say(r.Stdout, "%s", view.ValidationJSON(diags, files))
	case diags.HasErrors():
		r.diagnostics(diags, files)
	case len(diags) > 0:
		r.diagnostics(diags, files)
		say(r.Stdout, "Success! The configuration is valid, but there were some validation warnings as shown above.\n")
	default:
		say(r.Stdout, "Success! The configuration is valid.\n")
	}
	if diags.HasErrors() {
		return exitError
	}
	return exitOK
}

// diagnostics prints diagnostics as text, for commands that have no view.
func (r *run) diagnostics(diags hcl.Diagnostics, files view.Files) {
	view.Diagnostics(r.viewOptions(), diags, files)
}
