package cli

import (
	"io"
	"os"
	"strings"

	"github.com/btplan/btplan/internal/view"
	"golang.org/x/term"
)

// viewOptions are how this run prints.
func (r *run) viewOptions() view.Options {
	o := view.Options{
		Out: r.Stdout, Err: r.Stderr,
		CompactWarnings: r.compactWarnings,
		JSON:            r.json,
		Destroy:         r.destroy,
		Targeted:        len(r.targets) > 0,
		Renew:           r.renewOnly,
		Version:         Version,
	}
	o.LiveWidth, o.Color = terminal(r.out.Writer)
	if r.getenv("TERM") == "dumb" {
		o.LiveWidth = 0 // it can't take back what it shows
	}
	o.Width, o.ErrColor = terminal(r.Stderr)
	if r.noColor || r.getenv("NO_COLOR") != "" { // https://no-color.org
		o.Color, o.ErrColor = false, false
	}
	return o
}

// isTerminal says whether an input or output is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminal says whether w is a terminal, and how wide.
func terminal(w io.Writer) (width int, is bool) {
	if !isTerminal(w) {
		return 0, false
	}
	width, _, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		width = 0 // not wrapped at all rather than at a guess
	}
	return width, true
}

// getenv is the value of a variable in the environment; empty without it.
func (r *run) getenv(name string) string {
	value := ""
	for _, pair := range r.Env {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			value = v // the last one counts, as in os/exec
		}
	}
	return value
}
