// Package memory keeps what devices note for the next run, in one small file
// beside the configuration: .btplan/memory.json. It holds hints only. A file
// that is missing, damaged or out of reach costs a warning, and never a run.
//
// A note stays when its device goes from the configuration: what btplan left on
// the device may be told for its own by the note alone (a mapping of which the
// router gives no mark back, one of PCP that only its nonce can change), and is
// then when the device is put back.
package memory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"github.com/btplan/btplan/plan"
)

// Memory is the memory of one configuration. Its devices may use it side by
// side, and so may several processes.
type Memory struct {
	dir string // where its files are
	// patience is how long to wait for another process that holds the lock.
	patience time.Duration

	mu       sync.Mutex // guards what follows, and orders this process's writes
	locked   error      // why the lock was not to be had: it is not waited for again
	warnings []string
	told     map[string]bool // all warnings that there have been
}

// New gives the memory of the configuration in dir. Nothing is read or written
// before a device asks for it.
func New(dir string) *Memory {
	return &Memory{dir: filepath.Join(dir, ".btplan"), patience: 5 * time.Second}
}

// Of is the part of m that belongs to one device.
func (m *Memory) Of(device plan.Addr) *Notes { return &Notes{m, device.String()} }

// Warnings gives what has gone wrong since it was asked last, a sentence each.
func (m *Memory) Warnings() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := m.warnings
	m.warnings = nil
	return out
}

// warn notes what went wrong, once.
func (m *Memory) warn(err error) error {
	if text := err.Error(); !m.told[text] {
		if m.told == nil {
			m.told = map[string]bool{}
		}
		m.told[text] = true
		m.warnings = append(m.warnings, text)
	}
	return err
}

// Notes are the notes of one device. They satisfy [providers.Memory].
type Notes struct {
	m      *Memory
	device string
}

// Load decodes the device's latest note into what into points to. Without one,
// or after an error, that is left as it is. It reads the file each time, for
// another process may have written it since.
func (n *Notes) Load(into any) error {
	m := n.m
	m.mu.Lock()
	defer m.mu.Unlock()
	notes, err := m.read()
	if err != nil {
		return m.warn(err)
	}
	note, exists := notes[n.device]
	if !exists {
		return nil
	}
	// A note that goes wrong half-way must leave nothing behind.
	to := reflect.ValueOf(into).Elem()
	whole := reflect.New(to.Type())
	if err := json.Unmarshal(note, whole.Interface()); err != nil {
		return m.warn(fmt.Errorf("what %s says of %s can't be read: %w. It is taken for nothing, and written anew when there is something to remember", m.path(), n.device, err))
	}
	to.Set(whole.Elem())
	return nil
}

// Store puts v, as JSON, in the place of the device's note. Others' notes stay
// as they are in the file at that moment. Nothing is written if it is the same.
func (n *Notes) Store(v any) error {
	note, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("the note of %s has no JSON form: %v", n.device, err))
	}
	m := n.m
	m.mu.Lock()
	defer m.mu.Unlock()
	// Without the lock first: where nothing has to be written, nothing is.
	if notes, err := m.read(); err == nil && bytes.Equal(notes[n.device], note) {
		return nil
	}
	if err := m.put(n.device, note); err != nil {
		return m.warn(err)
	}
	return nil
}
