package simulated

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Every way of getting the file wrong has an error that says where and what.
func TestMistakes(t *testing.T) {
	for golden, is := range map[string]role{
		"testdata/mistakes.txtar":          gatewayRole,
		"testdata/mistakes-firewall.txtar": firewallRole,
	} {
		t.Run(is.name, func(t *testing.T) { testMistakes(t, golden, is) })
	}
}

func testMistakes(t *testing.T, golden string, is role) {
	archive, err := txtar.ParseFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		input, want := archive.Files[i], &archive.Files[i+1]
		name := strings.TrimSuffix(input.Name, ".json")
		t.Run(name, func(t *testing.T) {
			if want.Name != name+".error" {
				t.Fatalf("%s follows %s", want.Name, input.Name)
			}
			entries, err := parse(input.Data, is)
			if err == nil {
				t.Fatalf("parse gave %d rules and no error", len(entries.entries))
			}
			got := []byte(err.Error() + "\n")
			if *update {
				want.Data = got
			} else if diff := cmp.Diff(string(want.Data), string(got)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
	if *update {
		if err := os.WriteFile(golden, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that isn't UTF-8 can't stand in a golden file.
func TestNotUTF8(t *testing.T) {
	_, err := parse([]byte("{\"format\": 1, \"rules\": [], \"\xff\": 1}"), gatewayRole)
	if err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("parse: %v", err)
	}
}

// What a person writes is read whatever its layout; what is written has one.
func TestRender(t *testing.T) {
	const byHand = `{ "rules": [
	{
		"comment": "a \"b\" <c> & é",
		"to": "[2001:db8::11]:80",
		"ports": " 8080 ",
		"protocol": "tcp"
	}, {"protocol":"udp","ports":"6881-6882","to":"192.168.1.11:7881-7882","sources":["203.0.113.9/24","203.0.113.128/25"],"mark":"btplan:home:bt/alice:00000000"}
	], "format": 1 }`
	const want = `{
  "format": 1,
  "rules": [
    {"protocol": "tcp", "ports": " 8080 ", "to": "[2001:db8::11]:80", "comment": "a \"b\" <c> & é"},
    {"protocol": "udp", "ports": "6881-6882", "to": "192.168.1.11:7881-7882", "sources": ["203.0.113.9/24", "203.0.113.128/25"], "mark": "btplan:home:bt/alice:00000000"}
  ]
}
`
	c, err := parse([]byte(byHand), gatewayRole)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(render(c))); diff != "" {
		t.Errorf("render (-want +got):\n%s", diff)
	}
	rules := []string{c.entries[0].rule.String(), c.entries[1].rule.String()}
	wantRules := []string{"tcp 8080 to [2001:db8::11]:80", "udp 6881-6882 to 192.168.1.11:7881-7882 from 203.0.113.0/24"}
	if diff := cmp.Diff(wantRules, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if got, want := string(render(content{})), "{\n  \"format\": 1,\n  \"rules\": []\n}\n"; got != want {
		t.Errorf("render of nothing: %q", got)
	}
}

// A firewall's file has its own words, and keeps those of the author.
func TestRenderFirewall(t *testing.T) {
	const want = `{
  "format": 1,
  "outbound": "drop",
  "rules": [
    {"protocol": "tcp", "ports": "22", "sources": ["192.168.1.0/24"], "comment": "ssh"},
    {"direction": "in", "protocol": "tcp", "ports": "6969"},
    {"direction": "out", "protocol": "tcp", "ports": "6969", "mark": "btplan:home:machine.seedbox:00000000"}
  ]
}
`
	c, err := parse([]byte(want), firewallRole)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(render(c))); diff != "" {
		t.Errorf("render (-want +got):\n%s", diff)
	}
	var rules []string
	for _, e := range c.entries {
		rules = append(rules, e.rule.Kind.String()+" "+e.rule.String())
	}
	if diff := cmp.Diff([]string{"allow tcp 22 from 192.168.1.0/24", "allow tcp 6969", "outbound tcp 6969 outbound"}, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// Whatever parse takes, render writes in a form that parse takes as the same;
// and each rule can be spelled from its meaning alone.
func FuzzParse(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/mistakes.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add(file.Data, false)
	}
	f.Add([]byte(`{"format": 1, "outbound": "drop", "rules": [{"direction": "out", "protocol": "tcp", "ports": "6969", "mark": "btplan:home:machine.a:00000000"}, {"protocol": "udp", "ports": "1-2", "sources": ["::/1"]}]}`), true)
	f.Add([]byte(`{"format": 1, "rules": [{"protocol": "tcp", "ports": "6881-6889", "to": "192.168.1.11:6881-6889", "sources": ["10.0.0.0/8", "::/0"], "mark": "btplan:home:seedbox:00000000", "comment": "<&\"\\ é", "lease": 4320}]}`), false)
	f.Fuzz(func(t *testing.T, data []byte, firewall bool) {
		is := gatewayRole
		if firewall {
			is = firewallRole
		}
		c, err := parse(data, is)
		if err != nil {
			return
		}
		text := render(c)
		again, err := parse(text, is)
		if err != nil {
			t.Fatalf("parse does not take what render wrote: %v\n%s", err, text)
		}
		if !bytes.Equal(text, render(again)) {
			t.Errorf("the second round gives another file:\n%s\n%s", text, render(again))
		}
		if len(again.entries) != len(c.entries) || again.outbound != c.outbound {
			t.Fatalf("%d rules have become %d, and %q has become %q", len(c.entries), len(again.entries), c.outbound, again.outbound)
		}
		for i, e := range c.entries {
			if !e.rule.Equal(again.entries[i].rule) {
				t.Errorf("%s has become %s", e.rule, again.entries[i].rule)
			}
			spelled := newEntry(e.rule)
			if err := spelled.understand(is); err != nil || !spelled.rule.Equal(e.rule) {
				t.Errorf("%s is spelled %s, which means %s (%v)", e.rule, spelled.line(), spelled.rule, err)
			}
			if owner, _ := e.owner("home"); !owner.IsZero() && owner.Block == plan.BlockGateway {
				t.Errorf("mark %q names %s", e.mark, owner)
			}
		}
	})
}
