package hosttest

import (
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
)

// Mac is a Mac of which root of another host is let in by SSH.
type Mac struct {
	*hostfake.Mac
	Pair
}

// NewMac gives a Mac that lets the other host in.
func NewMac(t *testing.T) Mac {
	t.Helper()
	m := hostfake.NewMac(t)
	p := NewShell(t, m.Shell)
	p.Machine.Run("mkdir", "-p", LaunchDaemons)
	return Mac{m, p}
}

// Holds is all that btplan could have changed.
func (m Mac) Holds() string {
	return m.Dump() + m.Machine.Sh("cat /etc/btplan/* || :; ls -d /etc/btplan/* /etc/btplan /run/btplan.?????? || :; grep -r . "+LaunchDaemons+" || :")
}
