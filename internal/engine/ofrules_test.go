package engine

import (
	"testing"

	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
)

// What matters to rules alone is told where there are rules of ours, or are to
// be some, and not of a device that is to be left without.
func TestProblemsOfRules(t *testing.T) {
	const notLasting = "Rules won't last over a reboot"
	tell := func(w *world, targets ...string) *Engine {
		e := w.engine(t, home, targets...)
		e.Gateways = map[string]providers.Type{"fake": {Name: "fake", Open: func(s providers.Settings) (providers.Device, error) {
			f := &fake{s.Addr, w}
			if s.Addr.Name == "a" {
				return &leasing{fake: f, seen: []providers.Problem{{Summary: notLasting, OfRules: true}}}, nil
			}
			return f, nil
		}}}
		return e
	}
	plan := func(e *Engine) hcl.Diagnostics { _, diags := e.Plan(t.Context()); return diags }
	destroy := func(e *Engine) hcl.Diagnostics { _, diags := e.PlanDestroy(t.Context()); return diags }
	show := func(e *Engine) hcl.Diagnostics { _, diags := e.Show(t.Context()); return diags }
	for name, test := range map[string]struct {
		w       *world
		targets []string
		run     func(*Engine) hcl.Diagnostics
		told    bool
	}{
		"the first plan":                {newWorld(), nil, plan, true},
		"nothing to do":                 {applied(t), nil, plan, true},
		"a destroy":                     {applied(t), nil, destroy, false},
		"a destroy that leaves some":    {applied(t), []string{"port_range.tv"}, destroy, true},
		"a destroy where nothing is":    {newWorld(), nil, destroy, false},
		"what is there":                 {applied(t), nil, show, true},
		"what is there, namely nothing": {newWorld(), nil, show, false},
	} {
		t.Run(name, func(t *testing.T) {
			told := false
			for _, d := range test.run(tell(test.w, test.targets...)) {
				told = told || d.Summary == "gateway.a: "+notLasting
			}
			if told != test.told {
				t.Errorf("told: %t", told)
			}
		})
	}
	// After a destroy neither.
	w := applied(t)
	e := tell(w)
	p, _ := e.PlanDestroy(t.Context())
	if _, diags := e.Apply(t.Context(), p); len(diags) > 0 {
		t.Errorf("a destroy says %v", diags)
	}
}
