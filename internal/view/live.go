package view

import (
	"io"
	"time"
)

// redraw is how often a live line changes at most: oftener, nobody could read
// it, and a terminal far away would fall behind.
const redraw = 100 * time.Millisecond

// liveLine is a line at the foot of a terminal that tells how far something
// has come, and goes when anything else is printed.
type liveLine struct {
	shown bool
	last  time.Time // when it was drawn
}

// due says whether the line may change, for what began at start.
func (l *liveLine) due(start time.Time) bool {
	return time.Since(start) >= redraw && time.Since(l.last) >= redraw
}

// draw says in the line of what it is, and how far that has come. What is wider
// than the terminal loses of its name, and then at its end: a line that goes on
// below could not be taken back.
func (l *liveLine) draw(w io.Writer, width int, name, news string) {
	text := []rune(name + news)
	if over := len(text) - (width - 1); over > 0 {
		kept := max(0, len([]rune(name))-over-1)
		text = []rune(string(text[:kept]) + "…" + news)
	}
	say(w, "\r\x1b[K%s", string(text[:min(len(text), max(0, width-1))]))
	l.shown, l.last = true, time.Now()
}

// erase takes the line away.
func (l *liveLine) erase(w io.Writer) {
	if l.shown {
		say(w, "\r\x1b[K")
		l.shown = false
	}
}
