package hostfw

import (
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
)

// windowsMachine is a Windows of which another host is let in by SSH.
type windowsMachine struct {
	*hostfake.Windows
	pair
}

func newWindows(t *testing.T) windowsMachine {
	t.Helper()
	w := hostfake.NewWindows(t)
	return windowsMachine{w, newShell(t, w.Shell)}
}
