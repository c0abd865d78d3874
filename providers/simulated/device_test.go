package simulated_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/google/go-cmp/cmp"
)

// seal is a stand-in in the files below for the seal that fits the rules.
const seal = "SEAL"

// sealed writes a file in which SEAL is the right seal of tcp 6881-6889 to
// 192.168.1.11.
func sealed(t *testing.T, dir string, lines ...string) {
	t.Helper()
	right := plan.Seal([]plan.Rule{rule(t, "6881-6889", "192.168.1.11:6881")})
	text := "{\n  \"format\": 1,\n  \"rules\": [\n    " + strings.Join(lines, ",\n    ") + "\n  ]\n}\n"
	write(t, dir, strings.ReplaceAll(text, seal, right))
}

// What a person may do to the file by hand, and what Read makes of it.
func TestEditedByHand(t *testing.T) {
	const (
		ours    = `{"protocol": "tcp", "ports": "6881-6889", "to": "192.168.1.11:6881-6889", "mark": "btplan:home:seedbox:SEAL"}`
		twice   = `{"protocol": "tcp", "ports": "7000", "to": "192.168.1.11:7000", "mark": "btplan:home:seedbox:SEAL"}`
		changed = `{"protocol": "tcp", "ports": "6881-6888", "to": "192.168.1.11:6881-6888", "mark": "btplan:home:seedbox:SEAL"}`
		cut     = `{"protocol": "tcp", "ports": "6881-6889", "to": "192.168.1.11:6881-6889", "mark": "btplan:home:seedbox"}`
		noted   = `{"protocol": "tcp", "ports": " 6881-6889", "to": "192.168.1.11:6881-6889", "mark": "btplan:home:seedbox:SEAL", "comment": "don't touch"}`
		server  = `{"protocol": "tcp", "ports": "80", "to": "192.168.1.5:8080", "comment": "web server"}`
		bare    = `{"protocol": "udp", "ports": "53", "to": "192.168.1.5:53"}`
		cabins  = `{"protocol": "udp", "ports": "6881", "to": "192.168.1.11:6881", "mark": "btplan:cabin:seedbox:SEAL"}`
		unclear = `{"protocol": "udp", "ports": "6882", "to": "192.168.1.11:6882", "mark": "btplan:home"}`
	)
	for _, c := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"as it was left", []string{ours}, []string{
			"port_range.seedbox: tcp 6881-6889 to 192.168.1.11:6881-6889: rule 1 of home.json",
		}},
		{"a rule added under our mark", []string{ours, twice}, []string{
			"port_range.seedbox: tcp 6881-6889 to 192.168.1.11:6881-6889: rule 1 of home.json: changed by someone else",
			"port_range.seedbox: tcp 7000 to 192.168.1.11:7000: rule 2 of home.json: changed by someone else",
		}},
		{"a rule changed", []string{changed}, []string{
			"port_range.seedbox: tcp 6881-6888 to 192.168.1.11:6881-6888: rule 1 of home.json: changed by someone else",
		}},
		{"the seal cut off", []string{cut}, []string{
			"port_range.seedbox: tcp 6881-6889 to 192.168.1.11:6881-6889: rule 1 of home.json: changed by someone else",
		}},
		{"a comment on our rule", []string{noted}, []string{
			"port_range.seedbox: tcp 6881-6889 to 192.168.1.11:6881-6889: rule 1 of home.json",
		}},
		{"foreign rules", []string{server, bare, cabins, unclear, ours}, []string{
			": tcp 80 to 192.168.1.5:8080: rule 1 of home.json (web server)",
			": udp 53 to 192.168.1.5:53: rule 2 of home.json",
			": udp 6881 to 192.168.1.11:6881: rule 3 of home.json (btplan:cabin:seedbox:SEAL)",
			": udp 6882 to 192.168.1.11:6882: rule 4 of home.json (btplan:home)",
			"port_range.seedbox: tcp 6881-6889 to 192.168.1.11:6881-6889: rule 5 of home.json",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			sealed(t, dir, c.lines...)
			reading, err := open(t, dir, "home").Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			right := plan.Seal([]plan.Rule{rule(t, "6881-6889", "192.168.1.11:6881")})
			var got []string
			for _, l := range reading.Rules {
				line := fmt.Sprintf("%s: %s: %s", l.Owner, l.Rule, strings.ReplaceAll(l.Handle, right, seal))
				if l.Drift != "" {
					line += ": " + l.Drift
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Read (-want +got):\n%s", diff)
			}
		})
	}
}

// Rules that stay keep their places and their spelling, a changed one takes
// the place of what it was, a new one comes last.
func TestPlaces(t *testing.T) {
	const (
		server = `{"protocol": "tcp", "ports": " 80 ", "to": "192.168.1.5:8080", "sources": ["203.0.113.9/24", "::/0"], "comment": "web <server> & \"more\""}`
		ours   = `{"protocol": "tcp", "ports": "6881-6889", "to": "192.168.1.11:6881-6889", "mark": "btplan:home:seedbox:SEAL", "comment": "the seedbox"}`
		cabins = `{"protocol": "udp", "ports": "6881", "to": "192.168.1.11:6881", "mark": "btplan:cabin:seedbox:00000000"}`
	)
	dir := t.TempDir()
	sealed(t, dir, server, ours, cabins)
	dev := open(t, dir, "home")
	if _, err := dev.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, after := rule(t, "6881-6889", "192.168.1.11:6881"), rule(t, "6881-6899", "192.168.1.11:6881")
	early, late := rule(t, "100", "192.168.1.11:100"), rule(t, "200", "192.168.1.11:200")
	owner := plan.Addr{Block: plan.BlockPortRange, Name: "seedbox"}
	changes := []plan.Change{
		{Action: plan.Create, Owner: owner, After: &late},
		{Action: plan.Update, Owner: owner, Before: &before, After: &after},
		{Action: plan.Create, Owner: owner, After: &early},
	}
	if err := dev.Apply(t.Context(), changes, func(plan.Change, error) {}); err != nil {
		t.Fatal(err)
	}
	mark := "btplan:home:seedbox:" + plan.Seal([]plan.Rule{after, early, late})
	want := `{
  "format": 1,
  "rules": [
    ` + server + `,
    {"protocol": "tcp", "ports": "6881-6899", "to": "192.168.1.11:6881-6899", "mark": "` + mark + `", "comment": "the seedbox"},
    ` + cabins + `,
    {"protocol": "tcp", "ports": "100", "to": "192.168.1.11:100", "mark": "` + mark + `"},
    {"protocol": "tcp", "ports": "200", "to": "192.168.1.11:200", "mark": "` + mark + `"}
  ]
}
`
	if diff := cmp.Diff(want, read(t, dir)); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
}

// A file that can't be read is an error that names the device and the file,
// never a device without rules.
func TestUnreadable(t *testing.T) {
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"a directory": {func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
		"too large": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 64<<20+1); err != nil {
				t.Fatal(err)
			}
		}, "larger than 64 MiB"},
		"empty": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "line 1: the file ends too early. Mend the file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.make(t, filepath.Join(dir, "home.json"))
			reading, err := open(t, dir, "home").Read(t.Context())
			if err == nil {
				t.Fatalf("Read gave %d rules and no error", len(reading.Rules))
			}
			for _, part := range []string{"gateway.home", "home.json", c.want} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error does not say %q: %v", part, err)
				}
			}
		})
	}
}

// A conflict says what happened and what to do.
func TestConflictMessage(t *testing.T) {
	dir := t.TempDir()
	dev := open(t, dir, "home")
	if _, err := dev.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "")
	r := rule(t, "6881", "192.168.1.11:6881")
	err := dev.Apply(t.Context(), []plan.Change{{Action: plan.Create, After: &r}}, func(plan.Change, error) {})
	const want = "gateway.home (home.json): changed meanwhile: someone else wrote to the file after it was read for this plan, so nothing was written. Plan again"
	if !errors.Is(err, providers.ErrConflict) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if got := read(t, dir); got != "" {
		t.Errorf("the file was written: %q", got)
	}
}

// The file holds ranges: what follows each other becomes one.
func TestShape(t *testing.T) {
	got, err := open(t, t.TempDir(), "home").Shape([]plan.Rule{
		rule(t, "6885-6889", "192.168.1.11:6885"), rule(t, "6881-6884", "192.168.1.11:6881"), rule(t, "6890", "192.168.1.11:7890"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"tcp 6881-6889 to 192.168.1.11:6881-6889", "tcp 6890 to 192.168.1.11:7890"}
	if diff := cmp.Diff(want, []string{got[0].String(), got[len(got)-1].String()}); diff != "" || len(got) != 2 {
		t.Errorf("Shape (-want +got): %v\n%s", got, diff)
	}
}

// What the file can't hold is refused before anything is planned.
func TestShapeUnsupported(t *testing.T) {
	good := rule(t, "6881-6889", "192.168.1.11:6881")
	for name, spoil := range map[string]func(*plan.Rule){
		"a host's rule":       func(r *plan.Rule) { *r = plan.Rule{Kind: plan.Allow, Protocol: plan.TCP, Ports: r.Ports} },
		"another protocol":    func(r *plan.Rule) { r.Protocol = "sctp" },
		"to nowhere":          func(r *plan.Rule) { r.To = rule(t, "1", "0.0.0.0:6881").To },
		"to many machines":    func(r *plan.Rule) { r.To = rule(t, "1", "[ff02::1]:6881").To },
		"to ports over 65535": func(r *plan.Rule) { r.To = rule(t, "1", "192.168.1.11:65530").To },
	} {
		bad := good
		spoil(&bad)
		shaped, err := open(t, t.TempDir(), "home").Shape([]plan.Rule{good, bad})
		if !errors.Is(err, providers.ErrUnsupported) {
			t.Errorf("%s: Shape gave %v, %v", name, shaped, err)
		}
	}
}

// Apply knows nothing to compare with until Read has been called.
func TestApplyBeforeRead(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Apply did not panic")
		}
	}()
	_ = open(t, t.TempDir(), "home").Apply(t.Context(), nil, func(plan.Change, error) {})
}
