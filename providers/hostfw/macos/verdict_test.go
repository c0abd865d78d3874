package macos

import (
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// macWith is a Mac whose pf has these main rules, as pfctl lists them.
func macWith(t *testing.T, state string, rules ...string) *macos {
	t.Helper()
	answer := "\x1emacos-state\nStatus: " + state + "\n\x1emacos-main\n" + strings.Join(rules, "\n") +
		"\n\x1emacos-services\nacmsoda tcp 6969\nacmsoda udp 6969\nhttps tcp 443\nssh tcp twenty-two\n\x1emacos\n\x1d\x1d\x1d\n\x1elogin\n"
	s, err := hosttest.DeviceOf(Kind("")).Parse([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	return s.Filter.(*macos)
}

const (
	calls   = `anchor "com.apple/*" all`
	passOut = "pass out all flags S/SA keep state"
)

// The last rule for a packet decides, or the first with quick. What is for some
// packets only says nothing of the others.
func TestMacosDropsOutbound(t *testing.T) {
	for name, test := range map[string]struct {
		rules []string
		want  bool
	}{
		"none":                     {[]string{calls}, false},
		"all":                      {[]string{calls, "block drop out all"}, true},
		"both ways":                {[]string{"block return all", calls}, true},
		"what comes in":            {[]string{calls, "block drop in all"}, false},
		"a pass behind it":         {[]string{"block drop all", calls, passOut}, false},
		"a pass before it":         {[]string{calls, passOut, "block drop all"}, true},
		"a quick pass before it":   {[]string{calls, "pass out quick all flags S/SA keep state", "block drop all"}, false},
		"a pass behind, but quick": {[]string{calls, "block drop out quick all", passOut}, true},
		"a pass for TCP":           {[]string{calls, "block drop out all", "pass out proto tcp all flags S/SA keep state"}, true},
		"a pass for each":          {[]string{calls, "block drop out all", "pass out proto tcp all flags S/SA keep state", "pass out proto udp all keep state"}, false},
		"a pass for what comes in": {[]string{calls, "block drop all", "pass in all flags S/SA keep state"}, true},
		"a pass for each version":  {[]string{calls, "block drop all", "pass out inet all flags any", "pass out inet6 all flags any"}, false},
		"one version":              {[]string{calls, "block drop out inet6 all"}, true},
		"a pass on an interface":   {[]string{calls, "block drop out all", "pass out quick on utun0 all flags S/SA keep state"}, true},
		"on an interface":          {[]string{calls, "block drop out on ! lo0 all"}, false},
		"to a host":                {[]string{calls, "block drop out inet from any to 203.0.113.9"}, false},
		"some ports":               {[]string{calls, "block drop out proto tcp from any to any port 1:1023"}, false},
		"all ports, spelled out":   {[]string{calls, "block drop out proto tcp from any to any port 1:65535"}, true},
		"some users":               {[]string{calls, "block drop out proto tcp all user = 501"}, false},
		"another protocol":         {[]string{calls, "block drop out proto icmp all"}, false},
		"logged, labelled":         {[]string{calls, `block drop out log (all, to pflog1) all label "pass out quick on en0"`}, true},
		"with a word for it":       {[]string{calls, "block return-icmp(port-unr, port-unr) out all"}, true},
		"with a reset":             {[]string{calls, "block return-rst(ttl 60) out log proto tcp all"}, true},
		"a pass with options":      {[]string{calls, "block drop out all", "pass out all flags S/SA keep state (max 5)"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := macWith(t, "Enabled", test.rules...).dropsOutbound(); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
			if macWith(t, "Disabled", test.rules...).dropsOutbound() {
				t.Error("a pf that is off drops something")
			}
		})
	}
}

// What others let out to every host makes rules of ours needless, as long as it
// really gets out.
func TestMacosForeignOutbound(t *testing.T) {
	const https = "pass out proto tcp from any to any port = https flags S/SA keep state"
	for name, test := range map[string]struct {
		rules []string
		want  string
	}{
		"one port":           {[]string{calls, "block drop all", https}, "tcp 443 outbound"},
		"all of TCP":         {[]string{calls, "block drop all", "pass out proto tcp all flags S/SA keep state"}, "tcp 1-65535 outbound"},
		"all there is":       {[]string{calls, "block drop all", passOut}, ""},
		"both ways":          {[]string{calls, "block drop all", "pass proto udp from any to any port = acmsoda keep state"}, "udp 6969; udp 6969 outbound"},
		"in":                 {[]string{calls, "block drop all", "pass in proto udp from any to any port = acmsoda keep state"}, "udp 6969"},
		"up to a port":       {[]string{calls, "block drop all", "pass out proto tcp from any to any port <= 1023 flags S/SA keep state"}, "tcp 1-1023 outbound"},
		"below a port":       {[]string{calls, "block drop all", "pass out proto tcp from any to any port < 1024 flags S/SA keep state"}, "tcp 1-1023 outbound"},
		"above a port":       {[]string{calls, "block drop all", "pass out proto udp from any to any port > 1023 keep state"}, "udp 1024-65535 outbound"},
		"from a port on":     {[]string{calls, "block drop all", "pass out proto udp from any to any port >= 1024 keep state"}, "udp 1024-65535 outbound"},
		"between ports":      {[]string{calls, "block drop all", "pass out proto udp from any to any port 6880 >< 6890 keep state"}, "udp 6881-6889 outbound"},
		"but some":           {[]string{calls, "block drop all", "pass out proto tcp from any to any port != 25 flags S/SA keep state"}, ""},
		"outside a range":    {[]string{calls, "block drop all", "pass out proto tcp from any to any port 1 <> 9 flags S/SA keep state"}, ""},
		"an unknown name":    {[]string{calls, "block drop all", "pass out proto tcp from any to any port = ssh flags S/SA keep state"}, ""},
		"from a port":        {[]string{calls, "block drop all", "pass out proto tcp from any port = 20 to any port = https flags S/SA keep state"}, ""},
		"to a host":          {[]string{calls, "block drop all", "pass out inet proto tcp from any to 192.0.2.1 port = https flags S/SA keep state"}, ""},
		"by one version":     {[]string{calls, "block drop all", "pass out inet proto tcp from any to any port = https flags S/SA keep state"}, ""},
		"blocked before":     {[]string{"block drop out quick proto tcp from any to any port 1:1023", calls, https}, ""},
		"blocked behind":     {[]string{calls, https, "block drop out proto tcp from any to any port 1:1023"}, ""},
		"quick enough":       {[]string{calls, "pass out quick proto tcp from any to any port = https flags S/SA keep state", "block drop all"}, "tcp 443 outbound"},
		"to some not at all": {[]string{calls, "block drop all", https, "block drop out inet from any to 203.0.113.9"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, l := range macWith(t, "Enabled", test.rules...).foreign() {
				if err := l.Check(); err != nil {
					t.Error(err)
				}
				got = append(got, l.Rule.String())
			}
			slices.Sort(got)
			if got := strings.Join(got, "; "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A rule for the very ports is a conflict, a broader one is overridden, and one
// that another has the last word over is neither.
func TestMacosShut(t *testing.T) {
	way := map[string]plan.Rule{
		"in":  hosttest.Allow(t, plan.TCP, "6960-6969"),
		"out": {Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}},
	}
	for name, test := range map[string]struct {
		rules               []string // WAY is the way of the rule that is planned
		refused, overridden string
	}{
		"nothing":                    {[]string{calls}, "", ""},
		"the very port":              {[]string{calls, "block drop WAY proto tcp from any to any port = acmsoda"}, "A rule shuts these ports", "block drop WAY proto tcp from any to any port = acmsoda"},
		"the very port, both ways":   {[]string{"block drop proto tcp from any to any port = 6969", calls}, "A rule shuts these ports", "block drop proto tcp from any to any port = 6969"},
		"the very port of IPv4":      {[]string{calls, "block drop WAY inet proto tcp from any to any port = 6969"}, "A rule shuts these ports", "block drop WAY inet proto tcp from any to any port = 6969"},
		"the very port, let pass":    {[]string{calls, "block drop WAY proto tcp from any to any port = 6969", "pass WAY all flags S/SA keep state"}, "", ""},
		"the very port, long passed": {[]string{"pass WAY quick all flags S/SA keep state", calls, "block drop WAY proto tcp from any to any port = 6969"}, "", ""},
		"another port":               {[]string{calls, "block drop WAY proto tcp from any to any port = 6970"}, "", ""},
		"another protocol":           {[]string{calls, "block drop WAY proto udp from any to any port = 6969"}, "", ""},
		"everything":                 {[]string{calls, "block drop all"}, "", "block drop all"},
		"everything, let pass":       {[]string{"block drop all", calls, "pass WAY all flags S/SA keep state"}, "", ""},
		"a range":                    {[]string{calls, "block drop WAY quick proto tcp from any to any port 1024:65535"}, "", "block drop WAY quick proto tcp from any to any port 1024:65535"},
		"a range, early":             {[]string{"block drop WAY proto tcp from any to any port 1024:65535", calls}, "", "block drop WAY proto tcp from any to any port 1024:65535"},
		"a range, early and quick":   {[]string{"block drop WAY quick proto tcp from any to any port 1024:65535", calls}, "A rule stands before btplan's", ""},
		"early for IPv4":             {[]string{"block drop WAY quick inet all", calls}, "A rule stands before btplan's", ""},
		"early on an interface":      {[]string{"block drop WAY quick on en0 all", calls}, "", ""},
		"early, but let pass before": {[]string{"pass WAY quick proto tcp all flags S/SA keep state", "block drop WAY quick all", calls}, "", ""},
	} {
		for name2, rule := range way {
			t.Run(name+", "+name2, func(t *testing.T) {
				var rules []string
				for _, r := range test.rules {
					rules = append(rules, strings.ReplaceAll(r, "WAY", name2))
				}
				m := macWith(t, "Enabled", rules...)
				refused := ""
				if why := m.Refuse([]plan.Rule{rule}); why != nil {
					refused = why.Summary
				}
				if refused != test.refused {
					t.Errorf("refused: %q, want %q", refused, test.refused)
				}
				want := ""
				if test.overridden != "" {
					want = `"` + strings.ReplaceAll(test.overridden, "WAY", name2) + `"`
				}
				if got := strings.Join(m.Overridden([]plan.Rule{rule}), " "); got != want {
					t.Errorf("overridden: %q, want %q", got, want)
				}
			})
		}
	}
}

// A ban of some host is not about those who are let in.
func TestMacosBan(t *testing.T) {
	m := macWith(t, "Enabled", "block drop in quick inet from 203.0.113.9 to any", calls)
	for _, rule := range []plan.Rule{hosttest.Allow(t, plan.TCP, "6881"), hosttest.Allow(t, plan.TCP, "6881", "198.51.100.0/24")} {
		if why := m.Refuse([]plan.Rule{rule}); why != nil {
			t.Errorf("%s: %s", rule, why.Summary)
		}
	}
	if m.Refuse([]plan.Rule{hosttest.Allow(t, plan.TCP, "6881", "203.0.113.9/32")}) == nil {
		t.Error("whom the rule is for is banned before, and nothing is said")
	}
}

// FuzzPFMain judges any rules of others. Where packets pass, no rule shuts their
// ports; and where all that is sent is dropped, they don't pass.
func FuzzPFMain(f *testing.F) {
	for _, rules := range []string{
		calls + "\nblock drop all\n" + passOut, "block return-rst(ttl 60) out log (all, to pflog1) proto tcp all\n" + calls,
		calls + "\nblock drop out quick inet6 proto tcp from any to any port 6880 >< 6890 label \"x y\"\npass out proto tcp from any to any port = acmsoda",
		"block drop in quick inet proto tcp from 203.0.113.9 to any port <= 1023\n" + calls + "\npass in inet6 proto udp from 2001:db8::/32 port = 9 to any port 1:9 keep state",
	} {
		f.Add(rules)
	}
	f.Fuzz(func(t *testing.T, rules string) {
		m := &macos{active: true}
		m.main, m.called = parsePFMain([]byte(rules), parsePFServices([]byte("acmsoda tcp 6969\nacmsoda udp 6969\n"+rules)))
		for _, l := range m.foreign() {
			if err := l.Check(); err != nil {
				t.Errorf("%s: %v", l.Rule, err)
			}
		}
		all := true
		for _, protocol := range []plan.Protocol{plan.TCP, plan.UDP} {
			out := plan.Rule{Kind: plan.Outbound, Protocol: protocol, Ports: host.AllPorts}
			all = all && m.passes(out)
			for _, w := range []plan.Rule{out, hosttest.Allow(t, protocol, "6969"), hosttest.Allow(t, protocol, "6881-6889", "203.0.113.0/24", "2001:db8::/32")} {
				if names := m.Overridden([]plan.Rule{w}); m.passes(w) && len(names) > 0 {
					t.Errorf("%s passes, but is shut by %s", w, names)
				}
			}
		}
		if all && m.dropsOutbound() {
			t.Error("all that is sent passes, and is dropped")
		}
	})
}

// What a rule says beside which packets it is for costs no more the more of it
// there is: words that stand in each other are not taken out one by one.
func TestPFAsides(t *testing.T) {
	const asides = " log (all) flags S/SA keep state label \"x y\" "
	line := "pass out log (to pflog1) proto tcp from any to any port = 6969" + asides + asides
	if r, is := parsePFRule(line, nil); !is || r.narrow || r.vague || r.ports == nil || r.ports.First != 6969 {
		t.Errorf("got %+v", r)
	}
	const many = 100_000
	nested := "pass out " + strings.Repeat("keep ", many) + strings.Repeat("state ", many)
	if r, is := parsePFRule(nested, nil); !is || !r.narrow {
		t.Errorf("it was taken for a rule without conditions: %t", is)
	}
}
