// Package view is what btplan prints: to people, in Terraform's words, and to
// programs, in Terraform's JSON. It is given plain values and touches no
// device. Whatever may have come from a device is made safe for a terminal
// here, and nowhere else.
package view

import (
	"io"
	"time"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
)

// Files are the configuration's source, by name, for the lines that
// diagnostics show.
type Files = map[string]*hcl.File

// View tells the story of one plan, apply or destroy, in the order of its
// methods. Progress may be told from several goroutines, one at a time.
type View interface {
	// Plan prints what there is to do, and about how long it takes to do it
	// if that is long; 0: not known.
	Plan(p *plan.Plan, takes time.Duration)
	// Diagnostics prints errors and warnings.
	Diagnostics(hcl.Diagnostics, Files)
	// Saved says where the plan was written to.
	Saved(file string)
	// Progress prints what is happening on the devices.
	Progress(engine.Event)
	// Interrupted answers the first Ctrl-C of an apply.
	Interrupted()
	// Again says that a new plan follows, since devices were changed by
	// someone else before the last one could be carried out.
	Again()
	// Result sums up an apply. The plan says which devices were left out.
	Result(*engine.Result, *plan.Plan)
	// Outputs prints the configuration's outputs.
	Outputs([]*config.Output)
}

// Options are how a run prints.
type Options struct {
	Out, Err io.Writer
	// Color and ErrColor say whether the one and the other take colours.
	Color, ErrColor bool
	// LiveWidth is how many columns Out has for a line that changes in place;
	// 0: it is no terminal, or none that could show such a line.
	LiveWidth int
	// Width is where the details of diagnostics are wrapped; 0: nowhere.
	Width int
	// CompactWarnings leaves of warnings their summaries, unless there are
	// errors too.
	CompactWarnings bool
	// JSON prints one JSON object a line, everything to Out.
	JSON bool
	// Destroy says that the run is to take everything away.
	Destroy bool
	// Renew says that the run is to renew leases and nothing else.
	Renew bool
	// Targeted says that the run is about a part of the configuration.
	Targeted bool
	// Version is btplan's own.
	Version string
}

// New gives the view that the options ask for.
func New(o Options) View {
	if o.JSON {
		return newJSON(o)
	}
	return &human{Options: o, clocks: clocks{out: o.Out}}
}
