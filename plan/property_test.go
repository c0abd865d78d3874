package plan

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"pgregory.net/rapid"
)

// The world of the property tests is small, so that rules meet often: few
// ports, at both ends of their range, on few devices.
var (
	devices = []Addr{{BlockGateway, "edge", NoKey}, {BlockGateway, "attic", NoKey}, {BlockMachine, "seedbox", NoKey}}
	itself  = devices[2]
	owners  = []Addr{itself, portRange("a"), {BlockPortRange, "bt", NumKey(10)}, {BlockPortRange, "bt", NumKey(9)}, {BlockPortRange, "bt", TextKey("x y")}}
)

// drawRule draws a rule that a device of this block can hold.
func drawRule(t *rapid.T, device Addr) Rule {
	const space = 30
	first := rapid.IntRange(1, space).Draw(t, "first")
	last := min(first+rapid.IntRange(0, 9).Draw(t, "more"), space)
	if rapid.Bool().Draw(t, "high") {
		first, last = first+maxPort-space, last+maxPort-space
	}
	r := Rule{
		Kind:     Allow,
		Protocol: rapid.SampledFrom([]Protocol{TCP, UDP}).Draw(t, "protocol"),
		Ports:    PortRange{uint16(first), uint16(last)},
	}
	if device.Block == BlockGateway {
		r.Kind = Forward
		host := rapid.SampledFrom([]string{"192.168.1.2", "192.168.1.11", "2001:db8::1"}).Draw(t, "host")
		port := rapid.SampledFrom([]int{first, 1, 100, maxPort - r.Ports.Count() + 1}).Draw(t, "to")
		r.To = netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port))
	} else if rapid.Bool().Draw(t, "outbound") {
		r.Kind = Outbound
		return r
	}
	r.Sources = rapid.SampledFrom([][]netip.Prefix{
		nil,
		{netip.MustParsePrefix("10.0.0.0/8")},
		{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
	}).Draw(t, "sources")
	return r
}

// drawWanted draws rules that do not collide.
func drawWanted(t *rapid.T, label string) []Wanted {
	var out []Wanted
	for range rapid.IntRange(0, 12).Draw(t, label) {
		device := rapid.SampledFrom(devices).Draw(t, "device")
		owner := rapid.SampledFrom(owners).Draw(t, "owner")
		w := Wanted{Rule: drawRule(t, device), Device: device, Owner: owner,
			DeclRange: hcl.Range{Filename: "main.btp.hcl", Start: hcl.Pos{Line: 1 + slices.Index(owners, owner)}}}
		if !slices.ContainsFunc(out, func(o Wanted) bool { return o.Device == device && o.Collides(w.Rule) }) {
			out = append(out, w)
		}
	}
	return out
}

// drawLive draws rules of ours, which do not collide, some of them just as they
// are wanted, and foreign ones, which are as they please.
func drawLive(t *rapid.T, wanted []Wanted) []Live {
	var out []Live
	drawn := drawWanted(t, "ours")
	for _, w := range wanted {
		if rapid.Bool().Draw(t, "stands") {
			drawn = append([]Wanted{w}, drawn...)
		}
	}
	for i, w := range drawn {
		if slices.ContainsFunc(drawn[:i], func(o Wanted) bool { return o.Device == w.Device && o.Collides(w.Rule) }) {
			continue
		}
		out = append(out, Live{Rule: w.Rule, Device: w.Device, Owner: w.Owner,
			Drift:    rapid.SampledFrom([]string{"", "", "", "its accept is missing"}).Draw(t, "drift"),
			Outdated: rapid.SampledFrom([]string{"", "", "", "wan_interface has changed"}).Draw(t, "outdated"),
			Expires:  rapid.SampledFrom([]uint32{0, 0, 1, 604800}).Draw(t, "expires"),
			Renew:    rapid.SampledFrom([]string{"", "", "1h12m left of 168h"}).Draw(t, "renew")})
	}
	for i := range rapid.IntRange(0, 12).Draw(t, "foreign") {
		device := rapid.SampledFrom(devices).Draw(t, "device")
		out = append(out, Live{Rule: drawRule(t, device), Device: device, Handle: fmt.Sprintf("handle %d", i)})
	}
	return out
}

func TestDiffProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wanted := drawWanted(t, "wanted")
		live := drawLive(t, wanted)
		wantedBefore, liveBefore := clone(wanted), clone(live)
		p, diags := Diff(wanted, live)
		if !reflect.DeepEqual(wanted, wantedBefore) || !reflect.DeepEqual(live, liveBefore) {
			t.Fatal("Diff changed its arguments")
		}
		checkOrder(t, p, diags, wanted, live)
		checkChanges(t, p)
		checkConflicts(t, diags, wanted, live)
		checkEachOnce(t, p, slices.DeleteFunc(slices.Clone(wanted), func(w Wanted) bool { return needless(w, live) }), live)
		after := carryOut(t, p, live)
		if !reflect.DeepEqual(foreignOf(after), foreignOf(live)) {
			t.Fatalf("foreign rules were %v and are %v", foreignOf(live), foreignOf(after))
		}
		again, _ := Diff(wanted, after)
		for _, r := range again.Resources {
			for _, c := range r.Changes {
				if c.Action != NoOp {
					t.Fatalf("after the changes of %v another is left: %v", p, c)
				}
			}
		}
		if again.Counts().Any() || len(again.Pending()) > 0 {
			t.Fatalf("no change is left, but %v", again.Counts())
		}
		checkJSON(t, p)
	})
}

// clone copies so deep that nothing is shared.
func clone[T Wanted | Live](list []T) []T {
	out := slices.Clone(list)
	for i := range out {
		switch one := any(&out[i]).(type) {
		case *Wanted:
			one.Sources = slices.Clone(one.Sources)
		case *Live:
			one.Sources = slices.Clone(one.Sources)
		}
	}
	return out
}

// checkOrder wants the same plan from the arguments in another order.
func checkOrder(t *rapid.T, p *Plan, diags hcl.Diagnostics, wanted []Wanted, live []Live) {
	other, otherDiags := Diff(rapid.Permutation(wanted).Draw(t, "wanted reordered"), rapid.Permutation(live).Draw(t, "live reordered"))
	// Which of its rules tells where a resource is declared is all one: they
	// are all of one block.
	if !reflect.DeepEqual(p, other) || !reflect.DeepEqual(diags, otherDiags) {
		t.Fatalf("the order of the arguments makes a difference: %v, %v", p, other)
	}
	if p.Digest() != other.Digest() {
		t.Fatal("one plan has two digests")
	}
}

// checkChanges wants every change to be what its action says.
func checkChanges(t *rapid.T, p *Plan) {
	for i, r := range p.Resources {
		if i > 0 && compareOwners(p.Resources[i-1].Device, p.Resources[i-1].Owner, r.Device, r.Owner) >= 0 {
			t.Fatalf("%s comes before %s", p.Resources[i-1], r)
		}
		for _, c := range r.Changes {
			var ok bool
			switch c.Action {
			case NoOp:
				ok = c.Before.Equal(*c.After) && c.Because == ""
			case Renew:
				ok = c.Before.Equal(*c.After) && c.Because != "" && !c.Drift
			case Create:
				ok = c.Before == nil && c.After != nil
			case Update:
				ok = c.Before.Collides(*c.After) && (c.Because != "" || !c.Before.Equal(*c.After))
			case Replace:
				ok = !c.Before.Collides(*c.After) && c.Before.Kind == c.After.Kind && c.Before.Protocol == c.After.Protocol
			case Delete:
				ok = c.Before != nil && c.After == nil
			}
			if !ok || c.Device != r.Device || c.Owner != r.Owner {
				t.Fatalf("%s of %s: %v, %v", c.Action, r, c.Before, c.After)
			}
		}
		if !slices.IsSortedFunc(r.Changes, func(a, b Change) int { return a.rule().Compare(*b.rule()) }) {
			t.Fatalf("the changes of %s are not sorted", r)
		}
		checkNothingToPair(t, r)
		if drift := slices.ContainsFunc(r.Changes, func(c Change) bool { return c.Drift }); drift != r.Drift {
			t.Fatalf("%s: drift is %v", r, r.Drift)
		}
	}
}

// checkNothingToPair wants no rule taken away while another that shares a port
// with it is added: that would be an update in place.
func checkNothingToPair(t *rapid.T, r Resource) {
	for _, gone := range r.Changes {
		for _, come := range r.Changes {
			if (gone.Action == Delete || gone.Action == Replace) && (come.Action == Create || come.Action == Replace) &&
				gone.Before.Collides(*come.After) {
				t.Fatalf("%s could become %s in place", gone.Before, come.After)
			}
		}
	}
}

// checkConflicts wants a diagnostic for just the resources with a rule in
// whose way a foreign one stands, found by comparing each with each.
func checkConflicts(t *rapid.T, diags hcl.Diagnostics, wanted []Wanted, live []Live) {
	want := map[string]bool{}
	for _, w := range wanted {
		for _, l := range foreignOf(live) {
			if l.Device == w.Device && w.Kind != Outbound && (w.Kind == Forward && l.Collides(w.Rule) || l.Equal(w.Rule)) {
				want[fmt.Sprintf("%s %d", w.Device, w.DeclRange.Start.Line)] = true
			}
		}
	}
	got := map[string]bool{}
	for _, d := range diags {
		device := d.Summary[strings.LastIndexByte(d.Summary, ' ')+1:]
		got[fmt.Sprintf("%s %d", device, d.Subject.Start.Line)] = true
	}
	if !maps.Equal(got, want) || len(diags) != len(want) {
		t.Fatalf("conflicts of %v; want %v", got, want)
	}
}

// needless says whether a foreign rule lets out what w would, while w isn't there.
func needless(w Wanted, live []Live) bool {
	return w.Kind == Outbound &&
		!slices.ContainsFunc(live, func(l Live) bool { return l.Device == w.Device && l.Owner == w.Owner && l.Equal(w.Rule) }) &&
		slices.ContainsFunc(foreignOf(live), func(l Live) bool {
			return l.Device == w.Device && l.Kind == Outbound && l.Protocol == w.Protocol &&
				l.Ports.First <= w.Ports.First && w.Ports.Last <= l.Ports.Last
		})
}

// checkEachOnce wants each rule of ours in one Before, each wanted one in one After.
func checkEachOnce(t *rapid.T, p *Plan, wanted []Wanted, live []Live) {
	count := map[string]int{}
	key := func(side string, device, owner Addr, r Rule) string {
		return fmt.Sprint(side, " ", device, " ", owner, " ", r.Kind, " ", r)
	}
	for _, w := range wanted {
		count[key("after", w.Device, w.Owner, w.Rule)]++
	}
	for _, l := range live {
		if !l.Owner.IsZero() {
			count[key("before", l.Device, l.Owner, l.Rule)]++
		}
	}
	for _, r := range p.Resources {
		for _, c := range r.Changes {
			if c.Before != nil {
				count[key("before", c.Device, c.Owner, *c.Before)]--
			}
			if c.After != nil {
				count[key("after", c.Device, c.Owner, *c.After)]--
			}
		}
	}
	for k, n := range count {
		if n != 0 {
			t.Fatalf("%s: %d too few in %v", k, n, p)
		}
	}
}

// carryOut does to live what a device does: takes every Before away, then adds
// every After.
func carryOut(t *rapid.T, p *Plan, live []Live) []Live {
	out := slices.Clone(live)
	for _, r := range p.Pending() {
		for _, c := range r.Changes {
			if c.Action == NoOp || c.Before == nil {
				continue
			}
			i := slices.IndexFunc(out, func(l Live) bool {
				return l.Device == c.Device && l.Owner == c.Owner && l.Equal(*c.Before)
			})
			if i < 0 {
				t.Fatalf("%s is not there to be taken away", c.Before)
			}
			out = slices.Delete(out, i, i+1)
		}
	}
	for _, r := range p.Pending() {
		for _, c := range r.Changes {
			if c.Action == NoOp || c.After == nil {
				continue
			}
			if slices.ContainsFunc(out, func(l Live) bool {
				return l.Device == c.Device && !l.Owner.IsZero() && l.Collides(*c.After)
			}) {
				t.Fatalf("%s has no room", c.After)
			}
			out = append(out, Live{Rule: *c.After, Device: c.Device, Owner: c.Owner})
		}
	}
	return out
}

func foreignOf(live []Live) []Live {
	var out []Live
	for _, l := range live {
		if l.Owner.IsZero() {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b Live) int { return cmp.Compare(a.Handle, b.Handle) })
	return out
}

// checkJSON wants the plan back from its JSON form.
func checkJSON(t *rapid.T, p *Plan) {
	data, err := p.JSON(JSONExtra{Version: "0.1.0", Project: "home"})
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := ParseJSON(data)
	if err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	want := *p
	want.Resources = slices.Clone(p.Resources)
	for i := range want.Resources {
		want.Resources[i].DeclRange = hcl.Range{}
	}
	if !reflect.DeepEqual(got, &want) {
		t.Fatalf("read back: %v; want %v", got, &want)
	}
}
