package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/view"
)

func (r *run) output(_ context.Context, args []string) int {
	if r.raw && (r.json || len(args) == 0) {
		return r.fail("Option -raw misplaced", "-raw prints the value of one output: give its NAME, and not -json.")
	}
	c, files, diags := r.load()
	r.diagnostics(diags, files)
	switch {
	case c == nil:
		return exitError
	case len(args) == 1:
		return r.oneOutput(c, args[0])
	case r.json:
		say(r.Stdout, "%s", view.OutputsJSON(c.Outputs))
	case len(c.Outputs) == 0:
		return r.fail("No outputs", "The configuration has no output blocks.")
	default:
		say(r.Stdout, "%s", view.OutputsText(c.Outputs))
	}
	return exitOK
}

// oneOutput prints the value of an output, also of a sensitive one: who names
// it wants to have it.
func (r *run) oneOutput(c *config.Config, name string) int {
	i := slices.IndexFunc(c.Outputs, func(o *config.Output) bool { return o.Name == name })
	if i < 0 {
		var names []string
		for _, o := range c.Outputs {
			names = append(names, o.Name)
		}
		return r.fail("Output not found", fmt.Sprintf("The configuration has no output %q.%s", name, didYouMean(name, names, `"`)))
	}
	value := c.Outputs[i].Value
	switch {
	case r.json:
		say(r.Stdout, "%s\n", view.ValueJSON(value))
	case r.raw:
		text, err := view.RawText(value)
		if err != nil {
			return r.fail("No raw form", fmt.Sprintf("Output %q can't be printed with -raw: %s.", name, err))
		}
		say(r.Stdout, "%s", text) // no line end: it is not part of the value
	default:
		say(r.Stdout, "%s\n", view.ValueText(value))
	}
	return exitOK
}
