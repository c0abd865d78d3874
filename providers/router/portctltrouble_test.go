package router

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Each mapping is noted when it is made: an apply that ends in the middle is
// completed by the next, and nothing is forgotten.
func TestPortctlResumes(t *testing.T) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			r, memory := newFakeRouter(t), &fakeMemory{}
			all := rule(t, plan.TCP, "6881-6890", 0)
			ctx, cancel := context.WithCancel(t.Context())
			dev := r.device(d, memory, "")
			first := newRun(t, dev, all)
			r.do(func() {
				before := r.asked
				r.odd = func([]byte) []byte {
					if r.asked == before+4 {
						cancel()
					}
					return nil
				}
			})
			err := first.try(ctx)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			// The answer that was under way was still heard.
			if n := len(strings.Split(r.dump(), "\n")); n != 4 {
				t.Fatalf("%d mappings were made:\n%s", n, r.dump())
			}
			r.do(func() { r.odd = nil })
			again := newRun(t, r.device(d, memory, ""), all).want("no-op, create")
			if len(again.reading.Rules) != 4 {
				t.Errorf("%d mappings are known", len(again.reading.Rules))
			}
			again.apply()
			newRun(t, r.device(d, memory, ""), all).want("no-op")
		})
	}
}

// A port that someone else has is not moved, by servers of either kind: those
// that refuse, and those that give another port in spite of PREFER_FAILURE, as
// miniupnpd does.
func TestPortctlTaken(t *testing.T) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			r := newFakeRouter(t)
			others := fakeMapping{plan.TCP, 6881, netip.MustParseAddrPort("192.168.1.5:6881"), "", r.now.Add(time.Hour)}
			r.do(func() { r.put(others) })
			err := newRun(t, r.device(d, &fakeMemory{}, ""), rule(t, plan.TCP, "6881", 0)).try(t.Context())
			if err == nil || !strings.Contains(err.Error(), "taken") {
				t.Errorf("got %v", err)
			}
			holds(t, r, "tcp 6881 to 192.168.1.5:6881")
		})
	}
	r := newFakeRouter(t)
	r.do(func() {
		r.odd = func(b []byte) []byte {
			if b[1] != 1 || b[42] == 0 && b[43] == 0 {
				return nil
			}
			moved := slices.Clone(b)
			moved[43]++
			return r.pcp(moved, here)
		}
	})
	err := newRun(t, r.device(pcp{}, &fakeMemory{}, ""), rule(t, plan.TCP, "6881", 0)).try(t.Context())
	if err == nil || !strings.Contains(err.Error(), "The router gave port 6882 in its place, which was given back") {
		t.Errorf("got %v", err)
	}
	holds(t, r)
}

// What is left of a plan is done though one port of it can't be had.
func TestPortctlGoesOn(t *testing.T) {
	r := newFakeRouter(t)
	r.do(func() {
		r.put(fakeMapping{plan.TCP, 6882, netip.MustParseAddrPort("192.168.1.5:6881"), "", r.now.Add(time.Hour)})
	})
	dev := r.device(pcp{}, &fakeMemory{}, "")
	changes, _ := newRun(t, dev, rule(t, plan.TCP, "6881-6883", 0)).changes()
	failed := map[uint16]error{}
	err := dev.Apply(t.Context(), changes, func(c plan.Change, err error) { failed[c.After.Ports.First] = err })
	if err == nil || failed[6881] != nil || failed[6882] == nil || failed[6883] != nil {
		t.Errorf("got %v, %v", err, failed)
	}
	holds(t, r, "tcp 6881 to 127.0.0.1:6881", "tcp 6882 to 192.168.1.5:6881", "tcp 6883 to 127.0.0.1:6883")
}

// A router that stops answering is asked once, not for every port.
func TestPortctlStopsAsking(t *testing.T) {
	r := newFakeRouter(t)
	dev := r.device(pcp{}, &fakeMemory{}, "")
	dev.client.Waits = []time.Duration{20 * time.Millisecond}
	first := newRun(t, dev, rule(t, plan.TCP, "6881-6999", 0))
	r.do(func() { r.asked, r.odd = 0, func([]byte) []byte { return []byte{} } })
	err := first.try(t.Context())
	if !errors.Is(err, providers.ErrUnreachable) || !strings.Contains(err.Error(), "is PCP turned on there") {
		t.Errorf("got %v", err)
	}
	r.do(func() {
		if r.asked != 1 {
			t.Errorf("it was asked %d times", r.asked)
		}
	})
}

// What another run has changed since is not overwritten.
func TestPortctlConflict(t *testing.T) {
	for name, d := range dialects {
		t.Run(name, func(t *testing.T) {
			r, memory := newFakeRouter(t), &fakeMemory{}
			stale := newRun(t, r.device(d, memory, ""), rule(t, plan.TCP, "6881", 0))
			newRun(t, r.device(d, memory, ""), rule(t, plan.TCP, "6882", 0)).apply()
			if err := stale.try(t.Context()); !errors.Is(err, providers.ErrConflict) {
				t.Errorf("got %v", err)
			}
			holds(t, r, "tcp 6882 to 127.0.0.1:6882")
		})
	}
}

// With the memory lost, NAT-PMP can just ask again. PCP can't, before the old
// lease is over, and says so.
func TestPortctlMemoryLost(t *testing.T) {
	r := newFakeRouter(t)
	want := rule(t, plan.TCP, "6881", 0)
	newRun(t, r.device(natpmp{}, &fakeMemory{}, ""), want).apply()
	newRun(t, r.device(natpmp{}, &fakeMemory{}, ""), want).want("create").apply()
	newRun(t, r.device(natpmp{}, &fakeMemory{fail: errors.New("disk on fire")}, ""), want).want("create").apply()
	holds(t, r, "tcp 6881 to 127.0.0.1:6881")

	r = newFakeRouter(t)
	newRun(t, r.device(pcp{}, &fakeMemory{}, ""), want).apply()
	r.pass(30 * time.Minute)
	err := newRun(t, r.device(pcp{}, &fakeMemory{}, ""), want).want("create").try(t.Context())
	if err == nil || !strings.Contains(err.Error(), "another nonce") || !strings.Contains(err.Error(), "holds for 1h30m") {
		t.Errorf("got %v", err)
	}
	r.pass(90 * time.Minute)
	newRun(t, r.device(pcp{}, &fakeMemory{}, ""), want).apply()
}
