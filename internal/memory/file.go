package memory

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2/maybe"
)

const (
	// format is the version of the file's format. A file of another is left
	// alone: a later btplan may have written it.
	format = 1
	// maxFile bounds the file, in bytes: room for a note on every port there
	// is.
	maxFile = 16 << 20
	// lockPoll is how often a lock that another process holds is asked for.
	// It is held for milliseconds.
	lockPoll = 10 * time.Millisecond
)

// content is what the file holds.
type content struct {
	Format  int                        `json:"format"`
	Devices map[string]json.RawMessage `json:"devices"` // the notes, by the device's address
}

// path is the file's.
func (m *Memory) path() string { return filepath.Join(m.dir, "memory.json") }

// damagedError is a file that holds something else than notes.
type damagedError struct{ err error }

func (e *damagedError) Error() string { return e.err.Error() }
func (e *damagedError) Unwrap() error { return e.err }

// read gives the notes in the file; none if there is no file.
func (m *Memory) read() (map[string]json.RawMessage, error) {
	const without = "btplan goes on without what it remembered of the devices"
	data, err := m.load()
	if err != nil {
		return nil, fmt.Errorf("the memory file can't be read: %w. %s", err, without)
	}
	if data == nil {
		return nil, nil
	}
	var c content
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, &damagedError{fmt.Errorf("%s is damaged (%w). %s. The next note goes to a new file, and this one is kept as %s", m.path(), err, without, filepath.Base(m.damaged()))}
	}
	if c.Format != format {
		return nil, fmt.Errorf("%s is of format %d, and this btplan knows format %d. %s, and remembers nothing new. Use the btplan that wrote it, or delete it", m.path(), c.Format, format, without)
	}
	// What is laid out for eyes in the file is compact in the notes.
	for device, note := range c.Devices {
		var compact bytes.Buffer
		if err := json.Compact(&compact, note); err != nil {
			panic("a part of JSON that is not JSON: " + err.Error())
		}
		c.Devices[device] = compact.Bytes()
	}
	return c.Devices, nil
}

// load reads the whole file; nil when there is none.
func (m *Memory) load() ([]byte, error) {
	path := m.path()
	// Opening a pipe or a device could wait forever: look first.
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it is only read
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s is larger than %d MiB, which no memory of btplan's is", path, maxFile>>20)
	}
	return data, err
}

// put writes one device's note, and leaves the others as they are in the file.
func (m *Memory) put(device string, note json.RawMessage) error {
	const lost = "What was to be remembered is lost, which costs no rule, but perhaps time or a mark later"
	unlock, err := m.lock()
	if err != nil {
		return fmt.Errorf("the memory file can't be written: %w. %s", err, lost)
	}
	defer unlock()
	notes, err := m.read()
	var damaged *damagedError
	switch {
	case errors.As(err, &damaged):
		if err := os.Rename(m.path(), m.damaged()); err != nil {
			return fmt.Errorf("a damaged memory file can't be set aside: %w. %s", err, lost)
		}
		_ = m.warn(err)
	case err != nil:
		return err
	}
	if notes == nil {
		notes = map[string]json.RawMessage{}
	}
	if bytes.Equal(notes[device], note) {
		return nil
	}
	notes[device] = note
	data, err := json.MarshalIndent(content{format, notes}, "", "  ")
	if err != nil {
		panic("notes that have no JSON form: " + err.Error())
	}
	// A temporary file, synced and renamed: whoever reads sees the one or the
	// other, also after the power has failed.
	if err := maybe.WriteFile(m.path(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("the memory file can't be written: %w. %s", err, lost)
	}
	return nil
}

// damaged is where a damaged file is kept.
func (m *Memory) damaged() string { return m.path() + ".damaged" }

// lock keeps other processes from writing until unlock is called, or until this
// one ends, however it does. It makes the directory if there is none.
func (m *Memory) lock() (unlock func(), err error) {
	if m.locked != nil {
		return nil, m.locked
	}
	if err := m.makeDir(); err != nil {
		return nil, err
	}
	// The file itself can't carry the lock: each write puts another in its
	// place. The one beside it stays, so that all lock the same.
	path := filepath.Join(m.dir, "lock")
	l := flock.New(path, flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), m.patience)
	defer cancel()
	if _, err := l.TryLockContext(ctx, lockPoll); err != nil {
		_ = l.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("another process has held %s for more than %s: a btplan that hangs?", path, m.patience)
		}
		m.locked = err
		return nil, err
	}
	return func() { _ = l.Close() }, nil // which unlocks it
}

// makeDir makes the directory, out of version control's sight: what a device
// was asked to keep to itself is no part of a configuration.
func (m *Memory) makeDir() error {
	err := os.Mkdir(m.dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, ".gitignore"), []byte("*\n"), 0o600)
}
