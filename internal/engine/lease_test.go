package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/google/go-cmp/cmp"
)

// leasing is a fake that forgets rules by itself, and knows beforehand what
// changes come to.
type leasing struct {
	*fake
	advised, estimated []plan.Change
	takes              time.Duration
	seen               []providers.Problem
}

func (l *leasing) Read(ctx context.Context) (*providers.Reading, error) {
	reading, err := l.fake.Read(ctx)
	if err == nil {
		reading.Problems = l.seen
	}
	return reading, err
}

func (l *leasing) Advise(changes []plan.Change) []providers.Problem {
	l.advised = changes
	return []providers.Problem{
		{Summary: "The table may be full", Detail: "It holds 32.", Owner: changes[0].Owner},
		{Summary: "Old", Detail: "It is old."},
	}
}

func (l *leasing) Estimate(changes []plan.Change) time.Duration {
	l.estimated = changes
	return l.takes
}

// age says of the rules that a device holds for an owner how old they are: the
// time to renew them has come, or it has not.
func (w *world) age(device, owner string, due bool) {
	for i, l := range w.rules[device] {
		if l.Owner.String() == owner {
			w.rules[device][i].Expires, w.rules[device][i].Renew = 600000, ""
			if due {
				w.rules[device][i].Expires, w.rules[device][i].Renew = 60, "1m left of 168h"
			}
		}
	}
}

// applied gives a world in which everything is as home wants it.
func applied(t *testing.T) *world {
	t.Helper()
	w := newWorld()
	e := w.engine(t, home)
	if _, diags := e.Apply(t.Context(), planned(t, e)); len(diags) > 0 {
		t.Fatal(diags)
	}
	w.order = nil
	return w
}

func TestRenewals(t *testing.T) {
	w := applied(t)
	w.age("gateway.a", "port_range.pc", true)
	w.age("gateway.b", "port_range.pc", false)
	e := w.engine(t, home)
	p := planned(t, e)
	if diff := cmp.Diff([]string{"renew gateway.a: port_range.pc"}, pending(p)); diff != "" {
		t.Fatalf("-want +got:\n%s", diff)
	}
	result, diags := e.Apply(t.Context(), p)
	if len(diags) > 0 || result.Counts().Any() || result.Renewed() != 1 || !slices.Equal(w.order, []string{"gateway.a"}) {
		t.Errorf("%+v, %v; changed: %q", result, diags, w.order)
	}
	if left := pending(planned(t, w.engine(t, home))); left != nil {
		t.Errorf("after the renewal: %q", left)
	}
}

// Renewals alone are carried out beside changes that are pending, of the same
// resource too, and those are no failure of theirs.
func TestOnlyRenewals(t *testing.T) {
	w := applied(t)
	w.age("gateway.a", "port_range.pc", true)
	source := strings.Replace(home, `ports    = "6881-6889"`, `ports    = ["6881-6889", "6999"]`, 1)
	e := w.engine(t, source)
	p := planned(t, e)
	if p.Renewals() != 1 || p.Counts() != (plan.Counts{Change: 3}) {
		t.Fatalf("%d renewals, %+v", p.Renewals(), p.Counts())
	}
	result, diags := e.Apply(t.Context(), p.OnlyRenewals())
	if len(diags) > 0 || result.Counts().Any() || result.Renewed() != 1 || len(result.Failed) > 0 {
		t.Errorf("%+v, %v", result, diags)
	}
	if p := planned(t, w.engine(t, source)); p.Renewals() != 0 || p.Counts() != (plan.Counts{Change: 3}) {
		t.Errorf("afterwards %d renewals, %+v", p.Renewals(), p.Counts())
	}
}

// A device that takes a renewal and renews nothing is found out, and so is one
// that loses the rule over it.
func TestRenewalVerified(t *testing.T) {
	w := applied(t)
	w.age("gateway.a", "port_range.pc", true)
	w.broken["gateway.a"] = breakage{lies: true}
	e := w.engine(t, home)
	result, diags := e.Apply(t.Context(), planned(t, e))
	const want = "the lease of tcp 6881-6889 to 192.168.1.11:6881-6889 was not renewed (1m left of 168h)"
	if len(result.Failed) != 1 || len(diags) != 1 || !strings.Contains(diags[0].Detail, want) {
		t.Errorf("%+v, %v", result, diags)
	}
	p := planned(t, e)
	w.rules["gateway.a"] = nil
	result, diags = e.Apply(t.Context(), p)
	if len(result.Failed) != 1 || len(diags) != 1 || !strings.Contains(diags[0].Detail, "is missing") {
		t.Errorf("%+v, %v", result, diags)
	}
}

// A lease that comes to the time for renewal while others are written is the
// next run's business.
func TestDueDuringApply(t *testing.T) {
	rule := func(port uint16) *plan.Rule {
		return &plan.Rule{Protocol: plan.TCP, Ports: plan.PortRange{First: port, Last: port}}
	}
	renew := plan.Change{Action: plan.Renew, Before: rule(1), After: rule(1)}
	create := plan.Change{Action: plan.Create, After: rule(2)}
	noOp := plan.Change{Action: plan.NoOp, Before: rule(3), After: rule(3)}
	updated := plan.Resource{Action: plan.Update, Changes: []plan.Change{create}}
	renewed := plan.Resource{Action: plan.Renew, Changes: []plan.Change{renew}}
	for _, test := range []struct {
		name       string
		done       plan.Resource
		left, want []plan.Change
	}{
		{"due meanwhile", updated, []plan.Change{renew, noOp}, nil},
		{"not created", updated, []plan.Change{renew, create}, []plan.Change{create}},
		{"not renewed", renewed, []plan.Change{renew, noOp}, []plan.Change{renew}},
		{"others pending", renewed, []plan.Change{create, noOp}, nil},
		{"lost", renewed, []plan.Change{{Action: plan.Create, After: rule(1)}}, []plan.Change{{Action: plan.Create, After: rule(1)}}},
	} {
		if diff := cmp.Diff(len(test.want), len(concerning(test.done, test.left))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// What devices say of a plan beforehand comes to the right place.
func TestForesee(t *testing.T) {
	w := newWorld()
	e := w.engine(t, home)
	devices := map[string]*leasing{}
	e.Gateways = map[string]providers.Type{"fake": {Name: "fake", Open: func(s providers.Settings) (providers.Device, error) {
		d := &leasing{fake: &fake{s.Addr, w}, takes: 8 * time.Second}
		if s.Addr.Name == "b" {
			d.takes = 3 * time.Second
		}
		devices[s.Addr.Name] = d
		return d, nil
	}}}
	p, diags := e.Plan(t.Context())
	if p == nil || diags.HasErrors() || len(diags) != 4 {
		t.Fatalf("said %v", diags)
	}
	if d := diags[0]; d.Summary != "gateway.a: The table may be full" || !strings.Contains(home[d.Subject.Start.Byte:d.Subject.End.Byte], `port_range "pc"`) {
		t.Errorf("said %v about %q", d, home[d.Subject.Start.Byte:d.Subject.End.Byte])
	}
	if d := diags[1]; d.Summary != "gateway.a: Old" || !strings.Contains(home[d.Subject.Start.Byte:d.Subject.End.Byte], `gateway "fake" "a"`) {
		t.Errorf("said %v", d)
	}
	if a, b := devices["a"], devices["b"]; len(a.advised) != 3 || len(b.advised) != 1 {
		t.Errorf("asked about %v and %v", a.advised, b.advised)
	}
	for parallel, want := range map[int]time.Duration{1: 11 * time.Second, 2: 8 * time.Second, 32: 8 * time.Second} {
		if e.Parallelism = parallel; e.Estimate(p) != want {
			t.Errorf("%d at once take %s, not %s", parallel, e.Estimate(p), want)
		}
	}
	if got := e.Estimate(&plan.Plan{}); got != 0 {
		t.Errorf("nothing takes %s", got)
	}
	// What was said beforehand is not said once more.
	a := devices["a"]
	a.seen = append(a.Advise(a.advised), providers.Problem{Summary: "New"})
	if _, diags := e.Apply(t.Context(), p); len(diags) != 1 || diags[0].Summary != "gateway.a: New" {
		t.Fatal(diags)
	}
	a.seen = nil
	// Nothing to do: nothing to say.
	if _, diags := e.plan(t.Context()); len(diags) > 0 {
		t.Errorf("said %v", diags)
	}
}

// The steps of a resource with several changes are told of one by one, those
// of one with a single change not at all.
func TestSteps(t *testing.T) {
	w := newWorld()
	e := w.engine(t, strings.Replace(home, `ports    = "6881-6889"`, `ports    = [6881, 6883, 6885]`, 1))
	steps := map[string][]int{}
	e.Observe = func(ev Event) {
		if ev.Kind == ApplyStep {
			steps[ev.Resource.String()] = append(steps[ev.Resource.String()], ev.Step, ev.Steps)
		}
	}
	if _, diags := e.Apply(t.Context(), planned(t, e)); len(diags) > 0 {
		t.Fatal(diags)
	}
	each := []int{1, 3, 2, 3, 3, 3}
	want := map[string][]int{"gateway.a: port_range.pc": each, "gateway.b: port_range.pc": each, "machine.pc: port_range.pc": each}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
