// Package hosttest is what the tests of machines' firewalls share: machines of the
// lab that run them, ways to work on these, and the matrix that each has to pass.
package hosttest

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
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
)

// Update says that files of testdata are to be rewritten.
var Update = flag.Bool("update", false, "rewrite the files of testdata")

// Golden compares with a file, or rewrites it with -update.
func Golden(t *testing.T, path, got string) {
	t.Helper()
	if *Update {
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

// DeviceOf gives the firewall of this kind for the project home.
func DeviceOf(k host.Kind) *host.Device {
	return host.NewDevice(k, providers.Settings{Project: "home", Addr: Seedbox, Body: cty.EmptyObjectVal})
}

// The machine, and who own rules of it.
var (
	Seedbox = plan.Addr{Block: plan.BlockMachine, Name: "seedbox"}
	BT      = plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey("alice smith")}
	Other   = plan.Addr{Block: plan.BlockPortRange, Name: "other"}
)

// Answer is what a machine printed, as a file has it.
func Answer(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// InWords is what was read, a line each.
func InWords(s *host.State) string {
	var lines []string
	for _, l := range s.Rules {
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
	for _, p := range s.Problems {
		lines = append(lines, "problem: "+p.Summary+"\n")
	}
	return strings.Join(lines, "")
}

// Allow gives a rule by its ports and sources.
func Allow(t testing.TB, protocol plan.Protocol, ports string, sources ...string) plan.Rule {
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

// Out gives an outbound rule by its ports.
func Out(t testing.TB, protocol plan.Protocol, ports string) plan.Rule {
	t.Helper()
	r := Allow(t, protocol, ports)
	r.Kind = plan.Outbound
	return r
}

// LaunchDaemons is where a host of the lab can write what a Mac has launchd
// start at boot.
const LaunchDaemons = "/var/lib/LaunchDaemons"
