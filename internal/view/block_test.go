package view

import (
	"net/netip"
	"testing"

	"github.com/btplan/btplan/plan"
)

// TestBlocksBothWays: a run is one only if it goes upwards on both sides.
func TestBlocksBothWays(t *testing.T) {
	rule := func(port uint16) *plan.Rule {
		return &plan.Rule{Protocol: plan.TCP, Ports: plan.PortRange{First: port, Last: port}, To: netip.AddrPortFrom(netip.MustParseAddr("192.168.1.11"), port)}
	}
	up := []plan.Change{{Action: plan.Update, Before: rule(1), After: rule(11)}, {Action: plan.Update, Before: rule(2), After: rule(12)}}
	if got := blocks(up); len(got) != 1 || got[0].mappings != 2 || got[0].before.Ports.Last != 2 {
		t.Errorf("two rules in a row give %d blocks: %+v", len(got), got)
	}
	crossed := []plan.Change{{Action: plan.Update, Before: rule(2), After: rule(11)}, {Action: plan.Update, Before: rule(1), After: rule(12)}}
	if got := blocks(crossed); len(got) != 2 {
		t.Errorf("crossed rules give %d blocks: %+v", len(got), got)
	}
	if up[0].After.Ports.Last != 11 {
		t.Error("folding changed the plan")
	}
}
