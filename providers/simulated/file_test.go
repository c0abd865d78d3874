package simulated

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/btplan/btplan/providers"
	"github.com/gofrs/flock"
)

// Many that want the lock get it one at a time, and leave nothing behind.
func TestLockIsExclusive(t *testing.T) {
	f := file{path: filepath.Join(t.TempDir(), "home.json")}
	var holders atomic.Int32
	synctest.Test(t, func(t *testing.T) { // so that the waiting takes no time
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 20 {
					unlock, err := f.lock(t.Context(), providers.NewLockWait(new(time.Hour)))
					if err != nil {
						t.Error(err)
						return
					}
					if n := holders.Add(1); n != 1 {
						t.Errorf("%d hold the lock at once", n)
					}
					holders.Add(-1)
					unlock()
				}
			})
		}
		all.Wait()
	})
	if _, err := os.Stat(f.path + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock has left its file behind: %v", err)
	}
}

// Whoever waits for the lock gets it when it is free, and stops waiting when its
// context ends or the time is over.
func TestLockWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := file{path: filepath.Join(t.TempDir(), "home.json"), name: "home.json"}
		unlock, err := f.lock(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.lock(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the lock is held, but a second lock gave %v", err)
		}
		start := time.Now()
		if _, err := f.lock(t.Context(), providers.NewLockWait(new(time.Duration(0)))); !errors.Is(err, providers.ErrLocked) || time.Since(start) > 0 {
			t.Errorf("after %s of no waiting: %v", time.Since(start), err)
		}
		const want = "in the middle of a change of home.json, and did not come to an end in the 10s that btplan waited, so nothing was done. It may be another btplan, of any project and from any computer, or what is left of one that was broken off: it has home.json.lock locked."
		if _, err := f.lock(t.Context(), nil); !errors.Is(err, providers.ErrLocked) || !strings.Contains(err.Error(), want) {
			t.Errorf("after the usual time: %v", err)
		}
		wait, ended := providers.NewLockWait(new(time.Hour)), make(chan error)
		go func() {
			unlock, err := f.lock(t.Context(), wait)
			if err == nil {
				unlock()
			}
			ended <- err
		}()
		synctest.Wait()
		if wait.Waiting() == "" {
			t.Error("nobody waits")
		}
		unlock()
		if err := <-ended; err != nil {
			t.Errorf("the lock is free again, but: %v", err)
		}
	})
}

// A lock file that a crash has left behind keeps nobody out.
func TestLockLeftBehind(t *testing.T) {
	f := file{path: filepath.Join(t.TempDir(), "home.json")}
	if err := os.WriteFile(f.path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	unlock, err := f.lock(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// Without the directory there is no device to write to, and the error says so.
func TestNoDirectory(t *testing.T) {
	f := file{path: filepath.Join(t.TempDir(), "missing", "home.json")}
	if data, err := f.load(); data != nil || err != nil {
		t.Errorf("load: %q, %v", data, err)
	}
	if _, err := f.lock(t.Context(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lock: %v", err)
	}
}

// A lock on a file that has been removed meanwhile, or replaced, counts for
// nothing: the next one would lock another file.
func TestNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "home.json.lock")
	l := flock.New(path)
	if locked, err := l.TryLock(); !locked || err != nil {
		t.Fatal(locked, err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	if !names(path, l) {
		t.Error("the path names the locked file")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if names(path, l) {
		t.Error("the path names nothing")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if names(path, l) {
		t.Error("the path names another file")
	}
}
