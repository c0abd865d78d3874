package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
)

const home = `
btplan {
  project = "home"
}
machine "pc" {
  address = "192.168.1.11"
  local   = true
  firewall "fake" {}
}
machine "tv" {
  address = "192.168.1.12"
}
gateway "fake" "a" {}
gateway "fake" "b" {}
port_range "pc" {
  machine  = machine.pc
  gateways = [gateway.a, gateway.b]
  ports    = "6881-6889"
}
port_range "tv" {
  for_each = toset(["x", "y"])
  machine  = machine.tv
  gateways = [gateway.a]
  ports    = each.key == "x" ? 7000 : 7001
}
`

// world is the devices of a test: what they hold outlives the engine.
type world struct {
	mu     sync.Mutex
	rules  map[string][]plan.Live // by device
	order  []string               // the devices in the order in which they were changed
	broken map[string]breakage
	drops  map[string]bool // of the devices, those that drop what their machines send
	// together counts who is being read; most is the most at once. Each
	// waits until crowd are there.
	together, most atomic.Int32
	crowd          chan struct{}
}

// breakage is how a device fails.
type breakage struct {
	shape, read, apply error
	lies               bool // it takes changes and makes none
}

func newWorld() *world {
	return &world{rules: map[string][]plan.Live{}, broken: map[string]breakage{}}
}

type fake struct {
	addr plan.Addr
	w    *world
}

func (f *fake) broken() breakage { return f.w.broken[f.addr.String()] }

func (f *fake) Shape(rules []plan.Rule) ([]plan.Rule, error) { return rules, f.broken().shape }

func (f *fake) Read(context.Context) (*providers.Reading, error) {
	if f.w.crowd != nil {
		n := f.w.together.Add(1)
		for most := f.w.most.Load(); n > most && !f.w.most.CompareAndSwap(most, n); most = f.w.most.Load() {
		}
		<-f.w.crowd
		f.w.together.Add(-1)
	}
	if err := f.broken().read; err != nil {
		return nil, err
	}
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return &providers.Reading{
		Rules:         slices.Clone(f.w.rules[f.addr.String()]),
		DropsOutbound: f.w.drops[f.addr.String()],
	}, nil
}

func (f *fake) Apply(_ context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	name, broken := f.addr.String(), f.broken()
	f.w.order = append(f.w.order, name)
	for _, c := range changes {
		if broken.apply == nil && !broken.lies {
			rules := f.w.rules[name]
			if c.Before != nil {
				rules = slices.DeleteFunc(rules, func(l plan.Live) bool { return l.Owner == c.Owner && l.Rule.Equal(*c.Before) })
			}
			if c.After != nil {
				rules = append(rules, plan.Live{Rule: *c.After, Device: f.addr, Owner: c.Owner})
			}
			f.w.rules[name] = rules
		}
		done(c, broken.apply)
	}
	return broken.apply
}

func (f *fake) Close() error { return nil }

// engine opens the world with a configuration.
func (w *world) engine(t *testing.T, source string, targets ...string) *Engine {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.btp.hcl"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	specs := map[string]hcldec.ObjectSpec{"fake": {}, "shell": {}}
	c, _, diags := config.Load(dir, config.Options{Gateways: specs, Firewalls: specs})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	open := func(s providers.Settings) (providers.Device, error) { return &fake{s.Addr, w}, nil }
	types := map[string]providers.Type{
		"fake":  {Name: "fake", Open: open},
		"shell": {Name: "shell", Open: open, Remote: true},
	}
	e := &Engine{Config: c, Gateways: types, Firewalls: types, Parallelism: 4}
	for _, s := range targets {
		target, err := ParseTarget(s)
		if err != nil {
			t.Fatal(err)
		}
		e.Targets = append(e.Targets, target)
	}
	t.Cleanup(e.Close)
	return e
}

// pending is what a plan has to do, a line each.
func pending(p *plan.Plan) []string {
	var out []string
	for _, r := range p.Pending() {
		out = append(out, r.Action.String()+" "+r.String())
	}
	return out
}

func summaries(diags hcl.Diagnostics) string {
	var out []string
	for _, d := range diags {
		out = append(out, d.Summary)
	}
	return strings.Join(out, "; ")
}

// planned plans, and wants no diagnostics.
func planned(t *testing.T, e *Engine) *plan.Plan {
	t.Helper()
	p, diags := e.Plan(t.Context())
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return p
}

func names(resources []plan.Resource) []string {
	var out []string
	for _, r := range resources {
		out = append(out, r.String())
	}
	slices.Sort(out)
	return out
}

var whole = []string{
	"create gateway.a: port_range.pc",
	`create gateway.a: port_range.tv["x"]`,
	`create gateway.a: port_range.tv["y"]`,
	"create gateway.b: port_range.pc",
	"create machine.pc: port_range.pc",
}

func TestLifeCycle(t *testing.T) {
	w := newWorld()
	var events []string
	e := w.engine(t, home)
	e.Observe = func(ev Event) {
		if ev.Kind == ApplyDone && ev.Err == nil {
			events = append(events, ev.Resource.String())
		}
	}
	p := planned(t, e)
	if diff := cmp.Diff(whole, pending(p)); diff != "" {
		t.Errorf("the first plan (-want +got):\n%s", diff)
	}
	result, diags := e.Apply(t.Context(), p)
	if len(diags) > 0 || len(result.Done) != 5 || result.Counts() != (plan.Counts{Add: 5}) {
		t.Errorf("apply: %+v, %v", result, diags)
	}
	if len(events) != 5 {
		t.Errorf("told of %q", events)
	}
	if w.order[0] != "machine.pc" {
		t.Errorf("not inside-out: %q", w.order)
	}
	if left := pending(planned(t, w.engine(t, home))); left != nil {
		t.Errorf("after the apply: %q", left)
	}

	w.order = nil
	e = w.engine(t, home)
	p, diags = e.PlanDestroy(t.Context())
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	if result, diags = e.Apply(t.Context(), p); len(diags) > 0 || result.Counts() != (plan.Counts{Destroy: 5}) {
		t.Errorf("destroy: %+v, %v", result, diags)
	}
	if w.order[2] != "machine.pc" {
		t.Errorf("not outside-in: %q", w.order)
	}
	for device, rules := range w.rules {
		if len(rules) > 0 {
			t.Errorf("%s still holds %v", device, rules)
		}
	}
}

func TestTargets(t *testing.T) {
	for _, test := range []struct {
		target string
		want   []int // of whole; none: it is an error
	}{
		{"gateway.a", []int{0, 1, 2}},
		{"gateway.b", []int{3}},
		{"machine.pc", []int{0, 3, 4}}, // its firewall, and its ports wherever they are
		{"machine.tv", []int{1, 2}},
		{"port_range.pc", []int{0, 3, 4}},
		{"port_range.tv", []int{1, 2}},
		{`port_range.tv["y"]`, []int{2}},
		{"gateway.a: port_range.pc", []int{0}},
		{"gateway.a: port_range.tv", []int{1, 2}},
		{`port_range.tv["z"]`, nil},
		{"gateway.c", nil},
		{`gateway.b: port_range.tv["x"]`, nil}, // both are there, but have nothing to do with each other
	} {
		t.Run(test.target, func(t *testing.T) {
			var want []string
			for _, i := range test.want {
				want = append(want, whole[i])
			}
			w := newWorld()
			e := w.engine(t, home, test.target)
			p, diags := e.Plan(t.Context())
			if got := summaries(diags); (test.want == nil) != (got == "Target not found") {
				t.Errorf("said %q", got)
			}
			if test.want == nil {
				if p != nil {
					t.Errorf("there is a plan of nothing: %v", p)
				}
				return
			}
			if diff := cmp.Diff(want, pending(p)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, diags := e.Apply(t.Context(), p); diags.HasErrors() {
				t.Error(diags)
			}
		})
	}
}

// What is printed as an address can be given back as a target, whatever the
// keys are.
func TestParseTarget(t *testing.T) {
	for _, s := range []string{
		`port_range.bt["a: b"]`,
		`gateway.a["x: y"]`,
		`gateway.a["x: y"]: port_range.bt["a: b: c"]`,
		`gateway.a["x\": port_range.bt[\"y"]: port_range.bt[0]`,
		`machine.pc: port_range.bt["gateway.a: port_range.bt"]`,
		"machine.pc: trackers",
		`machine.pc["x: trackers"]: trackers`,
		`machine.pc["x: trackers"]`,
		"machine.new: machine.old", // as after a machine has got another name
	} {
		if target, err := ParseTarget(s); err != nil || target.String() != s {
			t.Errorf("%s is read as %s: %v", s, target, err)
		}
	}
	for _, s := range []string{"", "gateway", "port_range.a: gateway.b", "machine.pc: gateway.a", "gateway.a: trackers", "trackers", ": trackers", "gateway.a: ", `gateway.a["x: y]: port_range.b`} {
		if target, err := ParseTarget(s); err == nil {
			t.Errorf("%q is target %s", s, target)
		}
	}
}

// A panic is told of where somebody waits, and not before the others are done.
func TestGroupPanics(t *testing.T) {
	var g group
	release, finished := make(chan struct{}), false
	g.do(func() { <-release; finished = true })
	g.do(func() { defer close(release); panic("a bug") })
	defer func() {
		bug, _ := recover().(string)
		if !strings.HasPrefix(bug, "a bug\n") || !strings.Contains(bug, "TestGroupPanics") {
			t.Errorf("panicked with %q", bug)
		}
		if !finished {
			t.Error("the other one was not waited for")
		}
	}()
	g.wait()
}

// A target can name what is no longer in the configuration, but still on a
// device.
func TestTargetGone(t *testing.T) {
	w := newWorld()
	e := w.engine(t, home)
	if _, diags := e.Apply(t.Context(), planned(t, e)); diags.HasErrors() {
		t.Fatal(diags)
	}
	without, _, _ := strings.Cut(home, `port_range "tv"`)
	got := pending(planned(t, w.engine(t, without, `port_range.tv["x"]`)))
	if diff := cmp.Diff([]string{`delete gateway.a: port_range.tv["x"]`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnread(t *testing.T) {
	w := newWorld()
	w.broken["gateway.a"] = breakage{read: providers.Flag(errors.New("it is off"), providers.ErrUnreachable)}
	w.broken["machine.pc"] = breakage{read: errors.New("it talks nonsense")}
	e := w.engine(t, home)
	p, diags := e.Plan(t.Context())
	if got, want := summaries(diags), "machine.pc could not be read; gateway.a could not be reached"; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"create gateway.b: port_range.pc"}, pending(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(p.Unread) != 2 {
		t.Errorf("unread: %v", p.Unread)
	}
	result, diags := e.Apply(t.Context(), p)
	if diags.HasErrors() || len(result.Done) != 1 {
		t.Errorf("apply: %+v, %v", result, diags)
	}
}

func TestPartialFailure(t *testing.T) {
	for name, test := range map[string]struct {
		broken          breakage
		says            string
		outrun, rolledB bool
		unknown         bool
	}{
		"interrupted": {breakage{apply: fmt.Errorf("the ports: %w", &remote.InterruptedError{Target: remote.Target{Host: "edge", User: "root"}, Err: io.ErrUnexpectedEOF})},
			"How much of it was done is not known. Run btplan plan: it shows what the device holds now", false, false, true},
		"an error":    {breakage{apply: errors.New("no space left")}, "No space left.", false, false, false},
		"a lie":       {breakage{lies: true}, "does not hold what was asked for: tcp 6881-6889 to 192.168.1.11:6881-6889 is missing", false, false, false},
		"outrun":      {breakage{apply: providers.Flag(errors.New("too late"), providers.ErrConflict)}, "Too late.", true, false, false},
		"rolled back": {breakage{apply: providers.Flag(errors.New("cut off"), providers.ErrRolledBack)}, "Cut off.", false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.broken["gateway.a"] = test.broken
			e := w.engine(t, home)
			result, diags := e.Apply(t.Context(), planned(t, e))
			if got, want := names(result.Failed), []string{"gateway.a: port_range.pc", `gateway.a: port_range.tv["x"]`, `gateway.a: port_range.tv["y"]`}; !slices.Equal(got, want) {
				t.Errorf("failed: %q", got)
			}
			if got, want := names(result.Done), []string{"gateway.b: port_range.pc", "machine.pc: port_range.pc"}; !slices.Equal(got, want) {
				t.Errorf("done: %q", got)
			}
			summary := "gateway.a could not be changed"
			if test.unknown {
				summary = "It is not known whether gateway.a was changed"
			}
			if len(diags) == 0 || diags[0].Summary != summary || !strings.Contains(diags[0].Detail, test.says) || diags[0].Subject == nil {
				t.Errorf("said %v", diags)
			}
			if test.outrun != (len(result.Outrun) > 0) || test.rolledB != (len(result.RolledBack) > 0) {
				t.Errorf("outrun %v, rolled back %v", result.Outrun, result.RolledBack)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	w := newWorld()
	e := w.engine(t, home+"\ngateway \"shell\" \"far\" {}\n")
	if p, diags := e.Plan(t.Context()); p != nil || summaries(diags) != "No way to reach gateway.far" {
		t.Errorf("planned %v, said %v", p, diags)
	}
	w.broken["gateway.b"] = breakage{shape: errors.New("only ten ports fit")}
	e = w.engine(t, home)
	p, diags := e.Plan(t.Context())
	if p != nil || len(diags) != 1 || diags[0].Summary != "gateway.b can't do what port_range.pc asks" || diags[0].Detail != "Only ten ports fit." {
		t.Errorf("planned %v, said %v", p, diags)
	}
}

// What an ssh block says comes to the runner, the hosts on the way included.
func TestSSHTarget(t *testing.T) {
	got := sshTarget(&config.SSH{
		Host: "10.0.0.1", Port: 2222, User: "root", IdentityFile: "/key", KnownHostsFile: "/known", Timeout: time.Minute, Sudo: true,
		Jump: &config.SSH{Host: "inner", User: "me", Jump: &config.SSH{Host: "bastion", Direct: true}},
	})
	want := remote.Target{
		Host: "10.0.0.1", Port: 2222, User: "root", IdentityFile: "/key", KnownHostsFile: "/known", Timeout: time.Minute, Sudo: true,
		Jump: &remote.Target{Host: "inner", User: "me", Jump: &remote.Target{Host: "bastion", Direct: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// turnsOut is a fake that knows who it is once it was read.
type turnsOut struct {
	*fake
	id string
}

func (d *turnsOut) Identity() string { return d.id }

func (d *turnsOut) Read(ctx context.Context) (*providers.Reading, error) {
	d.id = "the only one"
	return d.fake.Read(ctx)
}

// That two blocks are for one device may show only when it is read.
func TestOneDeviceTwiceWhenRead(t *testing.T) {
	w := newWorld()
	e := w.engine(t, home)
	e.Gateways = map[string]providers.Type{"fake": {Name: "fake", Open: func(s providers.Settings) (providers.Device, error) {
		return &turnsOut{&fake{s.Addr, w}, s.Addr.String()}, nil
	}}}
	if got := summaries(e.Check()); got != "" {
		t.Errorf("before it is read, said %q", got)
	}
	if _, diags := e.Plan(t.Context()); summaries(diags) != "One device twice" || !diags.HasErrors() {
		t.Errorf("said %v", diags)
	}
}

// named is a fake that is known by its name in the world's table of twins.
type named struct {
	*fake
	id string
}

func (n named) Identity() string { return n.id }

func TestOneDeviceTwice(t *testing.T) {
	w := newWorld()
	e := w.engine(t, home)
	e.Gateways = map[string]providers.Type{"fake": {Name: "fake", Open: func(s providers.Settings) (providers.Device, error) {
		return named{&fake{s.Addr, w}, "the only one"}, nil
	}}}
	p, diags := e.Plan(t.Context())
	if p != nil || len(diags) != 1 || diags[0].Summary != "One device twice" || !strings.Contains(diags[0].Detail, "gateway.b and gateway.a") {
		t.Errorf("planned %v, said %v", p, diags)
	}
	const edge = `
gateway "shell" %q {
  ssh {
    host = "192.0.2.1"
    port = %d
    user = %q
  }
}
`
	one := home + fmt.Sprintf(edge, "wan1", 22, "root")
	for source, want := range map[string]string{
		one + fmt.Sprintf(edge, "wan2", 22, "admin"):  "One device twice",
		one + fmt.Sprintf(edge, "wan2", 2222, "root"): "",
	} {
		if got := summaries(w.engine(t, source).Check()); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
}

func TestParallelism(t *testing.T) {
	const gateways, parallel = 20, 5
	source := "btplan {\n  project = \"home\"\n}\n"
	for i := range gateways {
		source += fmt.Sprintf("gateway \"fake\" \"g%d\" {}\n", i)
	}
	w := newWorld()
	w.crowd = make(chan struct{})
	e := w.engine(t, source)
	e.Parallelism = parallel
	begun := make(chan struct{}, gateways)
	e.Observe = func(ev Event) {
		if ev.Kind == ReadStarted {
			begun <- struct{}{}
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		planned(t, e)
	}()
	for range parallel {
		<-begun
	}
	for range gateways {
		w.crowd <- struct{}{}
	}
	<-done
	if most := w.most.Load(); most > parallel || most < 2 {
		t.Errorf("%d were read at once, with -parallelism=%d", most, parallel)
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"it is off":           "It is off.",
		"can't be read":       "Can't be read.",
		"192.168.1.1 is off":  "192.168.1.1 is off.",
		"root@host: gone!":    "root@host: gone!",
		"/etc/x is missing":   "/etc/x is missing.",
		"über alles":          "Über alles.",
		"":                    "",
		" what is it? ":       "What is it?",
		"\"edge\" is unknown": "\"edge\" is unknown.",
	} {
		if got := sentence(errors.New(in)); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}
