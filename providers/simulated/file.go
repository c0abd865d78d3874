package simulated

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/btplan/btplan/providers"
	"github.com/gofrs/flock"
	"github.com/google/renameio/v2/maybe"
)

const (
	// maxFile bounds the file, in bytes: room for half a million rules.
	maxFile = 64 << 20
)

// file is where a device keeps its rules.
type file struct {
	path string
	name string // what the author calls it, for messages
}

// load reads the whole file; nil when there is none.
func (f file) load() ([]byte, error) {
	// Opening a pipe or a device could wait forever: look first.
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: give the path of a file, or of none yet", f.path)
	}
	r, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB, which no simulated device needs to be", f.path, maxFile>>20)
	}
	if data == nil {
		data = []byte{}
	}
	return data, nil
}

// save replaces the whole file at once, so that whoever reads sees the old or
// the new one. The new one is on the disk before the old one goes. Windows
// has no such replacement: there the file is merely overwritten.
func (f file) save(data []byte) error {
	return maybe.WriteFile(f.path, data, 0o644)
}

// remove takes the file away.
func (f file) remove() error { return os.Remove(f.path) }

// lock keeps other btplans from writing until unlock is called, or until this
// process ends, however it does. It waits for whoever has the lock.
func (f file) lock(ctx context.Context, wait *providers.LockWait) (unlock func(), err error) {
	lock := providers.Lock{
		On:      f.name,
		Holder:  fmt.Sprintf("it has %s.lock locked", f.name),
		Timeout: providers.ChangeLockTimeout,
	}
	err = wait.Do(ctx, lock, func() (err error) {
		unlock, err = f.tryLock(ctx)
		return err
	})
	return unlock, err
}

// tryLock takes the lock, unless somebody else has it.
func (f file) tryLock(ctx context.Context) (unlock func(), err error) {
	// The file itself can't carry the lock: each save puts another in its
	// place. So a file beside it does, for as long as it is needed.
	path := f.path + ".lock"
	for ctx.Err() == nil {
		l := flock.New(path, flock.SetPermissions(0o600))
		locked, err := l.TryLock()
		if err == nil && !locked {
			err = providers.ErrLocked
		}
		if err != nil {
			_ = l.Close()
			return nil, fmt.Errorf("can't lock %s: %w", path, err)
		}
		if names(path, l) {
			return func() {
				// Removed before it is let go: whoever waits for this
				// lock sees that and takes another. Left behind, it would
				// be in nobody's way.
				_ = os.Remove(path)
				_ = l.Close()
			}, nil
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("can't lock %s: %w", path, err)
		}
	}
	return nil, ctx.Err()
}

// names says whether path still leads to the file that l has locked. If not,
// its last holder has removed it meanwhile and the lock keeps nobody out.
func names(path string, l *flock.Flock) bool {
	locked, err := l.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(locked, there)
}
