package ufw

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

func TestParseTuple(t *testing.T) {
	for line, want := range map[string]string{
		"allow tcp 6881:6889 0.0.0.0/0 any 0.0.0.0/0 in":                 "allow proto tcp from any to any port 6881:6889",
		"allow tcp 22 ::/0 any ::/0 OpenSSH - in comment=6869":           "allow proto tcp from any to any port 22 (OpenSSH -)",
		"route:allow tcp 80 10.0.0.5 any 0.0.0.0/0 in_eth0!out_eth1":     "route allow in on eth0!out_eth1 proto tcp from any to 10.0.0.5 port 80",
		"deny_log-all any any 0.0.0.0/0 any 203.0.113.9 in_ppp0":         "deny_log-all in on ppp0 from 203.0.113.9 to any",
		"reject udp any 0.0.0.0/0 53 0.0.0.0/0 out":                      "reject out proto udp from any port 53 to any",
		"allow tcp 6881 0.0.0.0/0 any 0.0.0.0/0":                         "",
		"permit tcp 6881 0.0.0.0/0 any 0.0.0.0/0 in":                     "",
		"allow tcp 6881 0.0.0.0/0 any 0.0.0.0/0 in comment=6":            "",
		"allow tcp 6881 0.0.0.0/0 any 0.0.0.0/0 in comment=zz":           "",
		"allow tcp 6881 0.0.0.0/0 any 0.0.0.0/0 a b c d in comment=6869": "",
		"": "",
	} {
		got, err := parseTuple(line)
		switch {
		case want == "" && err == nil:
			t.Errorf("%q: no error, but %s", line, got)
		case want != "" && (err != nil || got.String() != want):
			t.Errorf("%q: got %q, %v, want %q", line, got, err, want)
		}
	}
}

// Each of ufw's commands takes a second: there are as few rules as there can be.
func TestTuples(t *testing.T) {
	var single []plan.Rule
	for i := range 119 {
		single = append(single, hosttest.Allow(t, plan.TCP, fmt.Sprint(6881+2*i)))
	}
	if got := len(tuples(single)); got != 8 {
		t.Errorf("119 single ports are %d rules of ufw's, not 8", got)
	}
	for _, x := range tuples(single) {
		if n := strings.Count(x.ports, ",") + strings.Count(x.ports, ":"); n > maxPorts-1 {
			t.Errorf("ufw takes no rule with %d commas and colons: %s", n, x)
		}
	}
	for want, rules := range map[string][]plan.Rule{
		"":                                nil,
		"tcp 6881:6889 any":               {hosttest.Allow(t, plan.TCP, "6881-6889")},
		"tcp 6881:6889,6900 any":          {hosttest.Allow(t, plan.TCP, "6900"), hosttest.Allow(t, plan.TCP, "6881-6889")},
		"tcp 1 any; udp 1 any":            {hosttest.Allow(t, plan.UDP, "1"), hosttest.Allow(t, plan.TCP, "1")},
		"udp 1 0.0.0.0/0; udp 1 fd00::/8": {hosttest.Allow(t, plan.UDP, "1", "0.0.0.0/0", "fd00::/8")},
		"tcp 1 10.0.0.0/8; tcp 1,2 192.0.2.1; tcp 3 any": {
			hosttest.Allow(t, plan.TCP, "1", "10.0.0.0/8", "192.0.2.1/32"), hosttest.Allow(t, plan.TCP, "2", "192.0.2.1/32"), hosttest.Allow(t, plan.TCP, "3"),
		},
	} {
		var got []string
		for _, x := range tuples(rules) {
			got = append(got, x.protocol+" "+x.ports+" "+x.from)
		}
		slices.Sort(got)
		if s := strings.Join(got, "; "); s != want {
			t.Errorf("%v: got %q, want %q", rules, s, want)
		}
	}
}

// homeUFW is a ufw with these lines in its files.
func homeUFW(t *testing.T, active bool, rules, rules6, written string) *host.State {
	t.Helper()
	answer := "\x1eufw-conf\nENABLED=no\n\x1eufw-defaults\nIPV6=yes\n\x1eufw-rules\n" + rules + "\x1eufw-rules6\n" + rules6 + "\x1eufw-written\n" + written + "\x1elock\nflock\n\x1elogin\n198.51.100.9 50000 192.0.2.11 22\n"
	s, err := hosttest.DeviceOf(Kind).Parse([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	s.Filter.(*ufw).active, s.Active = active, active
	return s
}

func TestUFWCommands(t *testing.T) {
	empty := homeUFW(t, true, "", "", "")
	before := host.Owned{
		hosttest.BT:    {hosttest.Allow(t, plan.TCP, "6881-6889"), hosttest.Allow(t, plan.UDP, "6881")},
		hosttest.Other: {hosttest.Allow(t, plan.TCP, "9091", "192.168.1.0/24", "fd00::/8")},
	}
	hosttest.Golden(t, "testdata/ufw-create.sh", empty.Change(before))
	const v4, v6 = "### tuple ### allow tcp 6881:6889 0.0.0.0/0 any 0.0.0.0/0 in comment=%x\n", "### tuple ### allow tcp 6881:6889 ::/0 any ::/0 in comment=%x\n"
	mark := plan.Mark("home", hosttest.BT)
	full := homeUFW(t, true, fmt.Sprintf(v4, mark), fmt.Sprintf(v6, mark), "tcp 6881:6889 any "+mark+"\n")
	hosttest.Golden(t, "testdata/ufw-widen.sh", full.Change(host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6999")}}))
	hosttest.Golden(t, "testdata/ufw-pass.sh", full.Change(host.Owned{hosttest.Other: {hosttest.Allow(t, plan.TCP, "6881-6889")}}))
	hosttest.Golden(t, "testdata/ufw-destroy.sh", full.Change(nil))
	hosttest.Golden(t, "testdata/ufw-undo.sh", full.Undo(nil))
	half := homeUFW(t, true, fmt.Sprintf(v4, mark), "", "")
	hosttest.Golden(t, "testdata/ufw-half.sh", half.Change(half.Ours()))
	if got := full.Change(full.Ours()); strings.Contains(got, "ufw allow") || strings.Contains(got, "ufw prepend") || strings.Contains(got, "ufw delete") {
		t.Errorf("what stays as it is costs commands: %s", got)
	}
}

func TestGuard(t *testing.T) {
	owner := plan.Mark("home", hosttest.BT)
	ours := fmt.Sprintf("### tuple ### allow tcp 20:25 0.0.0.0/0 any 0.0.0.0/0 in comment=%x\n", owner)
	const byHand = "### tuple ### limit tcp 22 0.0.0.0/0 any 0.0.0.0/0 in\n"
	rule := func(ports string, sources ...string) *plan.Rule {
		r := hosttest.Allow(t, plan.TCP, ports, sources...)
		return &r
	}
	udp := hosttest.Allow(t, plan.UDP, "22")
	for name, test := range map[string]struct {
		rules    string
		inactive bool
		change   plan.Change
		want     string
	}{
		"another port":                {change: plan.Change{Action: plan.Create, After: rule("6881")}},
		"the port":                    {change: plan.Change{Action: plan.Create, After: rule("22")}, want: "TCP port 22 is SSH's"},
		"a range around it":           {change: plan.Change{Action: plan.Create, After: rule("1-100")}, want: "TCP port 22 is SSH's"},
		"over UDP":                    {change: plan.Change{Action: plan.Create, After: &udp}},
		"for others":                  {change: plan.Change{Action: plan.Create, After: rule("22", "203.0.113.0/24")}},
		"what lets us in goes":        {rules: ours, change: plan.Change{Action: plan.Delete, Before: rule("20-25")}, want: "btplan would lock itself out"},
		"it is narrowed":              {rules: ours, change: plan.Change{Action: plan.Update, Before: rule("20-25"), After: rule("20-21")}, want: "btplan would lock itself out"},
		"it is widened":               {rules: ours, change: plan.Change{Action: plan.Update, Before: rule("20-25"), After: rule("20-30")}},
		"another one lets us in":      {rules: byHand + ours, change: plan.Change{Action: plan.Delete, Before: rule("20-25")}},
		"nothing is shut in any case": {rules: ours, inactive: true, change: plan.Change{Action: plan.Delete, Before: rule("20-25")}},
		"it stays":                    {rules: ours, change: plan.Change{Action: plan.NoOp, Before: rule("20-25"), After: rule("20-25")}},
	} {
		t.Run(name, func(t *testing.T) {
			d := hosttest.DeviceOf(Kind)
			d.Last = homeUFW(t, !test.inactive, test.rules, "", "")
			why := d.Refuse([]plan.Change{test.change})
			switch {
			case test.want == "" && why != nil:
				t.Errorf("refused: %+v", why)
			case test.want != "" && (why == nil || why.Summary != test.want):
				t.Errorf("got %+v, want %q", why, test.want)
			}
		})
	}
}

// With IPv6 turned off ufw has rules of IPv4 alone, and takes no others.
func TestUFWWithoutIPv6(t *testing.T) {
	mark := plan.Mark("home", hosttest.BT)
	answer := fmt.Sprintf("\x1eufw-conf\nENABLED=no\n\x1eufw-defaults\nIPV6=no\n\x1eufw-rules\n### tuple ### allow tcp 6881 0.0.0.0/0 any 0.0.0.0/0 in comment=%x\n\x1eufw-rules6\nnonsense\n\x1eufw-written\ntcp 6881 any %s\n\x1elock\nflock\n\x1elogin\n", mark, mark)
	d := hosttest.DeviceOf(Kind)
	s, err := d.Parse([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881")}}); err != nil {
		t.Error(err)
	}
	if got, want := s.Change(nil), "ufw delete allow proto tcp from any to any port 6881 "; !strings.HasPrefix(got, want) {
		t.Errorf("got %q", got)
	}
	d.Last = s
	r := hosttest.Allow(t, plan.TCP, "6881", "2001:db8::/32")
	if why := d.Refuse([]plan.Change{{Action: plan.Create, After: &r}}); why == nil || why.Summary != "ufw does not do IPv6" {
		t.Errorf("got %+v", why)
	}
}
