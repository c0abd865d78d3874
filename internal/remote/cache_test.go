package remote

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// The files that all targets have in common are read once, however many
// Runners there are at once.
func TestFilesAreReadOnce(t *testing.T) {
	var c cache[int]
	reads := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got := c.get("file", func() int { reads++; return reads }); got != 1 {
				t.Errorf("got %d", got)
			}
		})
	}
	all.Wait()
	if got := c.get("other file", func() int { return 7 }); got != 7 {
		t.Errorf("another file: got %d", got)
	}

	s := newServer(t).start()
	p := newTestPool(t, s.here)
	for range 2 {
		r := p.Open(s.target())
		_, err := r.Run(t.Context(), ":", nil)
		check(t, err)
		check(t, r.Close())
		check(t, os.RemoveAll(filepath.Join(s.here.home, ".ssh")))
	}
}
