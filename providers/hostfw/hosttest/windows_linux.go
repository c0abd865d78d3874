package hosttest

import (
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
)

// WindowsPC is a Windows of which another host is let in by SSH.
type WindowsPC struct {
	*hostfake.Windows
	Pair
}

// NewWindows gives a Windows that lets the other host in.
func NewWindows(t *testing.T) WindowsPC {
	t.Helper()
	w := hostfake.NewWindows(t)
	return WindowsPC{w, NewShell(t, w.Shell)}
}
