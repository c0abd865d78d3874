package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/google/go-cmp/cmp"
)

const detour = `
btplan {
  project = "home"
}
machine "far" {
  address = "192.0.2.9"
  ssh {
    user = "me"
  }
}
machine "here" {
  address = "192.0.2.8"
  local   = true
}
gateway "fake" "far" {
  via = machine.far
}
gateway "fake" "near" {
  via = machine.here
}
gateway "fake" "plain" {}
port_range "bt" {
  for_each = toset(["x", "y"])
  machine  = machine.far
  gateways = [gateway.plain]
  ports    = each.key == "x" ? 7000 : 7001
}
`

// opened opens the fakes of a configuration, and gives what with.
func opened(t *testing.T, e *Engine, w *world, via bool) (map[string]providers.Settings, string) {
	t.Helper()
	got := map[string]providers.Settings{}
	e.Gateways = map[string]providers.Type{"fake": {Name: "fake", Via: via, Open: func(s providers.Settings) (providers.Device, error) {
		got[s.Addr.Name] = s
		return &fake{s.Addr, w}, nil
	}}}
	return got, summaries(e.Check())
}

func TestVia(t *testing.T) {
	w := newWorld()
	got, said := opened(t, w.engine(t, detour), w, true)
	if said != "" {
		t.Fatal(said)
	}
	if via := got["far"].Via; via == nil || via.Place() != "192.0.2.9:22" {
		t.Errorf("the way to gateway.far goes by %v", via)
	}
	if got["near"].Via != nil || got["plain"].Via != nil {
		t.Error("the others need no detour")
	}
	if got["far"].Runner != nil {
		t.Error("no commands run on the gateway itself")
	}
}

func TestViaRefused(t *testing.T) {
	w := newWorld()
	e := w.engine(t, detour)
	if _, said := opened(t, e, w, false); said != "gateway.far can't be talked to from a machine; gateway.near can't be talked to from a machine" {
		t.Fatal(said)
	}
	e = w.engine(t, detour)
	_, _ = opened(t, e, w, false)
	e.devices = nil
	for i, d := range e.Check()[:2] {
		written := detour[d.Subject.Start.Byte:d.Subject.End.Byte]
		if want := []string{"machine.far", "machine.here"}[i]; written != want {
			t.Errorf("the place is %q, not %q", written, want)
		}
	}
}

// The devices are told of all port ranges, also of those that are not theirs
// and those that no target covers.
func TestOwners(t *testing.T) {
	w := newWorld()
	got, _ := opened(t, w.engine(t, detour, "gateway.near"), w, true)
	var owners []string
	for _, o := range got["near"].Owners {
		owners = append(owners, o.String())
	}
	if diff := cmp.Diff([]string{`port_range.bt["x"]`, `port_range.bt["y"]`}, owners); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What a device notes is there for the next run; what goes wrong with that is
// a warning of the plan, told once.
func TestMemory(t *testing.T) {
	w := newWorld()
	e := w.engine(t, detour)
	got, _ := opened(t, e, w, true)
	if err := got["near"].Memory.Store("uuid:1"); err != nil {
		t.Fatal(err)
	}
	again := &Engine{Config: e.Config}
	t.Cleanup(again.Close)
	got, _ = opened(t, again, w, true)
	var udn string
	if err := got["near"].Memory.Load(&udn); err != nil || udn != "uuid:1" {
		t.Errorf("remembered %q, %v", udn, err)
	}
	if err := got["plain"].Memory.Load(&udn); err != nil || udn != "uuid:1" {
		t.Errorf("another device's memory gives %q, %v", udn, err)
	}

	if err := os.WriteFile(filepath.Join(e.Config.Dir, ".btplan", "memory.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := &Engine{Config: e.Config}
	t.Cleanup(third.Close)
	got, _ = opened(t, third, w, true)
	var nothing string
	_ = got["near"].Memory.Load(&nothing)
	p, diags := third.Plan(t.Context())
	if p == nil || len(diags) != 1 || diags.HasErrors() || !strings.Contains(diags[0].Detail, "memory.json is damaged") {
		t.Errorf("planned %v, said %v", p, diags)
	}
	if _, diags := third.Apply(t.Context(), &plan.Plan{}); len(diags) > 0 {
		t.Errorf("said again: %v", diags)
	}
}
