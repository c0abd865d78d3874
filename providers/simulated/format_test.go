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
	const golden = "testdata/mistakes.txtar"
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
			entries, err := parse(input.Data)
			if err == nil {
				t.Fatalf("parse gave %d rules and no error", len(entries))
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
	_, err := parse([]byte("{\"format\": 1, \"rules\": [], \"\xff\": 1}"))
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
	entries, err := parse([]byte(byHand))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(render(entries))); diff != "" {
		t.Errorf("render (-want +got):\n%s", diff)
	}
	rules := []string{entries[0].rule.String(), entries[1].rule.String()}
	wantRules := []string{"tcp 8080 to [2001:db8::11]:80", "udp 6881-6882 to 192.168.1.11:7881-7882 from 203.0.113.0/24"}
	if diff := cmp.Diff(wantRules, rules); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	if got, want := string(render(nil)), "{\n  \"format\": 1,\n  \"rules\": []\n}\n"; got != want {
		t.Errorf("render of nothing: %q", got)
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
		f.Add(file.Data)
	}
	f.Add([]byte(`{"format": 1, "rules": [{"protocol": "tcp", "ports": "6881-6889", "to": "192.168.1.11:6881-6889", "sources": ["10.0.0.0/8", "::/0"], "mark": "btplan:home:seedbox:00000000", "comment": "<&\"\\ é", "lease": 4320}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parse(data)
		if err != nil {
			return
		}
		text := render(entries)
		again, err := parse(text)
		if err != nil {
			t.Fatalf("parse does not take what render wrote: %v\n%s", err, text)
		}
		if !bytes.Equal(text, render(again)) {
			t.Errorf("the second round gives another file:\n%s\n%s", text, render(again))
		}
		if len(again) != len(entries) {
			t.Fatalf("%d rules have become %d", len(entries), len(again))
		}
		for i, e := range entries {
			if !e.rule.Equal(again[i].rule) {
				t.Errorf("%s has become %s", e.rule, again[i].rule)
			}
			spelled := newEntry(e.rule)
			if err := spelled.understand(); err != nil || !spelled.rule.Equal(e.rule) {
				t.Errorf("%s is spelled %s, which means %s (%v)", e.rule, spelled.line(), spelled.rule, err)
			}
			if owner, _ := e.owner("home"); !owner.IsZero() && owner.Block != plan.BlockPortRange {
				t.Errorf("mark %q names %s", e.mark, owner)
			}
		}
	})
}
