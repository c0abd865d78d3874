package simulated

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// Many that want the lock get it one at a time, and leave nothing behind.
func TestLockIsExclusive(t *testing.T) {
	f := file{path: filepath.Join(t.TempDir(), "home.json")}
	var holders atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				unlock, err := f.lock(t.Context())
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
	if _, err := os.Stat(f.path + ".lock"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the lock has left its file behind: %v", err)
	}
}

// Whoever waits for the lock stops waiting when its context ends.
func TestLockWaits(t *testing.T) {
	f := file{path: filepath.Join(t.TempDir(), "home.json")}
	unlock, err := f.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*lockPoll)
	defer cancel()
	if _, err := f.lock(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the lock is held, but a second lock gave %v", err)
	}
	unlock()
	ctx, cancel = context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	unlock, err = f.lock(ctx)
	if err != nil {
		t.Fatalf("the lock is free again, but: %v", err)
	}
	unlock()
}

// A lock file that a crash has left behind keeps nobody out.
func TestLockLeftBehind(t *testing.T) {
	f := file{path: filepath.Join(t.TempDir(), "home.json")}
	if err := os.WriteFile(f.path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	unlock, err := f.lock(ctx)
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
	if _, err := f.lock(t.Context()); !errors.Is(err, fs.ErrNotExist) {
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
