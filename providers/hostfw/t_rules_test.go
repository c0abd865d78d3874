package hostfw

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

var update = flag.Bool("update", false, "rewrite the files of testdata")

// golden compares with a file, or rewrites it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// deviceOf gives the firewall of this kind for the project home.
func deviceOf(k kind) *device {
	return newDevice(k, providers.Settings{Project: "home", Addr: seedbox, Body: cty.EmptyObjectVal})
}

// The machine, and who own rules of it.
var (
	seedbox = plan.Addr{Block: plan.BlockMachine, Name: "seedbox"}
	bt      = plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey("alice smith")}
	other   = plan.Addr{Block: plan.BlockPortRange, Name: "other"}
)

// answer is what a machine printed, as a file has it.
func answer(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// inWords is what was read, a line each.
func inWords(s *state) string {
	var lines []string
	for _, l := range s.rules {
		line := fmt.Sprintf("%s (%s)", l.Rule, l.Handle)
		if !l.Owner.IsZero() {
			line = l.Owner.String() + ": " + line
		}
		if l.Project != "" {
			line += " of the project " + l.Project
		}
		if l.Drift != "" {
			line += " drift: " + l.Drift
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	for _, p := range s.problems {
		lines = append(lines, "problem: "+p.Summary+"\n")
	}
	return strings.Join(lines, "")
}

// allow gives a rule by its ports and sources.
func allow(t testing.TB, protocol plan.Protocol, ports string, sources ...string) plan.Rule {
	t.Helper()
	r, err := plan.ParsePortRange(ports)
	if err != nil {
		t.Fatal(err)
	}
	rule := plan.Rule{Kind: plan.Allow, Protocol: protocol, Ports: r}
	for _, s := range sources {
		rule.Sources = append(rule.Sources, netip.MustParsePrefix(s))
	}
	rule.Sources = plan.CanonicalSources(rule.Sources)
	return rule
}

// out gives an outbound rule by its ports.
func out(t testing.TB, protocol plan.Protocol, ports string) plan.Rule {
	t.Helper()
	r := allow(t, protocol, ports)
	r.Kind = plan.Outbound
	return r
}
