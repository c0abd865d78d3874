package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
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
		`rule priority="-5" port port="1" protocol="tcp" accept`:                                  {ports: "1", protocol: "tcp", action: "accept", more: true},
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
		{plan.Mark("home", bt), allow(t, plan.TCP, "6881-6889")},
		{plan.Mark("home", plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey(`é "'$(x);{}#[/:%&<`)}), allow(t, plan.UDP, "1", "0.0.0.0/0", "2001:db8::/32")},
	}
	p, err := parsePolicy([]byte((&policy{}).render(list, nil)))
	if err != nil {
		t.Fatal(err)
	}
	got := parseDescription(strings.Join(strings.Fields(p.Description), " "))
	if describe(got) != describe(list) || len(got) != 2 {
		t.Errorf("got %+v", got)
	}
	for _, text := range []string{
		"", "Opens ports", "btplan:home:bt tcp 6881",
		descriptionHead + "btplan:home:bt tcp", descriptionHead + "btplan:home:bt sctp 1", descriptionHead + "btplan:home:bt tcp 2-1",
		descriptionHead + "btplan:home:bt tcp 1 10.0.0.0/33",
	} {
		if got := parseDescription(text); len(got) > 0 {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func TestPolicyName(t *testing.T) {
	seen := map[string]string{}
	for _, project := range []string{"home", "home-2", "ten_letter", "eleven_lett", strings.Repeat("a", 32), strings.Repeat("a", 33), "é"} {
		name := policyName(project)
		if len(name) > 17 || seen[name] != "" {
			t.Errorf("the policy of %s is named %s, as is that of %q", project, name, seen[name])
		}
		seen[name] = project
	}
}

// homeFirewalld is what was recorded of one.
func homeFirewalld(t *testing.T) *state {
	t.Helper()
	s, err := deviceOf("firewalld", firewalldKind).parse(answer(t, "firewalld"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestFirewalldCommands(t *testing.T) {
	s := homeFirewalld(t)
	golden(t, "firewalld-change.sh", s.change(owned{bt: {allow(t, plan.TCP, "6881-6999"), allow(t, plan.UDP, "6881", "203.0.113.7/32")}}))
	golden(t, "firewalld-destroy.sh", s.change(nil))
	golden(t, "firewalld-undo.sh", s.undo(nil))
}
