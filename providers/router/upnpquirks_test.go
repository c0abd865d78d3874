package router

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/igdtest"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// trial is a router of igdtest and a project that wants ports of it. Each of
// its steps is a run of btplan: nothing lasts over it but the memory.
type trial struct {
	*testing.T
	*igdtest.Router
	*memory
	url   string
	lease time.Duration
	via   string
}

func newTrial(t *testing.T, q igdtest.Quirks) *trial {
	t.Helper()
	r := igdtest.New(q)
	t.Cleanup(r.Close)
	return &trial{T: t, Router: r, memory: &memory{}, url: r.Serve()}
}

// outcome is what a run told.
type outcome struct {
	*plan.Plan
	problems []providers.Problem // of the read before, or after an apply
	advice   []providers.Problem
	conflict string           // what the plan found in the way
	done     int              // changes that were made
	errs     map[string]error // by port, of those that were not
	err      error
}

// said says whether any problem holds all these words.
func said(problems []providers.Problem, words ...string) bool {
	return slices.ContainsFunc(problems, func(p providers.Problem) bool {
		text := p.Summary + ": " + p.Detail
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
}

// wants are rules to the first machine.
func wants(t *testing.T, owner plan.Addr, ports string) []plan.Wanted {
	t.Helper()
	r, err := plan.ParsePortRange(ports)
	if err != nil {
		t.Fatal(err)
	}
	return []plan.Wanted{{Owner: owner, Device: home, Rule: plan.Rule{
		Kind: plan.Forward, Protocol: plan.TCP, Ports: r, To: netip.AddrPortFrom(netip.MustParseAddr("192.168.1.11"), r.First),
	}}}
}

// run plans, and applies that too.
func (tr *trial) run(ctx context.Context, apply bool, wanted ...plan.Wanted) outcome {
	tr.Helper()
	d := open("home", tr.url, tr.lease, tr.memory)
	d.via = tr.via
	var shaped []plan.Wanted
	for _, w := range wanted {
		rules, err := d.Shape([]plan.Rule{w.Rule})
		if err != nil {
			tr.Fatal(err)
		}
		for _, r := range rules {
			shaped = append(shaped, plan.Wanted{Rule: r, Device: home, Owner: w.Owner})
		}
	}
	reading, err := d.Read(ctx)
	if err != nil {
		return outcome{err: err}
	}
	p, diags := plan.Diff(shaped, reading.Rules)
	o := outcome{Plan: p, problems: reading.Problems, errs: map[string]error{}}
	if diags.HasErrors() {
		o.conflict = diags.Error()
	}
	var changes []plan.Change
	for _, r := range p.Resources {
		changes = append(changes, r.Changes...)
	}
	o.advice = d.Advise(changes)
	if !apply {
		return o
	}
	o.err = d.Apply(ctx, changes, func(c plan.Change, err error) {
		switch {
		case err != nil && c.After != nil:
			o.errs[c.After.Ports.String()] = err
		case err != nil:
			o.errs[c.Before.Ports.String()] = err
		case c.Action != plan.NoOp:
			o.done++
		}
	})
	if after, err := d.Read(context.WithoutCancel(ctx)); err == nil {
		o.problems = after.Problems
	}
	return o
}

func (tr *trial) plan(w ...plan.Wanted) outcome {
	tr.Helper()
	return tr.run(tr.Context(), false, w...)
}
func (tr *trial) apply(w ...plan.Wanted) outcome {
	tr.Helper()
	return tr.run(tr.Context(), true, w...)
}

// settled sees that nothing is left to do.
func (tr *trial) settled(w ...plan.Wanted) {
	tr.Helper()
	o := tr.plan(w...)
	if o.err != nil || o.conflict != "" {
		tr.Fatalf("plan: %v %s", o.err, o.conflict)
	}
	for _, r := range o.Plan.Resources {
		if r.Action != plan.NoOp {
			tr.Errorf("%s is left to be done: %s of %d", r, r.Action, len(r.Changes))
		}
	}
}

// onCall has the router do something before each call.
func (tr *trial) onCall(do func(*igdtest.Router, string) int) {
	tr.Edit(func(q *igdtest.Quirks) { q.OnCall = do })
}

// count is how many of the router's calls since the last count were these.
func (tr *trial) count(action string) int {
	n := 0
	for _, c := range tr.Calls() {
		if c == action {
			n++
		}
	}
	return n
}

const all119 = "6881-6999"

// A second-generation router is asked for runs of ports where mappings are
// expected, not for one mapping after the other.
func TestReadByRuns(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{Version: 2})
	both := append(wants(t, seedbox, all119), wants(t, laptop, "51000-51010")...)
	if o := tr.apply(both...); o.err != nil {
		t.Fatal(o.err)
	}
	tr.Calls()
	tr.settled(both...)
	if n := len(tr.Calls()); n > 12 {
		t.Errorf("a plan of %d mappings took %d calls", 119+11, n)
	}
	if o := tr.apply(); o.err != nil || len(o.Plan.Resources) != 2 {
		t.Errorf("what was left out of the configuration: %d resources, %v", len(o.Plan.Resources), o.err)
	}
}

// How long an apply takes is known from the last one.
func TestEstimate(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{})
	after := wants(t, seedbox, "6881")[0].Rule
	changes := []plan.Change{{Action: plan.NoOp}}
	for range 100 {
		changes = append(changes, plan.Change{Action: plan.Create, After: &after})
	}
	estimate := func() time.Duration {
		d := open("home", tr.url, 0, tr.memory)
		if _, err := d.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		return d.Estimate(changes)
	}
	if got := estimate(); got != 100*usualStep {
		t.Errorf("of a router that is not known, it is %v", got)
	}
	tr.onCall(func(_ *igdtest.Router, action string) int {
		if action == "AddPortMapping" {
			time.Sleep(50 * time.Millisecond) // a slow router
		}
		return 0
	})
	tr.apply(wants(t, seedbox, "6881-6885")...)
	if got := estimate(); got < 100*50*time.Millisecond {
		t.Errorf("of one that takes 50 ms for a mapping, it is %v", got)
	}
}

// Add says OK, and nothing is there.
func TestTableFullInSilence(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{Table: 32})
	w := wants(t, seedbox, all119)
	if o := tr.plan(w...); !said(o.advice, "119 mappings may not fit", "room for 32") {
		t.Errorf("nothing was said of 119 mappings beforehand: %v", o.advice)
	}
	o := tr.apply(w...)
	if o.err != nil {
		t.Fatal(o.err)
	}
	if !said(o.problems, "fewer mappings than it said", "yes to 119", "87 of them are not there", "tcp 6913", "holds 32") {
		t.Errorf("nobody noticed that mappings are missing: %v", o.problems)
	}
	if o := tr.plan(w...); !said(o.advice, "119 mappings do not fit", "full with 32") {
		t.Errorf("it is forgotten that the router is full: %v", o.advice)
	}
	small := wants(t, seedbox, "6881-6890")
	if o := tr.apply(small...); o.err != nil || len(o.advice)+len(o.problems) > 0 {
		t.Errorf("apply of 10 ports: %v; %v %v", o.err, o.advice, o.problems)
	}
	tr.settled(small...)
	tr.Table = 0
	tr.apply(w...)
	if o := tr.plan(w...); len(o.advice)+len(o.problems) > 0 {
		t.Errorf("the router has room for all by now, and still: %v %v", o.advice, o.problems)
	}
	tr.settled(w...)
}

func TestTableFull(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{Table: 32, TableFault: true})
	w := wants(t, seedbox, all119)
	o := tr.apply(w...)
	if o.done != 32 || len(o.errs) != 87 {
		t.Errorf("%d were made and %d not", o.done, len(o.errs))
	}
	for _, text := range []string{"728", "no room", "32 of 119 steps"} {
		if !strings.Contains(fmt.Sprint(o.err), text) {
			t.Errorf("the error doesn't say %q: %v", text, o.err)
		}
	}
	tr.Table = 0
	if o := tr.apply(w...); o.err != nil || o.done != 87 {
		t.Errorf("the rest: %d made, %v", o.done, o.err)
	}
	tr.settled(w...)
}

// A lease, or none, is refused: the other form is tried once, and remembered.
func TestOtherLease(t *testing.T) {
	for name, c := range map[string]struct {
		q     igdtest.Quirks
		lease time.Duration
		want  time.Duration
	}{
		"725":                        {igdtest.Quirks{RefusesFinite: 725}, time.Hour, 0},
		"402 for a lease":            {igdtest.Quirks{RefusesFinite: 402}, time.Hour, 0},
		"402 for a permanent one":    {igdtest.Quirks{RefusesPermanent: 402}, 0, longestLease},
		"clamped":                    {igdtest.Quirks{MaxLease: 10 * time.Minute}, time.Hour, 10 * time.Minute},
		"permanent becomes a lease":  {igdtest.Quirks{MaxLease: time.Hour}, 0, time.Hour},
		"402 for whatever else":      {igdtest.Quirks{RefusesAll: 402}, time.Hour, -1},
		"725 for a permanent one is": {igdtest.Quirks{RefusesPermanent: 725}, 0, -1},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, c.q)
			tr.lease = c.lease
			w := wants(t, seedbox, "6881-6889")
			o := tr.apply(w...)
			if c.want < 0 {
				if o.err == nil || o.done > 0 || tr.count("AddPortMapping") > 2 {
					t.Fatalf("it should have given up at once: %v", o.err)
				}
				return
			}
			if o.err != nil {
				t.Fatal(o.err)
			}
			if n := tr.count("AddPortMapping"); n > 10 {
				t.Errorf("%d calls for 9 mappings: the other form should be tried once", n)
			}
			if got := tr.Mappings()[8].Lease; got != c.want {
				t.Errorf("the lease is %v, want %v", got, c.want)
			}
			tr.settled(w...)
			if c.want > 0 && c.lease == 0 && !said(o.problems, "no permanent mappings", leaseText(c.want), "apply -renew") {
				t.Errorf("nobody says that the mappings end: %v", o.problems)
			}
			more := wants(t, seedbox, "6881-6890")
			if o := tr.apply(more...); o.err != nil || tr.count("AddPortMapping") != 1 {
				t.Errorf("it is forgotten which leases the router takes: %v", o.err)
			}
		})
	}
}

// Below half of its lease a mapping is renewed, which is no change.
func TestRenew(t *testing.T) {
	for name, c := range map[string]struct {
		q     igdtest.Quirks
		lease time.Duration
		adds  int // calls that it takes to renew 9 mappings
		drops int
	}{
		"as it should":             {igdtest.Quirks{}, 2 * time.Hour, 9, 0},
		"clamped":                  {igdtest.Quirks{MaxLease: 2 * time.Hour}, 24 * time.Hour, 9, 0},
		"never to be permanent":    {igdtest.Quirks{MaxLease: 2 * time.Hour}, 0, 9, 0},
		"only by making it anew":   {igdtest.Quirks{KeepsLease: true}, 2 * time.Hour, 10, 9},
		"with its old description": {igdtest.Quirks{KeepsDescription: true}, 2 * time.Hour, 9, 0},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrial(t, c.q)
			tr.lease = c.lease
			w := wants(t, seedbox, "6881-6889")
			tr.apply(w...)
			tr.Pass(59 * time.Minute)
			tr.settled(w...)
			tr.Pass(11 * time.Minute)
			p := tr.plan(w...)
			if p.Counts().Any() || p.Renewals() != 9 {
				t.Fatalf("9 mappings are to be renewed and nothing changed, not %d and %v", p.Renewals(), p.Counts())
			}
			change := p.Resources[0].Changes[0]
			if change.Because != "50m left of 2h" || change.Expires != 50*60 {
				t.Errorf("the plan says %q, %d s", change.Because, change.Expires)
			}
			tr.Calls()
			if o := tr.apply(w...); o.err != nil || o.done != 9 {
				t.Fatalf("%d were renewed: %v", o.done, o.err)
			}
			calls := tr.Calls()
			for action, want := range map[string]int{"AddPortMapping": c.adds, "DeletePortMapping": c.drops} {
				if got := strings.Count(strings.Join(calls, " "), action); got != want {
					t.Errorf("%d calls of %s, want %d", got, action, want)
				}
			}
			for _, m := range tr.Mappings() {
				if m.Lease != 2*time.Hour {
					t.Errorf("what is left of %s is %v", m, m.Lease)
				}
			}
			tr.settled(w...)
			tr.Pass(70 * time.Minute)
			if o := tr.apply(w...); o.done != 9 || tr.count("AddPortMapping") != 9 {
				t.Errorf("the second time it takes more steps than one each, or isn't done: %v", o.err)
			}
			tr.settled(w...)
			tr.Pass(3 * time.Hour)
			if o := tr.apply(w...); o.err != nil || len(tr.Mappings()) != 9 {
				t.Errorf("what has run out was not made again: %v", o.err)
			}
		})
	}
}

// A router that lists nothing is noticed, and asked for each mapping.
func TestListsNothing(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{ListsNothing: true})
	w := wants(t, seedbox, "6881-6889")
	if o := tr.plan(w...); said(o.problems, "doesn't list") {
		t.Errorf("a router without mappings is said to hide them: %v", o.problems)
	}
	o := tr.apply(w...)
	if o.err != nil || !said(o.problems, "doesn't list its mappings") {
		t.Errorf("%v; %v", o.err, o.problems)
	}
	tr.settled(w...)
	tr.memory.note = nil
	tr.settled(w...)
	if !tr.Remove("TCP", 6884) {
		t.Fatal("6884 wasn't there")
	}
	if o := tr.apply(w...); o.done != 1 || o.err != nil {
		t.Errorf("one that is missing: %d made, %v", o.done, o.err)
	}
	tr.settled(w...)
	if o := tr.apply(); o.err != nil || len(tr.Mappings()) > 0 {
		t.Errorf("left behind: %v\n%s", o.err, tr.Dump())
	}
}

// A forward that the router hides is found when it refuses the port. It doesn't
// keep the others from being made.
func TestHiddenForward(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{HidesStatic: true})
	byHand := igdtest.Mapping{Protocol: "TCP", External: 6883, Client: "192.168.1.12", Internal: 6883, Description: "Trans\x1b[2Jmission", Static: true}
	tr.Put(byHand)
	w := wants(t, seedbox, "6881-6889")
	o := tr.apply(w...)
	if o.done != 8 || len(o.errs) != 1 {
		t.Fatalf("%d made, %v", o.done, o.errs)
	}
	text := o.errs["6883"].Error()
	for _, part := range []string{"tcp 6883", "192.168.1.12:6883", "[2Jmission", "never touches"} {
		if !strings.Contains(text, part) {
			t.Errorf("the error doesn't say %q: %s", part, text)
		}
	}
	if strings.Contains(text, "\x1b") {
		t.Errorf("a terminal would act on %q", text)
	}
	if !slices.Contains(tr.Mappings(), byHand) {
		t.Error("the forward that was made by hand is gone")
	}
	tr.apply()
	if got := tr.Mappings(); len(got) != 1 || got[0] != byHand {
		t.Errorf("after the destroy the router holds\n%s", tr.Dump())
	}
}

// A listed foreign mapping is a conflict before anything is written.
func TestForeignInTheWay(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{Version: 2})
	tr.Put(igdtest.Mapping{Protocol: "TCP", External: 6883, Client: "192.168.1.12", Internal: 51413, Description: "Transmission at 51413\u009b\u202e"})
	tr.Put(igdtest.Mapping{Protocol: "TCP", External: 6884, Client: "DESKTOP-1", Internal: 6884})
	tr.Put(igdtest.Mapping{Protocol: "TCP", External: 6885, Client: "192.168.1.12", Internal: 6885, Description: "btplan:ffffffff"})
	o := tr.plan(wants(t, seedbox, "6881-6889")...)
	for _, part := range []string{
		"tcp 6883 to 192.168.1.12:51413", `"Transmission at 51413`, `for the client "DESKTOP-1"`, "a mark of btplan's",
	} {
		if !strings.Contains(o.conflict, part) {
			t.Errorf("the conflict doesn't say %q: %s", part, o.conflict)
		}
	}
	if strings.ContainsAny(o.conflict, "\u009b\u202e") {
		t.Errorf("a terminal would act on %q", o.conflict)
	}
}

// Secure mode: who may map is told from what is mapped.
func TestSecureMode(t *testing.T) {
	for _, code := range []int{718, 606} {
		tr := newTrial(t, igdtest.Quirks{RefusesOthers: code, Requester: "192.168.1.77"})
		o := tr.apply(wants(t, seedbox, all119)...)
		for _, part := range []string{"can't be mapped to 192.168.1.11", fmt.Sprint(code), "secure mode", "Set via = machine.NAME"} {
			if !strings.Contains(fmt.Sprint(o.err), part) {
				t.Errorf("%d: the error doesn't say %q: %v", code, part, o.err)
			}
		}
		if n := tr.count("AddPortMapping"); n != 1 || len(o.errs) != 119 {
			t.Errorf("%d: %d attempts, and %d errors: one tells of all", code, n, len(o.errs))
		}
		tr.via = "root@192.168.1.11:22"
		if o := tr.apply(wants(t, seedbox, "6881")...); !strings.Contains(fmt.Sprint(o.err), "asked from the machine that via names") {
			t.Errorf("%d: with via, it says %v", code, o.err)
		}
		tr.Requester = "192.168.1.11"
		if o := tr.apply(wants(t, seedbox, "6881")...); o.err != nil {
			t.Errorf("%d: the machine itself asked, and: %v", code, o.err)
		}
	}
}

func TestUPnPDoubleNAT(t *testing.T) {
	for name, c := range map[string]struct {
		q     igdtest.Quirks
		words []string
	}{
		"private":  {igdtest.Quirks{External: "192.168.178.20"}, []string{"192.168.178.20", "private"}},
		"CGNAT":    {igdtest.Quirks{External: "100.64.3.4"}, []string{"100.64.3.4", "RFC 6598"}},
		"none":     {igdtest.Quirks{External: "none"}, []string{"no public address", "double NAT"}},
		"no word":  {igdtest.Quirks{ExternalFault: 501}, []string{"no public address", "double NAT"}},
		"unknown":  {igdtest.Quirks{ExternalFault: 401}, nil},
		"a public": {igdtest.Quirks{}, nil},
	} {
		tr := newTrial(t, c.q)
		o := tr.plan(wants(t, seedbox, "6881")...)
		if o.err != nil {
			t.Errorf("%s: %v", name, o.err)
		}
		if (c.words == nil) != (len(o.problems) == 0) || c.words != nil && !said(o.problems, c.words...) {
			t.Errorf("%s: %v", name, o.problems)
		}
	}
	tr := newTrial(t, igdtest.Quirks{External: "none", RefusesAll: 501})
	o := tr.apply(wants(t, seedbox, all119)...)
	if !strings.Contains(fmt.Sprint(o.err), "double NAT") || tr.count("AddPortMapping") != 1 {
		t.Errorf("501 without a public address is %v", o.err)
	}
}

func TestSamePort(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{SamePort: true})
	w := wants(t, seedbox, "16881")
	w[0].To = netip.MustParseAddrPort("192.168.1.11:6881")
	if o := tr.apply(w...); !strings.Contains(fmt.Sprint(o.err), "Leave out wan_ports") {
		t.Errorf("724 is %v", o.err)
	}
}

// The line breaks, or the user does, in the middle: the next run does the rest.
func TestBrokenOff(t *testing.T) {
	w := wants(t, seedbox, all119)
	for _, by := range []string{"network", "user"} {
		tr := newTrial(t, igdtest.Quirks{})
		ctx, cancel := context.WithCancel(t.Context())
		adds := 0
		tr.onCall(func(_ *igdtest.Router, action string) int {
			if action != "AddPortMapping" {
				return 0
			}
			adds++
			switch {
			case by == "network" && adds > 50:
				return igdtest.Hangup
			case by == "user" && adds == 50:
				cancel()
				// A slow router: who doesn't wait for its answer has time to go.
				time.Sleep(100 * time.Millisecond)
			}
			return 0
		})
		o := tr.run(ctx, true, w...)
		if o.err == nil || o.done != 50 || len(o.errs) != 69 {
			t.Errorf("%s: %d done, %d not: %v", by, o.done, len(o.errs), o.err)
		}
		if by == "user" && (!errors.Is(o.err, context.Canceled) || len(tr.Mappings()) != 50) {
			t.Errorf("called off: %v, with %d mappings", o.err, len(tr.Mappings()))
		}
		tr.onCall(nil)
		if o := tr.apply(w...); o.err != nil || o.done != 69 {
			t.Errorf("%s: the next run did %d: %v", by, o.done, o.err)
		}
		tr.settled(w...)
	}
}

// btplan is killed in the middle, and the router gives no marks back: what was
// made is known from what was remembered before the first step.
func TestKilled(t *testing.T) {
	for name, c := range map[string]struct {
		q     igdtest.Quirks
		after int // mappings are made by then
	}{
		"in the middle, described alike":     {igdtest.Quirks{FixedDescription: "UPnP"}, 5},
		"after the first, with a part of it": {igdtest.Quirks{CutsDescription: 9}, 1},
	} {
		tr := newTrial(t, c.q)
		w := wants(t, seedbox, "6881-6889")
		var then []byte
		killed := false
		tr.onCall(func(*igdtest.Router, string) int {
			if killed {
				return igdtest.Hangup
			}
			if len(tr.Mappings()) == c.after {
				killed = true
				tr.memory.mu.Lock()
				then = tr.memory.note
				tr.memory.mu.Unlock()
				return igdtest.Hangup
			}
			return 0
		})
		tr.apply(w...)
		tr.onCall(nil)
		tr.memory.note = then
		if o := tr.apply(w...); o.conflict != "" || o.err != nil {
			t.Errorf("%s: what was made before is taken for somebody else's: %s%v", name, o.conflict, o.err)
		}
	}
}

// A router that doesn't answer is unknown, and not empty.
func TestSilentRouter(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{})
	w := wants(t, seedbox, "6881")
	tr.apply(w...)
	for _, action := range []string{"GetGenericPortMappingEntry", "GetExternalIPAddress"} {
		tr.onCall(func(_ *igdtest.Router, a string) int {
			if a == action {
				return igdtest.Hangup
			}
			return 0
		})
		if o := tr.plan(w...); o.err == nil {
			t.Errorf("no answer to %s, and the router was read", action)
		}
	}
	tr.Close()
	if o := tr.plan(w...); !errors.Is(o.err, providers.ErrUnreachable) || !strings.Contains(o.err.Error(), "another port") {
		t.Errorf("a router that is off is %v", o.err)
	}
}

// Others edit the table while it is read.
func TestListShifts(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{Repeats: true})
	w := wants(t, seedbox, "6881-6889")
	tr.apply(w...)
	tr.Put(igdtest.Mapping{Protocol: "UDP", External: 500, Client: "192.168.1.12", Internal: 500})
	shifts := 0
	tr.OnIndex = func(r *igdtest.Router, i int) {
		if i == 4 && shifts == 0 {
			shifts++
			first := r.Mappings()[0]
			r.Remove(first.Protocol, first.External)
			r.Put(first)
		}
	}
	tr.settled(w...)
	if shifts == 0 {
		t.Error("nothing was shifted")
	}
}

// What another program made in place of ours isn't ours, even if it says the
// same.
func TestSameButForeign(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{})
	w := wants(t, seedbox, "6881")
	tr.apply(w...)
	m := tr.Mappings()[0]
	m.Description = "Transmission"
	tr.Put(m)
	if o := tr.plan(w...); !strings.Contains(o.conflict, "Transmission") {
		t.Errorf("the plan says %q", o.conflict)
	}
	if o := tr.apply(); o.err != nil || len(tr.Mappings()) != 1 {
		t.Errorf("it was taken away: %v", o.err)
	}
}

// What was led elsewhere under our mark is drift, and mended.
func TestLedElsewhere(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{})
	w := wants(t, seedbox, "6881-6882")
	tr.apply(w...)
	m := tr.Mappings()[0]
	m.Client = "192.168.1.99"
	tr.Put(m)
	o := tr.plan(w...)
	if c := o.Plan.Resources[0].Changes[0]; !c.Drift || c.Because != "it led to 192.168.1.11:6881" {
		t.Errorf("the plan says %q, drift %v", c.Because, c.Drift)
	}
	if o := tr.apply(w...); o.err != nil || o.done != 1 {
		t.Errorf("%d changes: %v", o.done, o.err)
	}
	tr.settled(w...)
}

// A port_range that is gone from the configuration, with the memory lost.
func TestGonePortRange(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{})
	gone := plan.Addr{Block: plan.BlockPortRange, Name: "gone"}
	d := open("home", tr.url, 0, tr.memory)
	d.configured = append(d.configured, gone)
	w := wants(t, gone, "7000-7001")
	rules, err := d.Shape([]plan.Rule{w[0].Rule})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	var changes []plan.Change
	for _, r := range rules {
		changes = append(changes, plan.Change{Action: plan.Create, Device: home, Owner: gone, After: &r})
	}
	if err := d.Apply(t.Context(), changes, func(plan.Change, error) {}); err != nil {
		t.Fatal(err)
	}
	tr.Put(igdtest.Mapping{Protocol: "TCP", External: 9000, Client: "192.168.1.12", Internal: 9000, Description: newMarks("cabin", []plan.Addr{gone}, nil).mark(gone)})
	if o := tr.plan(); len(o.Plan.Resources) != 1 || o.Plan.Resources[0].Owner != gone {
		t.Errorf("with the memory, the plan is for %v", o.Plan.Resources)
	}
	tr.memory.note = nil
	o := tr.plan()
	if n := len(o.Plan.Resources); n != 1 || !strings.HasPrefix(o.Plan.Resources[0].Owner.Name, "gone-") || o.Plan.Resources[0].Action != plan.Delete {
		t.Fatalf("without it, the plan is %v", o.Plan.Resources)
	}
	if o := tr.apply(); o.err != nil || o.done != 2 {
		t.Errorf("%d were taken away: %v", o.done, o.err)
	}
	if left := tr.Mappings(); len(left) != 1 || left[0].External != 9000 {
		t.Errorf("only the other project's should be left:\n%s", tr.Dump())
	}
}

// Another router than last time is told of, once.
func TestOtherRouter(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{RefusesFinite: 725})
	tr.lease = time.Hour
	w := wants(t, seedbox, "6881")
	if o := tr.apply(w...); len(o.problems) > 0 {
		t.Errorf("the first router is told of: %v", o.problems)
	}
	tr.Quirks.UDN, tr.Quirks.RefusesFinite = "uuid:new", 0
	tr.Reboot()
	if o := tr.plan(w...); !said(o.problems, "Another router", "uuid:new", "HomeBox 3000") {
		t.Errorf("another router is not told of: %v", o.problems)
	}
	tr.apply(w...)
	if tr.Mappings()[0].Lease != time.Hour {
		t.Error("what was learned of one router is believed of the other")
	}
	if o := tr.plan(w...); len(o.problems) > 0 {
		t.Errorf("it is still told of: %v", o.problems)
	}
}

// Without a memory that takes notes all goes on.
func TestNoMemory(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{RefusesFinite: 725})
	tr.lease = time.Hour
	tr.memory.fails = errors.New("a read-only file system")
	w := wants(t, seedbox, "6881-6889")
	if o := tr.apply(w...); o.err != nil {
		t.Fatal(o.err)
	}
	tr.settled(w...)
	if o := tr.apply(); o.err != nil || tr.Dump() != "" {
		t.Errorf("left: %v\n%s", o.err, tr.Dump())
	}
}

// A memory file is outside input.
func TestSpoiltMemory(t *testing.T) {
	for _, note := range []string{
		`{"made": [{"owner": "machine.x", "protocol": "tcp", "ports": "1-65535", "to": "192.168.1.11:1"}, {"owner": "port_range.seedbox", "protocol": "icmp", "ports": "x", "to": "[::1]:1"}]}`,
		`{"made": [{"owner": "port_range.seedbox", "protocol": "tcp", "ports": "1-65535", "to": "192.168.1.11:65535"}], "location": "file:///etc/passwd", "step_us": -5}`,
		`{"made": 7}`, `[]`, `null`, `{"leases": "nonsense", "held": -1, "full": -1}`,
	} {
		tr := newTrial(t, igdtest.Quirks{})
		tr.memory.note = []byte(note)
		w := wants(t, seedbox, "6881-6889")
		if o := tr.apply(w...); o.err != nil {
			t.Errorf("%s: %v", note, o.err)
		}
		tr.settled(w...)
	}
}

// What a router must never be asked for.
func TestNeverAsked(t *testing.T) {
	tr := newTrial(t, igdtest.Quirks{Version: 2})
	tr.apply(wants(t, seedbox, all119)...)
	tr.apply()
	allowed := []string{
		"GetExternalIPAddress", "GetStatusInfo", "GetListOfPortMappings", "GetGenericPortMappingEntry",
		"GetSpecificPortMappingEntry", "AddPortMapping", "DeletePortMapping",
	}
	for _, c := range tr.Calls() {
		if !slices.Contains(allowed, c) {
			t.Errorf("the router was asked for %s", c)
		}
	}
}
