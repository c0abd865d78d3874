package engine

import (
	"slices"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/google/go-cmp/cmp"
)

const withTrackers = `
btplan {
  project = "home"
}
machine "open" {
  address = "192.168.1.11"
  firewall "fake" {}
  trackers = ["tracker.example", "udp://tracker.example:1337"]
}
machine "shut" {
  for_each = toset(["a", "b"])
  address  = "192.168.1.12"
  firewall "fake" {}
  trackers = ["tracker.example"]
}
gateway "fake" "a" {}
port_range "bt" {
  machine  = machine.shut["a"]
  gateways = [gateway.a]
  ports    = 6881
}
`

// allShut is what there is to do where the machines drop what they send.
var allShut = []string{
	"create gateway.a: port_range.bt",
	`create machine.shut["a"]: trackers`,
	`create machine.shut["a"]: port_range.bt`,
	`create machine.shut["b"]: trackers`,
}

func shutWorld() *world {
	w := newWorld()
	w.drops = map[string]bool{`machine.shut["a"]`: true, `machine.shut["b"]`: true}
	return w
}

// A way out is opened where a firewall shuts it, and goes when the firewall
// no longer does.
func TestOutbound(t *testing.T) {
	w := shutWorld()
	e := w.engine(t, withTrackers)
	p := planned(t, e)
	if diff := cmp.Diff(allShut, pending(p)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	if result, diags := e.Apply(t.Context(), p); len(result.Done) != len(allShut) || len(diags) > 0 {
		t.Fatalf("%+v, %v", result, diags)
	}
	if left := pending(planned(t, w.engine(t, withTrackers))); len(left) > 0 {
		t.Errorf("after apply there is to do: %q", left)
	}

	delete(w.drops, `machine.shut["b"]`)
	if diff := cmp.Diff([]string{`delete machine.shut["b"]: trackers`}, pending(planned(t, w.engine(t, withTrackers)))); diff != "" {
		t.Errorf("with a firewall that drops no more (-want +got):\n%s", diff)
	}
}

func TestOutboundTargets(t *testing.T) {
	for _, test := range []struct {
		target string
		want   []int // of allShut; none: it is an error
	}{
		{`machine.shut["a"]`, []int{0, 1, 2}},
		{`machine.shut["a"]: trackers`, []int{1}},
		{"machine.shut: trackers", []int{1, 3}},
		{`machine.shut["c"]: trackers`, nil},
		{"machine.open: trackers", []int{}},
		{"port_range.bt", []int{0, 2}},
	} {
		t.Run(test.target, func(t *testing.T) {
			var want []string
			for _, i := range test.want {
				want = append(want, allShut[i])
			}
			p, diags := shutWorld().engine(t, withTrackers, test.target).Plan(t.Context())
			if (test.want == nil) != (summaries(diags) == "Target not found") {
				t.Fatalf("said %v", diags)
			}
			if p == nil {
				return
			}
			if diff := cmp.Diff(want, pending(p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// After a machine has got another name, the old one still names what it left.
func TestOutboundOfARenamedMachine(t *testing.T) {
	gone := plan.Addr{Block: plan.BlockMachine, Name: "gone"}
	at := plan.Addr{Block: plan.BlockMachine, Name: "open"}
	rule := plan.Rule{Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}}
	w := newWorld()
	w.rules["machine.open"] = []plan.Live{{Rule: rule, Device: at, Owner: gone}}
	for _, target := range []string{"machine.gone", "machine.open", "machine.open: machine.gone"} {
		if diff := cmp.Diff([]string{"delete machine.open: machine.gone"}, pending(planned(t, w.engine(t, withTrackers, target)))); diff != "" {
			t.Errorf("-target=%s (-want +got):\n%s", target, diff)
		}
	}
}

// A mark too short for a name may stand for a machine on its own firewall.
func TestOwnersOfAMachine(t *testing.T) {
	e := newWorld().engine(t, withTrackers)
	bt := plan.Addr{Block: plan.BlockPortRange, Name: "bt"}
	machine := plan.Addr{Block: plan.BlockMachine, Name: "open"}
	gateway := plan.Addr{Block: plan.BlockGateway, Name: "a"}
	if got := e.owners(machine); !slices.Equal(got, []plan.Addr{bt, machine}) {
		t.Errorf("owners on a machine: %v", got)
	}
	if got := e.owners(gateway); !slices.Equal(got, []plan.Addr{bt}) {
		t.Errorf("owners on a gateway: %v", got)
	}
}
