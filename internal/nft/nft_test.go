package nft

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const listing = `{"nftables": [
 {"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
 {"table": {"family": "inet", "name": "t", "handle": 4}},
 {"chain": {"family": "inet", "table": "t", "name": "forward", "handle": 1, "type": "filter", "hook": "forward", "prio": -10, "policy": "drop"}},
 {"chain": {"family": "inet", "table": "t", "name": "sub", "handle": 2}},
 {"counter": {"family": "inet", "table": "t", "name": "c", "handle": 9}},
 {"rule": {"family": "inet", "table": "t", "chain": "forward", "handle": 7, "comment": "hello", "expr": [{"jump": {"target": "sub"}}, {"accept": null}]}},
 {"rule": {"family": "inet", "table": "t", "chain": "sub", "handle": 8, "expr": ["drop"]}},
 {"map": {"family": "inet", "name": "m", "table": "t", "type": "inet_service", "map": "ipv4_addr", "elem": [
  [80, "192.0.2.1"],
  [{"elem": {"val": {"concat": ["tcp", {"range": [6881, 6889]}, {"prefix": {"addr": "10.0.0.0", "len": 8}}]}, "comment": "btplan:home:bt"}}, {"concat": ["192.0.2.2", 7881]}]]}},
 {"set": {"family": "inet", "name": "s", "table": "t", "type": "ifname", "elem": ["eth0", {"elem": {"val": "ppp0", "comment": "c"}}]}},
 {"set": {"family": "inet", "name": "empty", "table": "t", "type": "ifname"}}
]}`

func TestParse(t *testing.T) {
	rs, err := Parse([]byte(listing))
	if err != nil {
		t.Fatal(err)
	}
	table := Table{"inet", "t"}
	if !rs.HasTable(table) || rs.HasTable(Table{"ip", "t"}) {
		t.Errorf("tables: %v", rs.Tables)
	}
	forward := Chain{Family: "inet", Table: "t", Name: "forward", Type: "filter", Hook: "forward", Priority: -10, Policy: "drop"}
	if diff := cmp.Diff([]Chain{forward, {Family: "inet", Table: "t", Name: "sub"}}, rs.Chains); diff != "" {
		t.Errorf("chains (-want +got):\n%s", diff)
	}
	want := []Rule{{
		Family: "inet", Table: "t", Chain: "forward", Handle: 7, Comment: "hello",
		Statements: []Statement{{"jump", json.RawMessage(`{"target": "sub"}`)}, {"accept", json.RawMessage(`null`)}},
	}}
	if diff := cmp.Diff(want, rs.RulesOf(forward)); diff != "" {
		t.Errorf("rules of forward (-want +got):\n%s", diff)
	}
	if got := rs.Rules[1].Statements; len(got) != 1 || got[0].Name != "drop" {
		t.Errorf("a statement without argument: %v", got)
	}
	if got, want := rs.Rules[0].String(), "table inet t, chain forward, handle 7"; got != want {
		t.Errorf("rule is called %q, want %q", got, want)
	}
	m, found := rs.Set(table, "m")
	if !found {
		t.Fatal("no map m")
	}
	elements, err := m.Elements()
	if err != nil {
		t.Fatal(err)
	}
	wantElements := []Element{
		{Key: []Datum{{From: "80", Bits: -1}}, Value: []Datum{{From: "192.0.2.1", Bits: -1}}},
		{
			Key:     []Datum{{From: "tcp", Bits: -1}, {From: "6881", To: "6889", Bits: -1}, {From: "10.0.0.0", Bits: 8}},
			Value:   []Datum{{From: "192.0.2.2", Bits: -1}, {From: "7881", Bits: -1}},
			Comment: "btplan:home:bt",
		},
	}
	if diff := cmp.Diff(wantElements, elements); diff != "" {
		t.Errorf("elements of m (-want +got):\n%s", diff)
	}
	s, _ := rs.Set(table, "s")
	elements, err = s.Elements()
	wantElements = []Element{{Key: []Datum{{From: "eth0", Bits: -1}}}, {Key: []Datum{{From: "ppp0", Bits: -1}}, Comment: "c"}}
	if diff := cmp.Diff(wantElements, elements); err != nil || diff != "" {
		t.Errorf("elements of s: %v (-want +got):\n%s", err, diff)
	}
	empty, _ := rs.Set(table, "empty")
	if elements, err = empty.Elements(); err != nil || elements != nil {
		t.Errorf("elements of an empty set: %v, %v", elements, err)
	}
}

func TestParseRejects(t *testing.T) {
	for name, text := range map[string]string{
		"not JSON":            `table inet t { }`,
		"cut off":             listing[:len(listing)/2],
		"another document":    `{"ufw": []}`,
		"a rule of no object": `{"nftables": [{"rule": 7}]}`,
		"two statements":      `{"nftables": [{"rule": {"expr": [{"a": 1, "b": 2}]}}]}`,
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if rs, err := Parse(nil); err != nil || len(rs.Tables) != 0 {
		t.Errorf("no output at all: %v, %v", rs, err)
	}
}

func TestElementsRejects(t *testing.T) {
	for name, s := range map[string]Set{
		"not a list":              {Elem: json.RawMessage(`7`)},
		"a boolean":               {Elem: json.RawMessage(`[true]`)},
		"an expression":           {Elem: json.RawMessage(`[{"&": [1, 2]}]`)},
		"half a range":            {Elem: json.RawMessage(`[{"range": [1]}]`)},
		"a map without values":    {IsMap: true, Elem: json.RawMessage(`[80]`)},
		"a pair of three":         {IsMap: true, Elem: json.RawMessage(`[[1, 2, 3]]`)},
		"a concat of expressions": {Elem: json.RawMessage(`[{"concat": ["tcp", {"|": [1]}]}]`)},
	} {
		if elements, err := s.Elements(); err == nil {
			t.Errorf("%s: no error, but %v", name, elements)
		}
	}
}

func TestDatum(t *testing.T) {
	for _, test := range []struct {
		datum  Datum
		text   string
		prefix string // empty: none
		ports  string // empty: none
	}{
		{Datum{From: "6881", Bits: -1}, "6881", "", "6881"},
		{Datum{From: "6881", To: "6889", Bits: -1}, "6881-6889", "", "6881-6889"},
		{Datum{From: "6889", To: "6881", Bits: -1}, "6889-6881", "", ""},
		{Datum{From: "0", Bits: -1}, "0", "", ""},
		{Datum{From: "10.0.0.0", Bits: 8}, "10.0.0.0/8", "10.0.0.0/8", ""},
		{Datum{From: "10.0.0.0", Bits: 33}, "10.0.0.0/33", "", ""},
		{Datum{From: "10.1.2.3", Bits: -1}, "10.1.2.3", "10.1.2.3/32", ""},
		{Datum{From: "10.0.0.0", To: "10.255.255.255", Bits: -1}, "10.0.0.0-10.255.255.255", "10.0.0.0/8", ""},
		{Datum{From: "0.0.0.0", To: "255.255.255.255", Bits: -1}, "0.0.0.0-255.255.255.255", "0.0.0.0/0", ""},
		{Datum{From: "10.0.0.0", To: "10.0.0.2", Bits: -1}, "10.0.0.0-10.0.0.2", "", ""},
		{Datum{From: "2001:db8::", To: "2001:db8::ffff", Bits: -1}, "2001:db8::-2001:db8::ffff", "2001:db8::/112", ""},
		{Datum{From: "tcp", Bits: -1}, "tcp", "", ""},
	} {
		if got := test.datum.String(); got != test.text {
			t.Errorf("%+v is spelt %q, want %q", test.datum, got, test.text)
		}
		prefix, err := test.datum.Prefix()
		if test.prefix == "" {
			if err == nil {
				t.Errorf("%s is prefix %s, want an error", test.datum, prefix)
			}
		} else if prefix != netip.MustParsePrefix(test.prefix) {
			t.Errorf("%s is prefix %s (%v), want %s", test.datum, prefix, err, test.prefix)
		}
		ports, err := test.datum.Ports()
		if test.ports == "" {
			if err == nil {
				t.Errorf("%s is ports %s, want an error", test.datum, ports)
			}
		} else if ports.String() != test.ports {
			t.Errorf("%s is ports %s (%v), want %s", test.datum, ports, err, test.ports)
		}
	}
}

func TestNames(t *testing.T) {
	for _, name := range []string{"filter", "btplan_my-home", "FORWARD", "_x.y/z", "DOCKER-USER"} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "9lives", "a b", "a;b", "a{", `a"`, "a\nb", "ü", strings.Repeat("a", 200)} {
		if CheckName(name) == nil {
			t.Errorf("%q passes as a name", name)
		}
	}
}

// FuzzRuleset feeds the reader anything: it may refuse, but neither panic nor
// give elements that read as ports which aren't.
func FuzzRuleset(f *testing.F) {
	f.Add([]byte(listing))
	f.Add([]byte(`{"nftables": [{"map": {"elem": [[{"range": ["1.2.3.4", "1.2.3.9"]}, 7]]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		rs, err := Parse(data)
		if err != nil {
			return
		}
		for _, s := range rs.Sets {
			elements, err := s.Elements()
			if err != nil {
				continue
			}
			for _, e := range elements {
				for _, d := range append(e.Key, e.Value...) {
					if p, err := d.Ports(); err == nil && (p.First == 0 || p.Last < p.First) {
						t.Errorf("%s reads as ports %v", d, p)
					}
					if p, err := d.Prefix(); err == nil && !p.IsValid() {
						t.Errorf("%s reads as an invalid prefix", d)
					}
					_, _ = d.Addr()
				}
			}
		}
	})
}
