package view

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/plan"
)

// reminder is how often what takes long is told of.
const reminder = 10 * time.Second

// verbs are what a person is told while an action is under way, and after it.
type verbs struct{ doing, deed string }

var reading = verbs{"reading", "Read"}

func verbsOf(a plan.Action) verbs {
	switch a {
	case plan.Create:
		return verbs{"creating", "Creation"}
	case plan.Update:
		return verbs{"modifying", "Modifications"}
	case plan.Replace:
		return verbs{"replacing", "Replacement"}
	case plan.Delete:
		return verbs{"destroying", "Destruction"}
	case plan.Renew:
		return verbs{"renewing", "Renewal"}
	}
	panic("nothing happens by " + a.String())
}

// clocks measures what is under way, and reminds of it.
type clocks struct {
	out     io.Writer
	mu      sync.Mutex // over running and everything written to out
	running map[string]*clock
}

type clock struct {
	start time.Time
	timer *time.Timer
	// step and steps are how many changes are done, and how many there are;
	// zero until the first of several is done.
	step, steps int
}

// elapsed is the whole seconds since start.
func (c *clock) elapsed() int { return int(time.Since(c.start) / time.Second) }

// begin starts a clock; remind is called at each reminder, while nothing else
// is written.
func (c *clocks) begin(name string, remind func(*clock)) {
	if c.running == nil {
		c.running = map[string]*clock{}
	}
	this := &clock{start: time.Now()}
	this.timer = time.AfterFunc(reminder, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.running[name] != this {
			return // it ended while this was waiting for the lock
		}
		remind(this)
		this.timer.Reset(reminder)
	})
	c.running[name] = this
}

// clock is a running one.
func (c *clocks) clock(name string) *clock {
	this, ok := c.running[name]
	if !ok {
		panic("news of something that did not begin: " + name)
	}
	return this
}

// end stops a clock and gives the seconds that it ran.
func (c *clocks) end(name string) int {
	this := c.clock(name)
	this.timer.Stop()
	delete(c.running, name)
	return this.elapsed()
}

// subject is what an event is about: a device, or a resource on it.
func subject(e engine.Event) (name string, v verbs) {
	if e.Resource != nil {
		return e.Resource.String(), verbsOf(e.Resource.Action)
	}
	return e.Device.String(), reading
}

// elapsed tells how long something has been under way, how much of it is done
// if it has several steps, and what it waits for if that is known.
func elapsed(e engine.Event, c *clock) string {
	out := fmt.Sprintf("%ds elapsed", c.elapsed())
	if c.steps > 0 {
		out += fmt.Sprintf(", %d of %d done", c.step, c.steps)
	}
	if e.Waiting != nil {
		if what := e.Waiting(); what != "" {
			out += ", waiting for " + Printable(what)
		}
	}
	return "[" + out + "]"
}
