package engine

import (
	"fmt"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/errgroup"
)

// group runs functions side by side. When one panics the others still come to
// their end; then wait panics, in the goroutine that can tell of it. A panic
// in any other would end the process at once, and with the exit code 2, which
// means something else.
type group struct {
	running errgroup.Group
	once    sync.Once
	bug     string // the first panic and its stack
}

func (g *group) setLimit(n int) { g.running.SetLimit(n) }

func (g *group) do(f func()) {
	g.running.Go(func() error {
		defer func() {
			if bug := recover(); bug != nil {
				g.once.Do(func() { g.bug = fmt.Sprintf("%v\n\n%s", bug, debug.Stack()) })
			}
		}()
		f()
		return nil
	})
}

func (g *group) wait() {
	_ = g.running.Wait() // its functions have no errors
	if g.bug != "" {
		panic(g.bug)
	}
}
