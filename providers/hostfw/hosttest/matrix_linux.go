package hosttest

import (
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// Matrix is what every back end has to show: {create, widen, narrow, destroy},
// packets from another host, its own reload, and its listing as before.
type Matrix struct {
	Kind   host.Kind
	Reload string                   // what the firewall's owner runs to have it read its rules anew
	Dump   func(h *lab.Host) string // all that it holds
}

// Run has the machine of a pair show it all.
func (m Matrix) Run(t *testing.T, p Pair) {
	t.Helper()
	const below, first, last, wide, above = 6880, 6881, 6889, 6999, 7000
	p.Machine.Listen("tcp", below, first, last, wide, above)
	p.Machine.Listen("udp", first, last, wide)
	d := OpenInside(t, p.Machine, m.Kind, "home")
	before := m.Dump(p.Machine)
	p.Passes(t, "tcp", first, false)
	p.Passes(t, "udp", first, false)
	stay := func(rules ...plan.Rule) {
		t.Helper()
		p.Machine.Sh(m.Reload)
		if left := d.Plan(t, host.Owned{BT: rules}).Pending(); len(left) > 0 {
			t.Errorf("after %s there is something to do: %+v", m.Reload, left)
		}
	}

	create := []plan.Rule{Allow(t, plan.TCP, "6881-6889"), Allow(t, plan.UDP, "6881-6889")}
	d.Make(t, create...)
	for range 2 {
		p.Passes(t, "tcp", first, true)
		p.Passes(t, "tcp", last, true)
		p.Passes(t, "udp", last, true)
		p.Passes(t, "tcp", below, false)
		p.Passes(t, "tcp", wide, false)
		p.Passes(t, "udp", wide, false)
		stay(create...)
	}

	widen := []plan.Rule{Allow(t, plan.TCP, "6881-6999"), Allow(t, plan.UDP, "6881-6999")}
	d.Make(t, widen...)
	for range 2 {
		p.Passes(t, "tcp", wide, true)
		p.Passes(t, "udp", wide, true)
		p.Passes(t, "tcp", above, false)
		stay(widen...)
	}

	narrow := Allow(t, plan.TCP, "6889", OtherAddr+"/32", OtherAddr6+"/128")
	d.Make(t, narrow)
	for range 2 {
		p.Passes(t, "tcp", last, true)
		p.Passes(t, "tcp", first, false)
		p.Passes(t, "udp", last, false)
		stay(narrow)
	}
	d.Make(t, Allow(t, plan.TCP, "6889", "203.0.113.0/24", "2001:db8:1::/48"))
	p.Passes(t, "tcp", last, false)

	d.Make(t)
	p.Passes(t, "tcp", last, false)
	if after := m.Dump(p.Machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	if got := p.Machine.Sh("ls -d /etc/btplan /run/btplan 2>/dev/null || :"); got != "" {
		t.Errorf("files are left behind: %s", got)
	}
}
