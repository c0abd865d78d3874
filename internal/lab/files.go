//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// WriteFile writes one of the host's files. Directories that it makes on the
// way can be read by whom perm lets read the file.
func (h *Host) WriteFile(path, content string, perm os.FileMode) {
	h.lab.t.Helper()
	if err := h.write(path, content, os.O_CREATE|os.O_TRUNC, perm); err != nil {
		h.lab.t.Fatalf("lab: %v", err)
	}
}

// AppendFile is [Host.WriteFile] that keeps what the file has.
func (h *Host) AppendFile(path, content string, perm os.FileMode) {
	h.lab.t.Helper()
	if err := h.write(path, content, os.O_CREATE|os.O_APPEND, perm); err != nil {
		h.lab.t.Fatalf("lab: %v", err)
	}
}

func (h *Host) write(path, content string, flags int, perm os.FileMode) error {
	err := h.Enter(func() error {
		if err := os.MkdirAll(filepath.Dir(path), perm|perm&0o444>>2); err != nil {
			return err
		}
		file, err := os.OpenFile(path, os.O_WRONLY|flags, perm) // #nosec G304 -- the test says which
		if err != nil {
			return err
		}
		_, err = file.WriteString(content)
		return errors.Join(err, file.Close())
	})
	if err != nil {
		return fmt.Errorf("%s: %w", h.Name, err)
	}
	return nil
}

// ReadFile gives the content of one of the host's files.
func (h *Host) ReadFile(path string) string {
	h.lab.t.Helper()
	var content []byte
	err := h.Enter(func() (err error) {
		content, err = os.ReadFile(path) // #nosec G304 -- the test says which
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("lab: %s: %v", h.Name, err)
	}
	return string(content)
}
