package view

import (
	"fmt"
	"io"
	"strings"
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

func (h *human) Plan(p *plan.Plan) {
	h.applying = false // it may be a further plan
	h.gap(h.Out)
	say(h.Out, "%s", h.palette().planText(p, h.Options))
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
			say(h.Out, "%s %s...\n", bold, capitalised(verb.doing))
		}
		h.begin(name, func(seconds int) {
			say(h.Out, "%s Still %s... %s\n", bold, verb.doing, elapsed(e, seconds))
		})
	case engine.ReadDone:
		h.end(name)
	case engine.ApplyDone:
		seconds := h.end(name)
		if e.Err == nil { // else a diagnostic follows
			say(h.Out, "%s %s complete after %ds\n", bold, verb.deed, seconds)
		}
	}
}

func (h *human) Interrupted() {
	h.mu.Lock()
	defer h.mu.Unlock()
	say(h.Out, "\n%s\n", h.palette().bold("Interrupt received. The devices being changed are finished; no other is begun. Press Ctrl-C again to stop at once."))
}

func (h *human) Again() {
	h.gap(h.Out)
	say(h.Out, "Planning again, from what the devices hold now.\n")
}

func (h *human) Result(r *engine.Result, p *plan.Plan) {
	h.gap(h.Out)
	say(h.Out, "%s", h.palette().resultText(r, p.Unread, h.Destroy))
}

func (h *human) Outputs(outputs []*config.Output) {
	if len(outputs) == 0 {
		return
	}
	h.gap(h.Out)
	say(h.Out, "%s\n\n%s", h.palette().bold("Outputs:"), OutputsText(outputs))
}

// resultText sums up an apply: what was done, and if that isn't everything,
// what wasn't.
func (p palette) resultText(r *engine.Result, unread []plan.Addr, destroy bool) string {
	verb := "Apply"
	if destroy {
		verb = "Destroy"
	}
	if len(r.Failed)+len(r.NotAttempted)+len(unread) == 0 {
		return p.success(completeText(verb, r.Counts(), destroy)) + "\n"
	}
	var w strings.Builder
	w.WriteString(p.failure(incompleteText(verb, r)) + "\n")
	list := func(title string, names []string) {
		if len(names) > 0 {
			w.WriteString("\n" + title + ":\n  " + strings.Join(names, "\n  ") + "\n")
		}
	}
	list("Done", names(r.Done))
	list("Failed", names(r.Failed))
	list("Not attempted", names(r.NotAttempted))
	list("Could not be read, so nothing was changed there", names(unread))
	return w.String()
}

func completeText(verb string, c plan.Counts, destroy bool) string {
	if destroy {
		return fmt.Sprintf("%s complete! Resources: %d destroyed.", verb, c.Destroy)
	}
	return fmt.Sprintf("%s complete! Resources: %d added, %d changed, %d destroyed.", verb, c.Add, c.Change, c.Destroy)
}

func incompleteText(verb string, r *engine.Result) string {
	return fmt.Sprintf("%s incomplete: %d done, %d failed, %d not attempted.", verb, len(r.Done), len(r.Failed), len(r.NotAttempted))
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
