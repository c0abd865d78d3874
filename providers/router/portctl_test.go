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

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// dialects are both of them, for tests of what they have in common.
var dialects = map[string]dialect{"natpmp": natpmp{}, "pcp": pcp{}}

// seedboxRange is the owner of rules under test.
var seedboxRange = plan.Addr{Block: plan.BlockPortRange, Name: "seedbox"}

// rule is a forward of ports of this computer, shifted there by some.
func rule(t *testing.T, protocol plan.Protocol, ports string, shift int) plan.Rule {
	t.Helper()
	p, err := plan.ParsePortRange(ports)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Rule{Kind: plan.Forward, Protocol: protocol, Ports: p, To: netip.AddrPortFrom(here, uint16(int(p.First)+shift))}
}

// run is a run of btplan: a read, a plan, and perhaps an apply.
type run struct {
	t       *testing.T
	dev     *portctlGateway
	reading *providers.Reading
	plan    *plan.Plan
}

// newRun reads and plans.
func newRun(t *testing.T, dev *portctlGateway, rules ...plan.Rule) *run {
	t.Helper()
	reading, err := dev.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shaped, err := dev.Shape(rules)
	if err != nil {
		t.Fatal(err)
	}
	var wanted []plan.Wanted
	for _, r := range shaped {
		wanted = append(wanted, plan.Wanted{Rule: r, Device: homeGateway, Owner: seedboxRange})
	}
	p, diags := plan.Diff(wanted, reading.Rules)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return &run{t, dev, reading, p}
}

// changes are those of the plan, by their names.
func (r *run) changes() (list []plan.Change, text string) {
	var lines []string
	for _, res := range r.plan.Resources {
		for _, c := range res.Changes {
			list = append(list, c)
			line := c.Action.String()
			if c.Because != "" {
				line += " (" + c.Because + ")"
			}
			lines = append(lines, line)
		}
	}
	return list, strings.Join(slices.Compact(lines), ", ")
}

// want sees what the plan does.
func (r *run) want(text string) *run {
	r.t.Helper()
	if _, got := r.changes(); got != text {
		r.t.Fatalf("the plan is %q, not %q", got, text)
	}
	return r
}

// problems sees which problems were read.
func (r *run) problems(want ...string) *run {
	r.t.Helper()
	if got := summaries(r.reading.Problems); !slices.Equal(got, want) {
		r.t.Errorf("the problems are %q, not %q", got, want)
	}
	return r
}

func summaries(problems []providers.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Summary)
	}
	return out
}

// apply carries the plan out and sees that it went well.
func (r *run) apply() {
	r.t.Helper()
	if err := r.try(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) try(ctx context.Context) error {
	r.t.Helper()
	changes, _ := r.changes()
	told := 0
	err := r.dev.Apply(ctx, changes, func(plan.Change, error) { told++ })
	if told != len(changes) {
		r.t.Errorf("done was called %d times for %d changes", told, len(changes))
	}
	return err
}

func holds(t *testing.T, r *fakeRouter, want ...string) {
	t.Helper()
	if got := r.dump(); got != strings.Join(want, "\n") {
		t.Fatalf("the router holds\n%s\nnot\n%s", got, strings.Join(want, "\n"))
	}
}

// The life of two mappings, each step by a device that knows only the memory.
func TestPortctlLife(t *testing.T) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			r, memory := newFakeRouter(t), &fakeMemory{}
			open := func() *portctlGateway { return r.device(d, memory, "") }
			two := []plan.Rule{rule(t, plan.TCP, "6881", 0), rule(t, plan.UDP, "16881", -10000)}

			newRun(t, open(), two...).want("create").problems().apply()
			holds(t, r, "tcp 6881 to 127.0.0.1:6881", "udp 16881 to 127.0.0.1:6881")
			held := newRun(t, open(), two...).want("no-op").reading.Rules
			if len(held) != 2 || held[0].Expires != 7200 || held[0].Owner != seedboxRange || held[0].Handle == "" {
				t.Errorf("read %+v", held)
			}

			// Half of the lease: time to renew.
			r.pass(59 * time.Minute)
			newRun(t, open(), two...).want("no-op")
			r.pass(time.Minute)
			newRun(t, open(), two...).want("renew (1h left of 2h)").apply()
			newRun(t, open(), two...).want("no-op")
			r.pass(59 * time.Minute)
			newRun(t, open(), two...).want("no-op")

			// A restart.
			r.restart()
			newRun(t, open(), two...).want("create").problems("The router has forgotten its mappings").apply()
			holds(t, r, "tcp 6881 to 127.0.0.1:6881", "udp 16881 to 127.0.0.1:6881")
			newRun(t, open(), two...).want("no-op").problems()

			// Nobody renews.
			r.pass(121 * time.Minute)
			newRun(t, open(), two...).want("create").problems("Leases are over").apply()
			newRun(t, open(), two...).want("no-op").problems()

			// Another port outside, and another on the machine.
			other := []plan.Rule{rule(t, plan.TCP, "6882", -1), rule(t, plan.UDP, "16881", -9999)}
			newRun(t, open(), other...).apply()
			holds(t, r, "tcp 6882 to 127.0.0.1:6881", "udp 16881 to 127.0.0.1:6882")
			newRun(t, open(), other...).want("no-op")

			newRun(t, open()).want("delete").apply()
			holds(t, r, "")
			newRun(t, open()).want("").problems()
		})
	}
}

// The nonce is in the memory before the first request: whatever happens then,
// the mapping can be renewed.
func TestPCPNonceFirst(t *testing.T) {
	r, memory := newFakeRouter(t), &fakeMemory{}
	noted := false
	dev := r.device(pcp{}, memory, "")
	first := newRun(t, dev, rule(t, plan.TCP, "6881", 0))
	r.do(func() {
		r.odd = func([]byte) []byte {
			var n portctlNote
			if memory.Load(&n) == nil && len(n.Routers) == 1 {
				note := n.router(dev.server.Addr())
				_, noted = note.nonce()
			}
			return nil
		}
	})
	first.apply()
	r.do(func() {
		if !noted {
			t.Error("the nonce was not noted when the request came")
		}
	})
}

// What a project called otherwise has made is not taken for ours.
func TestPortctlOtherProject(t *testing.T) {
	r, memory := newFakeRouter(t), &fakeMemory{}
	newRun(t, r.device(pcp{}, memory, "cabin"), rule(t, plan.TCP, "6881", 0)).apply()
	got := newRun(t, r.device(pcp{}, memory, "home")).want("").reading.Rules
	if len(got) != 1 || !got[0].Owner.IsZero() || got[0].Project != "cabin" {
		t.Errorf("got %+v", got)
	}
}

// A router that was moved to another address keeps what it has until the
// leases end; nothing of it is taken for the new one's.
func TestPortctlOtherRouter(t *testing.T) {
	one, two, memory := newFakeRouter(t), newFakeRouter(t), &fakeMemory{}
	want := rule(t, plan.TCP, "6881", 0)
	newRun(t, one.device(pcp{}, memory, ""), want).apply()
	dev := two.device(pcp{}, memory, "")
	dev.server = netip.AddrPortFrom(dev.server.Addr(), dev.server.Port())
	var n portctlNote
	if err := memory.Load(&n); err != nil {
		t.Fatal(err)
	}
	n.Routers[0].Router = netip.MustParseAddr("192.168.9.1")
	if err := memory.Store(n); err != nil {
		t.Fatal(err)
	}
	newRun(t, dev, want).want("create").problems().apply()
	if err := memory.Load(&n); err != nil || len(n.Routers) != 2 || n.Routers[0].Nonce == n.Routers[1].Nonce {
		t.Errorf("the memory is %+v, %v", n, err)
	}
	two.pass(3 * time.Hour)
	newRun(t, two.device(pcp{}, memory, ""), want).apply()
	var after portctlNote
	if err := memory.Load(&after); err != nil || len(after.Routers) != 1 {
		t.Errorf("the memory is %+v, %v", after, err)
	}
}

// What the router has forgotten is not in the way of what is asked for next,
// and neither is what has run out.
func TestPortctlMovesOn(t *testing.T) {
	for name, lose := range map[string]func(*fakeRouter){
		"forgotten": func(r *fakeRouter) { r.restart() },
		"over":      func(r *fakeRouter) { r.pass(2 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			r, memory := newFakeRouter(t), &fakeMemory{}
			newRun(t, r.device(pcp{}, memory, ""), rule(t, plan.TCP, "6881", 0)).apply()
			lose(r)
			elsewhere := rule(t, plan.TCP, "16881", -10000)
			newRun(t, r.device(pcp{}, memory, ""), elsewhere).want("create").apply()
			holds(t, r, "tcp 16881 to 127.0.0.1:6881")
			newRun(t, r.device(pcp{}, memory, ""), elsewhere).want("no-op").problems()
		})
	}
}

// What was made before a mapping that is forgotten is forgotten too, though
// nothing can be told from its own time: the router had only just begun.
func TestPortctlForgottenTogether(t *testing.T) {
	r, memory := newFakeRouter(t), &fakeMemory{}
	r.restart()
	one := rule(t, plan.TCP, "6881", 0)
	both := []plan.Rule{one, rule(t, plan.TCP, "6882", 0)}
	newRun(t, r.device(pcp{}, memory, ""), one).apply()
	r.pass(5 * time.Second)
	newRun(t, r.device(pcp{}, memory, ""), both...).want("no-op, create").apply()
	r.pass(time.Second)
	r.restart()
	r.pass(5 * time.Second)
	newRun(t, r.device(pcp{}, memory, ""), both...).want("create").problems("The router has forgotten its mappings")
}

// What the router grants counts, not what it was asked for.
func TestPortctlShortLease(t *testing.T) {
	r, memory := newFakeRouter(t), &fakeMemory{}
	r.do(func() { r.most = 10 * time.Minute })
	want := rule(t, plan.TCP, "6881", 0)
	newRun(t, r.device(natpmp{}, memory, ""), want).apply()
	got := newRun(t, r.device(natpmp{}, memory, ""), want).want("no-op").problems("The router grants shorter leases")
	if detail := got.reading.Problems[0].Detail; !strings.Contains(detail, "asked for 2h and grants 10m") || !strings.Contains(detail, "every 5m") {
		t.Error(detail)
	}
	r.pass(5 * time.Minute)
	newRun(t, r.device(natpmp{}, memory, ""), want).want("renew (5m left of 10m)")
	// Asked for less from now on: that was not refused yet.
	dev := r.device(natpmp{}, memory, "")
	dev.lease = 10 * time.Minute
	newRun(t, dev, want).problems()
}

func TestDoubleNAT(t *testing.T) {
	for outside, want := range map[string]string{
		"203.0.113.7": "", "100.63.255.255": "", "100.64.0.1": "carrier-grade", "100.127.255.255": "carrier-grade",
		"192.168.0.2": "private one", "10.1.2.3": "private one", "169.254.1.1": "private one",
	} {
		r := newFakeRouter(t)
		r.do(func() { r.outside = netip.MustParseAddr(outside) })
		// PCP learns the address with the first mapping, NAT-PMP at once.
		for name, d := range dialects {
			memory := &fakeMemory{}
			got := newRun(t, r.device(d, memory, ""), rule(t, plan.UDP, "6881", 0))
			if name == "pcp" {
				got.problems().apply()
				got = newRun(t, r.device(d, memory, ""))
			}
			text := fmt.Sprint(got.reading.Problems)
			if want == "" && text != "[]" || !strings.Contains(text, want) {
				t.Errorf("%s by %s: %s", outside, name, text)
			}
			r.restart()
		}
	}
}

func TestNATPMPNoOutside(t *testing.T) {
	r := newFakeRouter(t)
	r.do(func() { r.outside = netip.Addr{} })
	newRun(t, r.device(natpmp{}, &fakeMemory{}, "")).problems("The router has no address on the outside")
}

func TestPortctlAdvice(t *testing.T) {
	r := newFakeRouter(t)
	elsewhere := rule(t, plan.TCP, "6881", 0)
	elsewhere.To = netip.MustParseAddrPort("192.168.1.11:6881")
	for name, c := range map[string]struct {
		dialect dialect
		rule    plan.Rule
		want    []string
	}{
		"for this computer": {natpmp{}, rule(t, plan.TCP, "6881-6889", 0), []string{"What others have mapped is not known"}},
		"for another":       {natpmp{}, elsewhere, []string{"port_range.seedbox will fail", "What others have mapped is not known"}},
		"for another, PCP":  {pcp{}, elsewhere, []string{"What others have mapped is not known"}},
	} {
		dev := r.device(c.dialect, &fakeMemory{}, "")
		changes, _ := newRun(t, dev, c.rule).changes()
		if got := summaries(dev.Advise(changes)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
	// What only renews or goes needs no advice.
	memory := &fakeMemory{}
	newRun(t, r.device(pcp{}, memory, ""), elsewhere).apply()
	r.pass(90 * time.Minute)
	for _, wanted := range [][]plan.Rule{{elsewhere}, nil} {
		dev := r.device(pcp{}, memory, "")
		changes, _ := newRun(t, dev, wanted...).changes()
		if got := dev.Advise(changes); len(changes) == 0 || len(got) > 0 {
			t.Errorf("%d changes have the advice %+v", len(changes), got)
		}
	}
}

// NAT-PMP is for the computer that asks. What it can't do it says, and does
// the rest.
func TestNATPMPOtherMachine(t *testing.T) {
	r := newFakeRouter(t)
	elsewhere := rule(t, plan.TCP, "6882", 0)
	elsewhere.To = netip.MustParseAddrPort("192.168.1.11:6882")
	err := newRun(t, r.device(natpmp{}, &fakeMemory{}, ""), rule(t, plan.TCP, "6881", 0), elsewhere).try(t.Context())
	if !errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), "which is 127.0.0.1 here, and not to 192.168.1.11") {
		t.Errorf("got %v", err)
	}
	holds(t, r, "tcp 6881 to 127.0.0.1:6881")
}

// Where nobody knows the gateway, the user is told to say which it is.
func TestPortctlNoGateway(t *testing.T) {
	dev := newFakeRouter(t).device(pcp{}, &fakeMemory{}, "")
	dev.server = netip.AddrPort{}
	dev.gateway = func() (netip.Addr, error) { return netip.Addr{}, portctl.ErrNoGateway }
	_, err := dev.Read(t.Context())
	if !errors.Is(err, providers.ErrUnreachable) || !strings.Contains(err.Error(), "Set address") || dev.Identity() != "" {
		t.Errorf("got %v, %q", err, dev.Identity())
	}
	dev.gateway = func() (netip.Addr, error) { return netip.MustParseAddr("192.168.1.1"), nil }
	if got := dev.Identity(); got != "192.168.1.1:5351" {
		t.Errorf("got %q", got)
	}
}

// The gateway of the default route is found, if it speaks the protocol.
func TestPortctlDiscover(t *testing.T) {
	r := newFakeRouter(t)
	r.do(func() { r.outside = netip.MustParseAddr("192.168.0.2") })
	server := netip.MustParseAddrPort(r.conn.LocalAddr().String())
	for name, d := range dialects {
		dev := r.device(d, nil, "")
		discover := func(on string) []providers.Found {
			t.Helper()
			found, err := dev.discover(t.Context(), name, providers.DiscoverOptions{Interface: on})
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		for _, on := range []string{"", "lo"} {
			found := discover(on)
			if len(found) != 1 || found[0].Type != name || found[0].Address != server.Addr() || found[0].From != here || found[0].Mappings != -1 {
				t.Fatalf("%s on %q: found %+v", name, on, found)
			}
			// PCP tells the address only with a mapping.
			if text := fmt.Sprint(found[0].WAN, found[0].Notes); name == "natpmp" && !strings.HasPrefix(text, "192.168.0.2 [Double NAT") {
				t.Errorf("%s: %s", name, text)
			}
		}
		if found := discover("no-such0"); found != nil {
			t.Errorf("%s: found %v on an interface that isn't there", name, found)
		}
		dev.server = netip.AddrPort{}
		dev.gateway = func() (netip.Addr, error) { return netip.Addr{}, portctl.ErrNoGateway }
		if found := discover(""); found != nil {
			t.Errorf("%s: found %v without a default route", name, found)
		}
		dev.server, dev.client.Waits = server, []time.Duration{time.Millisecond}
		r.do(func() { r.odd = func([]byte) []byte { return []byte{} } })
		if found := discover(""); found != nil {
			t.Errorf("%s: found %v, which says nothing", name, found)
		}
		r.do(func() { r.odd = nil })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := dev.discover(ctx, name, providers.DiscoverOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: called off: %v", name, err)
		}
	}
}
