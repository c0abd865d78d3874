package hostfw

import (
	"fmt"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/firewalld"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/hostfw/macos"
	"github.com/btplan/btplan/providers/hostfw/ufw"
)

// The port by which btplan comes in is neither opened nor shut, by whatever
// back end.
func TestRefuseOwnPort(t *testing.T) {
	delta := func(before, after *plan.Rule) plan.Change {
		switch {
		case before == nil:
			return plan.Change{Action: plan.Create, After: after}
		case after == nil:
			return plan.Change{Action: plan.Delete, Before: before}
		case before.Equal(*after):
			return plan.Change{Action: plan.NoOp, Before: before, After: after}
		}
		return plan.Change{Action: plan.Update, Before: before, After: after}
	}
	own, wide, elsewhere := hosttest.Allow(t, plan.TCP, "2222"), hosttest.Allow(t, plan.TCP, "2200-2300"), hosttest.Allow(t, plan.TCP, "2300")
	forUs, forOthers, udp := hosttest.Allow(t, plan.TCP, "2222", "192.0.2.0/24"), hosttest.Allow(t, plan.TCP, "2222", "198.51.100.0/24"), hosttest.Allow(t, plan.UDP, "2222")
	out := plan.Rule{Kind: plan.Outbound, Protocol: plan.TCP, Ports: own.Ports}
	for name, test := range map[string]struct {
		changes []plan.Change
		want    string
	}{
		"opened":                    {[]plan.Change{delta(nil, &own)}, "TCP port 2222 is SSH's"},
		"opened among others":       {[]plan.Change{delta(nil, &wide)}, "TCP port 2222 is SSH's"},
		"opened for us":             {[]plan.Change{delta(nil, &forUs)}, "TCP port 2222 is SSH's"},
		"opened for others":         {[]plan.Change{delta(nil, &forOthers)}, ""},
		"opened for UDP":            {[]plan.Change{delta(nil, &udp)}, ""},
		"let out":                   {[]plan.Change{delta(nil, &out)}, ""},
		"widened onto it":           {[]plan.Change{delta(&elsewhere, &wide)}, "TCP port 2222 is SSH's"},
		"shut":                      {[]plan.Change{delta(&own, nil)}, "btplan would lock itself out"},
		"narrowed away from it":     {[]plan.Change{delta(&wide, &elsewhere)}, "btplan would lock itself out"},
		"kept for others":           {[]plan.Change{delta(&own, &forOthers)}, "btplan would lock itself out"},
		"shut, but another opens":   {[]plan.Change{delta(&own, nil), delta(&wide, &wide)}, ""},
		"shut, and let out":         {[]plan.Change{delta(&own, nil), delta(&out, &out)}, "btplan would lock itself out"},
		"shut for others":           {[]plan.Change{delta(&forOthers, nil)}, ""},
		"nothing is done":           {[]plan.Change{delta(&own, &own)}, ""},
		"narrowed, and still there": {[]plan.Change{delta(&wide, &own)}, ""},
	} {
		for _, k := range append([]host.Kind{macos.Kind("")}, kinds...) {
			t.Run(name+", "+k.Name, func(t *testing.T) {
				d := hosttest.DeviceOf(k)
				var err error
				d.Last, err = d.Parse(append(hosttest.Answer(t, testdataOf(k.Name)+".answer"), "\x1elock\nflock\n\x1elogin\n192.0.2.2 50000 192.0.2.11 2222\n"...))
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				if why := d.Refuse(test.changes); why != nil {
					got = why.Summary
				}
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	}
}

// A rule that shuts the very ports is an error, and so it is not said to be
// overridden too. What else is, is said.
func TestRefusedIsNotOverridden(t *testing.T) {
	d := hosttest.DeviceOf(ufw.Kind)
	var err error
	// It has: deny 7000:8000/tcp, reject log 25/tcp.
	d.Last, err = d.Parse(append(hosttest.Answer(t, testdataOf(ufw.Kind.Name)+".answer"), "\x1elock\nflock\n\x1elogin\n"...))
	if err != nil {
		t.Fatal(err)
	}
	changes := func(ports ...string) (out []plan.Change) {
		for _, p := range ports {
			r := hosttest.Allow(t, plan.TCP, p)
			out = append(out, plan.Change{Action: plan.Create, After: &r})
		}
		return out
	}
	for name, test := range map[string]struct {
		changes   []plan.Change
		refused   bool
		overrides string
	}{
		"the very ports": {changes("7000-8000"), true, ""},
		"a part of them": {changes("7500"), false, "7000:8000"},
		"both":           {changes("25", "7500"), true, "7000:8000"},
	} {
		if why := d.Refuse(test.changes); (why != nil) != test.refused {
			t.Errorf("%s: refused: %+v", name, why)
		}
		said := fmt.Sprint(d.Advise(test.changes))
		if !strings.Contains(said, test.overrides) || strings.Contains(said, "Rules are overridden") != (test.overrides != "") || strings.Contains(said, "port 25\"") {
			t.Errorf("%s: said: %s", name, said)
		}
	}
}

// Where only the lock keeps two changes at once from mixing, there has to be one
// beforehand.
func TestRefuseNoLock(t *testing.T) {
	rule := hosttest.Allow(t, plan.TCP, "7100")
	for _, k := range append([]host.Kind{macos.Kind("")}, kinds...) {
		for lock, there := range map[string]bool{"": false, "flock\n": true} {
			d := hosttest.DeviceOf(k)
			var err error
			d.Last, err = d.Parse(append(hosttest.Answer(t, testdataOf(k.Name)+".answer"), "\x1elock\n"+lock+"\x1elogin\n"...))
			if err != nil {
				t.Fatal(err)
			}
			// The answer of iptables is that of iptables-legacy, which takes
			// turns by itself, as nftables does.
			needs := k.Name == ufw.Kind.Name || k.Name == firewalld.Kind.Name
			why := d.Refuse([]plan.Change{{Action: plan.Create, After: &rule}})
			if got := why != nil; got != (needs && !there) || got && !strings.Contains(why.Detail, "Install flock") {
				t.Errorf("%s, flock there: %t: got %+v", k.Name, there, why)
			}
		}
	}
}
