package plan

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestResourceAction(t *testing.T) {
	for _, test := range []struct {
		changes []Action
		want    Action
	}{
		{nil, NoOp},
		{[]Action{NoOp, NoOp}, NoOp},
		{[]Action{Create, Create}, Create},
		{[]Action{Delete, Delete}, Delete},
		{[]Action{Update}, Update},
		{[]Action{Replace}, Replace},
		{[]Action{Create, Delete}, Replace},
		{[]Action{Create, Replace}, Replace},
		{[]Action{Delete, Replace}, Replace},
		{[]Action{NoOp, Create}, Update},
		{[]Action{NoOp, Delete}, Update},
		{[]Action{NoOp, Replace}, Update},
		{[]Action{Update, Create, Delete, Replace}, Update},
	} {
		var changes []Change
		for _, a := range test.changes {
			changes = append(changes, Change{Action: a})
		}
		if got := resourceAction(changes); got != test.want {
			t.Errorf("%v make up %s; want %s", test.changes, got, test.want)
		}
	}
}

func TestCounts(t *testing.T) {
	p := &Plan{}
	if p.Counts().Any() {
		t.Error("an empty plan has something to do")
	}
	for _, a := range []Action{NoOp, Create, Create, Update, Replace, Delete, Delete, Delete} {
		p.Resources = append(p.Resources, Resource{Action: a})
	}
	if got, want := p.Counts(), (Counts{Add: 3, Change: 1, Destroy: 4}); got != want {
		t.Errorf("Counts = %v; want %v", got, want)
	}
	if n := len(p.Pending()); n != 7 {
		t.Errorf("%d resources are pending, not 7", n)
	}
}

// A device may hold one rule twice, and list the two in any order.
func TestDiffOfRulesHeldTwice(t *testing.T) {
	want := wanted(t, "gateway.edge port_range.a tcp 1 -> 192.168.1.2:1")
	held := live(t,
		"gateway.edge port_range.a tcp 1 -> 192.168.1.2:1 | drift: its accept is missing",
		"gateway.edge port_range.a tcp 1 -> 192.168.1.2:1 | outdated: wan_interface has changed",
		"gateway.edge port_range.a tcp 1 -> 192.168.1.2:1",
		"gateway.edge - tcp 1 -> 192.168.1.3:1 | handle: 2",
		"gateway.edge - tcp 1 -> 192.168.1.3:1 | handle: 1")
	p, diags := Diff(want, held)
	slices.Reverse(held)
	again, diagsAgain := Diff(want, held)
	if !reflect.DeepEqual(p, again) || !reflect.DeepEqual(diags, diagsAgain) {
		t.Errorf("the order of equal rules makes a difference:\n%sand\n%s", text(p, diags), text(again, diagsAgain))
	}
	var actions []Action
	for _, c := range p.Resources[0].Changes {
		actions = append(actions, c.Action)
	}
	if !slices.Equal(actions, []Action{NoOp, Delete, Delete}) {
		t.Errorf("the rules' actions are %v", actions)
	}
}

func TestPlanKeepsNothingOfTheCallers(t *testing.T) {
	want := wanted(t, "gateway.edge port_range.a tcp 1-2 -> 192.168.1.2:1")
	held := live(t, "gateway.edge port_range.a tcp 1 -> 192.168.1.2:1")
	p, _ := Diff(want, held)
	digest := p.Digest()
	want[0].Ports.Last, held[0].Ports.First = 9, 9
	if p.Digest() != digest {
		t.Error("the plan changes with the arguments of Diff")
	}
}

// Rules of another project are no stranger's, and most often the same
// project's under its former name.
func TestConflictWithProject(t *testing.T) {
	device := Addr{Block: BlockGateway, Name: "edge"}
	rule := Rule{Protocol: TCP, Ports: PortRange{6881, 6889}, To: netip.MustParseAddrPort("192.168.1.11:6881")}
	_, diags := Diff(
		[]Wanted{{Rule: rule, Device: device, Owner: Addr{Block: BlockPortRange, Name: "bt"}}},
		[]Live{{Rule: rule, Device: device, Handle: "rule 1", Project: "old\x1b"}})
	if len(diags) != 1 || !strings.Contains(diags[0].Detail, `btplan's project "old\\x1b": if that is what this project was called before`) {
		t.Errorf("said %v", diags)
	}
}
