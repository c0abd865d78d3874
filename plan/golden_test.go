package plan

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite what the golden files want")

// TestGolden runs the comparisons in testdata. Each file says in its comment
// what it is about; its part "wanted" has a rule a line as parseLive reads it
// and is taken for the configuration's file, "live" has what the devices hold,
// and "want" is the plan as text.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := text(Diff(goldenRules(t, archive)))
			want := part(archive, "want")
			switch {
			case want == nil:
				t.Fatal("no part want")
			case *update:
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			case got != string(want.Data):
				t.Errorf("the plan is\n%s\nwant\n%s", got, want.Data)
			}
		})
	}
}

func part(archive *txtar.Archive, name string) *txtar.File {
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &archive.Files[i]
}

// goldenRules reads the parts wanted and live, either of which may be missing.
func goldenRules(t *testing.T, archive *txtar.Archive) (wanted []Wanted, live []Live) {
	t.Helper()
	read := func(name string) (out []Live) {
		f := part(archive, name)
		if f == nil {
			return nil
		}
		for i, line := range strings.Split(strings.TrimSpace(string(f.Data)), "\n") {
			l, err := parseLive(line)
			if err != nil {
				t.Fatalf("%s, line %d: %v", name, i+1, err)
			}
			out = append(out, l)
		}
		return out
	}
	for i, l := range read("wanted") {
		place := hcl.Range{Filename: "main.btp.hcl", Start: hcl.Pos{Line: i + 1, Column: 1}}
		wanted = append(wanted, Wanted{Rule: l.Rule, Device: l.Device, Owner: l.Owner, DeclRange: place})
	}
	return wanted, read("live")
}

// text is a plan and its conflicts in full.
func text(p *Plan, diags hcl.Diagnostics) string {
	var b strings.Builder
	for _, r := range p.Resources {
		fmt.Fprintf(&b, "%s: %s", r, r.Action)
		if r.Drift {
			b.WriteString(", drift")
		}
		if r.DeclRange != (hcl.Range{}) {
			fmt.Fprintf(&b, " (line %d)", r.DeclRange.Start.Line)
		}
		b.WriteString("\n")
		for _, c := range r.Changes {
			fmt.Fprintf(&b, "  %s", c.Action)
			if c.Before != nil {
				fmt.Fprintf(&b, " [%s]", c.Before)
			}
			if c.After != nil && c.Action.lasting() != NoOp {
				fmt.Fprintf(&b, " => [%s]", c.After)
			}
			if c.Because != "" {
				fmt.Fprintf(&b, " because %s", c.Because)
				if c.Drift {
					b.WriteString(" (drift)")
				}
			}
			if c.Expires > 0 {
				fmt.Fprintf(&b, ", expires in %d s", c.Expires)
			}
			b.WriteString("\n")
		}
	}
	for _, device := range devicesOf(p.Foreign) {
		fmt.Fprintf(&b, "foreign on %s: %d\n", device, p.Foreign[device])
	}
	c := p.Counts()
	fmt.Fprintf(&b, "%d to add, %d to change, %d to destroy; %d of %d pending\n", c.Add, c.Change, c.Destroy, len(p.Pending()), len(p.Resources))
	if n := p.Renewals(); n > 0 {
		fmt.Fprintf(&b, "%d to renew\n", n)
		for _, r := range p.OnlyRenewals().Resources {
			for _, c := range r.Changes {
				fmt.Fprintf(&b, "  only %s: %s: %s [%s]\n", r, r.Action, c.Action, c.After)
			}
		}
	}
	for _, d := range diags {
		fmt.Fprintf(&b, "error at line %d: %s\n%s\n", d.Subject.Start.Line, d.Summary, d.Detail)
	}
	return b.String()
}

func devicesOf(m map[Addr]int) []Addr {
	var out []Addr
	for a := range m {
		out = append(out, a)
	}
	slices.SortFunc(out, Addr.Compare)
	return out
}
