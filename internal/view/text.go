package view

import (
	"fmt"
	"io"
	"strconv"

	"github.com/btplan/btplan/internal/plain"
)

// palette colours text, or leaves it alone when it is false.
type palette bool

func (p palette) wrap(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p palette) bold(s string) string   { return p.wrap("1", s) }
func (p palette) red(s string) string    { return p.wrap("31", s) }
func (p palette) green(s string) string  { return p.wrap("32", s) }
func (p palette) yellow(s string) string { return p.wrap("33", s) }

// success is how a run's good end looks.
func (p palette) success(s string) string { return p.wrap("1;32", s) }

// failure is how a run's bad end looks.
func (p palette) failure(s string) string { return p.wrap("1;31", s) }

// Printable makes text that came from a device safe for a terminal. Line ends
// and tabs stay.
func Printable(s string) string { return plain.Text(s) }

// say prints to a stream of the process. A stream that can't be written to
// keeps its error for the end of the run; there is nobody to tell before.
func say(w io.Writer, format string, args ...any) {
	_, _ = fmt.Fprintf(w, format, args...)
}

// count is a number with its noun: "1 rule", "3 rules".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
