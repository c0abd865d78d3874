package view

import (
	"fmt"
	"io"
	"time"
	"unicode"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
)

// human prints for people.
type human struct {
	Options
	clocks
	live     liveLine
	begun    bool // something was printed: what follows stands apart
	applying bool // the first change has begun
}

// gap sets what follows apart from what was printed before.
func (h *human) gap(w io.Writer) {
	if h.begun {
		say(w, "\n")
	}
	h.begun = true
}

func (h *human) palette() palette { return palette(h.Color) }

func (h *human) Plan(p *plan.Plan, takes time.Duration) {
	h.applying = false // it may be a further plan
	h.gap(h.Out)
	say(h.Out, "%s", h.palette().planText(p, takes, h.Options))
}

func (h *human) Diagnostics(diags hcl.Diagnostics, files Files) {
	if len(diags) == 0 {
		return
	}
	h.gap(h.Err)
	Diagnostics(h.Options, diags, files)
	h.begun = false // diagnostics end with an empty line
}

func (h *human) Saved(file string) {
	h.gap(h.Out)
	say(h.Out, "Saved the plan to: %s\n\nTo perform exactly these actions, run the following command to apply:\n    btplan apply %q\n", Printable(file), file)
}

func (h *human) Progress(e engine.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name, verb := subject(e)
	bold := h.palette().bold(name + ":")
	switch e.Kind {
	case engine.ReadStarted, engine.ApplyStarted:
		// A read is told of only when it takes long: most plans are there
		// before anyone could read the line.
		if e.Kind == engine.ApplyStarted {
			if !h.applying {
				h.gap(h.Out)
				h.applying = true
			}
			h.line("%s %s...\n", bold, capitalised(verb.doing))
		}
		h.begin(name, func(c *clock) {
			if h.LiveWidth > 0 && c.steps > 0 {
				h.live.draw(h.Out, h.LiveWidth, name, fmt.Sprintf(": Still %s... %s", verb.doing, elapsed(e, c)))
				return
			}
			h.line("%s Still %s... %s\n", bold, verb.doing, elapsed(e, c))
		})
	case engine.ApplyStep:
		c := h.clock(name)
		c.step, c.steps = e.Step, e.Steps
		if h.LiveWidth > 0 && h.live.due(c.start) {
			h.live.draw(h.Out, h.LiveWidth, name, fmt.Sprintf(": Still %s... [%d of %d]", verb.doing, e.Step, e.Steps))
		}
	case engine.ReadDone:
		h.end(name)
	case engine.ApplyDone:
		h.live.erase(h.Out)
		seconds := h.end(name)
		if e.Err == nil { // else a diagnostic follows
			h.line("%s %s complete after %ds\n", bold, verb.deed, seconds)
		}
	}
}

// line prints a line that stays, in the place of the one that doesn't.
func (h *human) line(format string, args ...any) {
	h.live.erase(h.Out)
	say(h.Out, format, args...)
}

func (h *human) Interrupted() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.line("\n%s\n", h.palette().bold("Interrupt received. The devices being changed are finished; no other is begun. Press Ctrl-C again to stop at once."))
}

func (h *human) Again() {
	h.gap(h.Out)
	say(h.Out, "Planning again, from what the devices hold now.\n")
}

func (h *human) Result(r *engine.Result, p *plan.Plan) {
	h.gap(h.Out)
	say(h.Out, "%s", h.palette().resultText(r, p.Unread, h.Options))
}

func (h *human) Outputs(outputs []*config.Output) {
	if len(outputs) == 0 {
		return
	}
	h.gap(h.Out)
	say(h.Out, "%s\n\n%s", h.palette().bold("Outputs:"), OutputsText(outputs))
}

func names[T fmt.Stringer](list []T) []string {
	var out []string
	for _, one := range list {
		out = append(out, one.String())
	}
	return out
}

// capitalised is a word as it begins a sentence.
func capitalised(word string) string {
	return string(unicode.ToUpper(rune(word[0]))) + word[1:]
}
