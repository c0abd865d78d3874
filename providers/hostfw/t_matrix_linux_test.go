package hostfw

import (
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
)

// matrix is what every back end has to show: {create, widen, narrow, destroy},
// packets from another host, its own reload, and its listing as before.
type matrix struct {
	kind   kind
	reload string                   // what the firewall's owner runs to have it read its rules anew
	dump   func(h *lab.Host) string // all that it holds
}

func (m matrix) run(t *testing.T, p pair) {
	t.Helper()
	const below, first, last, wide, above = 6880, 6881, 6889, 6999, 7000
	p.machine.Listen("tcp", below, first, last, wide, above)
	p.machine.Listen("udp", first, last, wide)
	d := openInside(t, p.machine, m.kind, "home")
	before := m.dump(p.machine)
	p.passes(t, "tcp", first, false)
	p.passes(t, "udp", first, false)
	stay := func(rules ...plan.Rule) {
		t.Helper()
		p.machine.Sh(m.reload)
		if left := d.plan(t, owned{bt: rules}).Pending(); len(left) > 0 {
			t.Errorf("after %s there is something to do: %+v", m.reload, left)
		}
	}

	create := []plan.Rule{allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "6881-6889")}
	d.make(t, create...)
	for range 2 {
		p.passes(t, "tcp", first, true)
		p.passes(t, "tcp", last, true)
		p.passes(t, "udp", last, true)
		p.passes(t, "tcp", below, false)
		p.passes(t, "tcp", wide, false)
		p.passes(t, "udp", wide, false)
		stay(create...)
	}

	widen := []plan.Rule{allow(t, plan.TCP, "6881-6999"), allow(t, plan.UDP, "6881-6999")}
	d.make(t, widen...)
	for range 2 {
		p.passes(t, "tcp", wide, true)
		p.passes(t, "udp", wide, true)
		p.passes(t, "tcp", above, false)
		stay(widen...)
	}

	narrow := allow(t, plan.TCP, "6889", otherAddr+"/32", otherAddr6+"/128")
	d.make(t, narrow)
	for range 2 {
		p.passes(t, "tcp", last, true)
		p.passes(t, "tcp", first, false)
		p.passes(t, "udp", last, false)
		stay(narrow)
	}
	d.make(t, allow(t, plan.TCP, "6889", "203.0.113.0/24", "2001:db8:1::/48"))
	p.passes(t, "tcp", last, false)

	d.make(t)
	p.passes(t, "tcp", last, false)
	if after := m.dump(p.machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	if got := p.machine.Sh("ls -d /etc/btplan /run/btplan 2>/dev/null || :"); got != "" {
		t.Errorf("files are left behind: %s", got)
	}
}
