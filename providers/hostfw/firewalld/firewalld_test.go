package firewalld

import (
	"fmt"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/google/go-cmp/cmp"
)

func TestParseBusDict(t *testing.T) {
	for line, want := range map[string]map[string][]string{
		`a{sv} 0`: {},
		`a{sv} 3 "short" s "a \"b\" \303\251\n\x41" "masquerade" b false "ports" a(ss) 2 "1-2" "tcp" "3" "udp"`: {
			"short": {"a \"b\" é\nA"}, "masquerade": {"false"}, "ports": {"2", "1-2", "tcp", "3", "udp"},
		},
		`a{sv} 1 "priority" i -100`:     {"priority": {"-100"}},
		`a{sv} 1 "services" as 0`:       {"services": {"0"}},
		`a{sv} 1 "services" as 2 "ssh"`: nil,
		`a{sv} 2 "priority" i 1`:        nil,
		`a{sv} 0 "more"`:                nil,
		`a{sv} 1 "x" a{ss} 0`:           nil,
		`a{sv} 1 "x" v s "y"`:           nil,
		`a{sv} 1 "x" as -1`:             nil,
		`a{sv} 99999999999 "x" s "y"`:   nil,
		`a{sv} 1 "x" s "without an end`: nil,
		`a{sv} 1 "x" s "\q"`:            nil,
		`a{sv} 1 "x" s "\`:              nil,
		`as 1 "public"`:                 nil,
		``:                              nil,
	} {
		dict, err := parseBusDict(line)
		if want == nil {
			if err == nil {
				t.Errorf("%s: no error, but %v", line, dict)
			}
			continue
		}
		got := map[string][]string{}
		for key, v := range dict {
			got[key] = v.words
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", line, err, diff)
		}
	}
}

func TestParseRich(t *testing.T) {
	for text, want := range map[string]rich{
		`rule port port="6881-6889" protocol="tcp" accept`:                                        {ports: "6881-6889", protocol: "tcp", action: "accept"},
		`rule family="ipv4" source address="10.0.0.0/8" port port="1" protocol="udp" drop`:        {family: "ipv4", source: "10.0.0.0/8", ports: "1", protocol: "udp", action: "drop"},
		`rule family="ipv6" source address="2001:db8::1" reject type="icmp6-adm-prohibited"`:      {family: "ipv6", source: "2001:db8::1", action: "reject"},
		`rule port port="1" protocol="tcp" log prefix="an accept and a drop" level="info" accept`: {ports: "1", protocol: "tcp", action: "accept"},
		`rule priority="-5" port port="1" protocol="tcp" accept`:                                  {priority: -5, ports: "1", protocol: "tcp", action: "accept"},
		`rule family="ipv4" source NOT address="10.0.0.1" port port="1" protocol="tcp" accept`:    {family: "ipv4", ports: "1", protocol: "tcp", action: "accept", more: true},
		`rule family="ipv4" source ipset="bad" drop`:                                              {family: "ipv4", action: "drop", more: true},
		`rule port port="1" protocol="tcp" accept limit value="2/m"`:                              {ports: "1", protocol: "tcp", action: "accept", more: true},
		`rule service name="ftp" accept`:                                                          {action: "accept", more: true},
		`rule family="ipv4" destination address="10.0.0.1" port port="1" protocol="tcp" accept`:   {family: "ipv4", ports: "1", protocol: "tcp", action: "accept", more: true},
	} {
		if got := parseRich(text); got != want {
			t.Errorf("%s: got %+v, want %+v", text, got, want)
		}
	}
}

// What a description says is read as it was written, also after firewalld has
// written the file anew.
func TestDescription(t *testing.T) {
	list := []described{
		{plan.Mark("home", hosttest.BT), hosttest.Allow(t, plan.TCP, "6881-6889")},
		{plan.Mark("home", plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey(`é "'$(x);{}#[/:%&<`)}), hosttest.Allow(t, plan.UDP, "1", "0.0.0.0/0", "2001:db8::/32")},
	}
	p, err := parsePolicy([]byte(frames[0].render(list, nil)))
	if err != nil {
		t.Fatal(err)
	}
	got := parseDescription(plan.Allow, strings.Join(strings.Fields(p.Description), " "))
	if describe(got) != describe(list) || len(got) != 2 {
		t.Errorf("got %+v", got)
	}
	for _, text := range []string{
		"", "Opens ports", "btplan:home:bt tcp 6881",
		descriptionHead + "btplan:home:bt tcp", descriptionHead + "btplan:home:bt sctp 1", descriptionHead + "btplan:home:bt tcp 2-1",
		descriptionHead + "btplan:home:bt tcp 1 10.0.0.0/33",
	} {
		if got := parseDescription(plan.Allow, text); len(got) > 0 {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestPolicyName(t *testing.T) {
	seen := map[string]string{}
	for _, project := range []string{"home", "home-2", "ten_letter", "eleven_lett", strings.Repeat("a", 32), strings.Repeat("a", 33), "é"} {
		name := frames[0].name(project)
		if len(name) > 17 || seen[name] != "" {
			t.Errorf("the policy of %s is named %s, as is that of %q", project, name, seen[name])
		}
		seen[name] = project
	}
}

// homeFirewalld is what was recorded of one.
func homeFirewalld(t *testing.T) *host.State {
	t.Helper()
	s, err := hosttest.DeviceOf(Kind).Parse(hosttest.Answer(t, "testdata/firewalld.answer"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFirewalldCommands(t *testing.T) {
	s := homeFirewalld(t)
	hosttest.Golden(t, "testdata/firewalld-change.sh", s.Change(host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6999"), hosttest.Allow(t, plan.UDP, "6881", "203.0.113.7/32")}}))
	hosttest.Golden(t, "testdata/firewalld-destroy.sh", s.Change(nil))
	hosttest.Golden(t, "testdata/firewalld-undo.sh", s.Undo(nil))
}

// What the policies of others do with what the machine sends.
func TestFirewalldOutward(t *testing.T) {
	const (
		public = "a{sv} 1 \"interfaces\" as 1 \"eth0\""
		deny   = `rule port port=\"6000-6999\" protocol=\"tcp\" drop`
	)
	policy := func(name string, priority int, target, egress string, rules ...string) string {
		s := fmt.Sprintf("\x1dpolicy %s\na{sv} 5 \"target\" s %q \"priority\" i %d \"ingress_zones\" as 1 \"HOST\" \"egress_zones\" as 1 %q \"rich_rules\" as %d", name, target, priority, egress, len(rules))
		for _, r := range rules {
			s += ` "` + r + `"`
		}
		return s + "\n"
	}
	direct := func(rules string) string { return "\x1ddirect\n<direct>" + rules + "</direct>\n" }
	for name, test := range map[string]struct {
		answer string
		drops  bool
		want   string // what is let out, what is said of TCP port 6969
	}{
		"nothing":                {"", false, ""},
		"a target":               {policy("shut", -1, "DROP", "ANY"), true, ""},
		"another target":         {policy("shut", 5, "REJECT", "ANY"), true, ""},
		"no target":              {policy("a", -1, "CONTINUE", "ANY", `rule port port=\"25\" protocol=\"tcp\" drop`), false, ""},
		"a rule for all":         {policy("a", -1, "CONTINUE", "ANY", `rule priority=\"32767\" reject`), true, ""},
		"a rule for all of IPv4": {policy("a", -1, "CONTINUE", "ANY", `rule family=\"ipv4\" drop`), true, ""},
		"a rule for some hosts":  {policy("a", -1, "CONTINUE", "ANY", `rule destination address=\"10.0.0.0/8\" drop`), false, "warning"},
		"a zone in use":          {policy("shut", -1, "DROP", "public"), true, ""},
		"a zone not in use":      {policy("shut", -1, "DROP", "work"), false, ""},
		"all let out first":      {policy("a", -2, "ACCEPT", "ANY") + policy("shut", -1, "DROP", "ANY"), false, ""},
		"all let out too late":   {policy("a", 2, "ACCEPT", "ANY") + policy("shut", 1, "DROP", "ANY"), true, ""},
		"a zone let out first":   {policy("a", -2, "ACCEPT", "public") + policy("shut", -1, "DROP", "ANY"), true, ""},
		"a port let out":         {policy("shut", -1, "DROP", "ANY", `rule port port=\"443\" protocol=\"tcp\" accept`), true, "tcp 443 outbound"},
		"let out over IPv4":      {policy("shut", -1, "DROP", "ANY", `rule family=\"ipv4\" port port=\"443\" protocol=\"tcp\" accept`), true, ""},
		"let out to a zone":      {policy("a", -2, "CONTINUE", "public", `rule port port=\"443\" protocol=\"tcp\" accept`) + policy("shut", -1, "DROP", "ANY"), true, ""},
		"let out too late":       {policy("a", 2, "CONTINUE", "ANY", `rule port port=\"443\" protocol=\"tcp\" accept`) + policy("shut", -1, "DROP", "ANY"), true, ""},
		"let out where denied":   {policy("a", -1, "DROP", "ANY", deny, `rule port port=\"6969\" protocol=\"tcp\" accept`), true, "warning"},
		"let out before denied":  {policy("a", -1, "DROP", "ANY", deny, `rule priority=\"-1\" port port=\"6969\" protocol=\"tcp\" accept`), true, "tcp 6969 outbound warning"},
		"a broad deny":           {policy("a", -1, "DROP", "ANY", deny), true, "warning"},
		"the very port":          {policy("a", -1, "DROP", "ANY", `rule port port=\"6969\" protocol=\"tcp\" drop`), true, "refused: A rule shuts these ports"},
		"the port in a zone":     {policy("a", -1, "DROP", "public", `rule port port=\"6969\" protocol=\"tcp\" drop`), true, "warning"},
		"before ours":            {policy("a", -32768, "DROP", "ANY"), true, "refused: A policy comes first"},
		"a rule of ours":         {policy("btpout-home", -32768, "CONTINUE", "ANY") + policy("shut", -1, "DROP", "ANY"), true, ""},
		"a direct rule":          {direct(`<rule ipv="ipv4" table="filter" chain="OUTPUT" priority="1">-m conntrack --ctstate NEW -j REJECT --reject-with icmp-host-prohibited</rule>`), true, "warning: A direct rule drops what the machine sends"},
		"passed through":         {direct(`<passthrough ipv="ipv6">-A OUTPUT -j DROP</passthrough>`), true, "warning: A direct rule drops what the machine sends"},
		"other direct rules": {direct(`<chain ipv="ipv4" table="filter" chain="mine"/><rule ipv="ipv4" table="filter" chain="OUTPUT" priority="0">-p tcp --dport 25 -j DROP</rule>
<rule ipv="ipv4" table="filter" chain="INPUT" priority="0">-j DROP</rule><rule ipv="ipv4" table="filter" chain="OUTPUT" priority="0">-m conntrack --ctstate INVALID -j DROP</rule>`), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := hosttest.DeviceOf(Kind)
			in := "\x1efirewalld\n\x1dstate now\ns \"RUNNING\"\n\x1dzone public used\n" + public + "\n\x1dpolicy other\na{sv} 0\n" + test.answer + "\x1elogin\n"
			s, err := d.Parse([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			d.Last = s
			if s.DropsOutbound != test.drops {
				t.Errorf("it drops what goes out: %t", s.DropsOutbound)
			}
			var got []string
			for _, l := range s.Rules {
				if l.Kind == plan.Outbound {
					got = append(got, l.Rule.String())
				}
			}
			rules := []plan.Change{{Action: plan.Create, After: &plan.Rule{Kind: plan.Outbound, Protocol: plan.TCP, Ports: plan.PortRange{First: 6969, Last: 6969}}}}
			for _, w := range d.Advise(rules) {
				got = append(got, "warning: "+w.Summary)
			}
			if why := s.Refuse(host.WantedOf(rules)); why != nil {
				got = append(got, "refused: "+why.Summary)
			}
			if got := strings.ReplaceAll(strings.Join(got, " "), "warning: Rules are overridden", "warning"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// Of a firewalld that doesn't run, it counts what it will do.
func TestFirewalldOutwardStopped(t *testing.T) {
	in := "\x1efirewalld\n\x1dfile " + policiesDir + "/shut.xml\n" + `<policy target="DROP" priority="-1"><ingress-zone name="HOST"/><egress-zone name="ANY"/>
<port port="443" protocol="tcp"/><rule family="ipv6"><port port="80" protocol="tcp"/><accept/></rule></policy>` + "\n\x1elogin\n"
	s, err := hosttest.DeviceOf(Kind).Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	if got := hosttest.InWords(s); !s.DropsOutbound || !strings.HasPrefix(got, "tcp 443 outbound (firewalld: policy shut)\nproblem:") {
		t.Errorf("it drops what goes out: %t, and it holds\n%s", s.DropsOutbound, got)
	}
}
