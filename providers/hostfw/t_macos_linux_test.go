package hostfw

import (
	"testing"

	"github.com/btplan/btplan/internal/hostfake"
)

// mac is a Mac of which root of another host is let in by SSH.
type mac struct {
	*hostfake.Mac
	pair
}

func newMac(t *testing.T) mac {
	t.Helper()
	m := hostfake.NewMac(t)
	p := newShell(t, m.Shell)
	p.machine.Run("mkdir", "-p", launchDaemons)
	return mac{m, p}
}

// holds is all that btplan could have changed.
func (m mac) holds() string {
	return m.Dump() + m.machine.Sh("cat /etc/btplan/* || :; ls -d /etc/btplan/* /etc/btplan /run/btplan.?????? || :; grep -r . "+launchDaemons+" || :")
}
