package cli

import (
	"context"

	"github.com/btplan/btplan/internal/view"
)

func (r *run) graph(context.Context, []string) int {
	c, files, diags := r.load()
	r.diagnostics(diags, files)
	if c == nil {
		return exitError
	}
	say(r.Stdout, "%s", view.Graph(c))
	return exitOK
}
