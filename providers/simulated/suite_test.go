package simulated_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/providertest"
	"github.com/btplan/btplan/providers/simulated"
	"github.com/zclconf/go-cty/cty"
)

var gateway = plan.Addr{Block: plan.BlockGateway, Name: "home"}

// open opens the gateway whose rules are in dir/home.json.
func open(t *testing.T, dir, project string) providers.Device {
	t.Helper()
	dev, err := simulated.Type().Open(providers.Settings{
		Project: project,
		Addr:    gateway,
		Dir:     dir,
		Body:    cty.ObjectVal(map[string]cty.Value{"file": cty.StringVal("home.json"), "lease": cty.NullVal(cty.String)}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func TestSuite(t *testing.T) {
	providertest.Run(t, providertest.Suite{Kind: plan.Forward, New: func(t *testing.T) *providertest.Bench {
		dir := t.TempDir()
		return &providertest.Bench{
			Addr: gateway,
			Open: func(t *testing.T, project string) providers.Device { return open(t, dir, project) },
			AddForeign: func(t *testing.T, r plan.Rule) {
				line := `{"protocol": "` + string(r.Protocol) + `", "ports": "` + r.Ports.String() + `", "to": "` + r.Target() + `", "comment": "by hand <& \"`
				write(t, dir, `{"rules": [`+line+`"}], "format": 1}`)
			},
			Tamper: func(t *testing.T) { takeOneAway(t, dir) },
			Dump:   func(t *testing.T) string { return dump(t, dir) },
		}
	}})
}

var machine = plan.Addr{Block: plan.BlockMachine, Name: "seedbox"}

// openFirewall opens the firewall whose rules are in dir/home.json.
func openFirewall(t *testing.T, dir, project string) providers.Device {
	t.Helper()
	dev, err := simulated.Firewall().Open(providers.Settings{
		Project: project,
		Addr:    machine,
		Dir:     dir,
		Body:    cty.ObjectVal(map[string]cty.Value{"file": cty.StringVal("home.json")}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func TestFirewallSuite(t *testing.T) {
	for name, drops := range map[string]bool{"lets everything out": false, "drops what it sends": true} {
		t.Run(name, func(t *testing.T) {
			providertest.Run(t, providertest.Suite{Kind: plan.Allow, Outbound: drops, New: func(t *testing.T) *providertest.Bench {
				dir := t.TempDir()
				head := `{`
				if drops {
					head = `{"outbound": "drop", `
					write(t, dir, head+`"format": 1, "rules": []}`)
				}
				return &providertest.Bench{
					Addr: machine,
					Open: func(t *testing.T, project string) providers.Device { return openFirewall(t, dir, project) },
					AddForeign: func(t *testing.T, r plan.Rule) {
						direction := "in"
						if r.Kind == plan.Outbound {
							direction = "out"
						}
						line := `{"direction": "` + direction + `", "protocol": "` + string(r.Protocol) + `", "ports": "` + r.Ports.String() + `", "comment": "by hand"}`
						write(t, dir, head+`"rules": [`+line+`], "format": 1}`)
					},
					Tamper: func(t *testing.T) { takeOneAway(t, dir) },
					Dump:   func(t *testing.T) string { return dump(t, dir) },
				}
			}})
		})
	}
}

// takeOneAway takes one rule away from the project home.
func takeOneAway(t *testing.T, dir string) {
	t.Helper()
	lines := strings.SplitAfter(read(t, dir), "\n")
	for i, line := range lines {
		if strings.Contains(line, `"btplan:home:`) {
			write(t, dir, strings.Join(append(lines[:i:i], lines[i+1:]...), ""))
			return
		}
	}
	t.Fatal("there is no rule to take away")
}

// dump is what the files of a directory hold: a device that holds nothing is
// to leave no file behind, not even that of its lock. The spaces of a file
// say nothing.
func dump(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.Name() + "\n")
		var content any
		if err := json.Unmarshal([]byte(read(t, dir)), &content); err != nil {
			t.Fatal(err)
		}
		indented, err := json.MarshalIndent(content, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		b.Write(indented)
	}
	return b.String()
}

func read(t *testing.T, dir string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "home.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, dir, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "home.json"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// rule is a TCP forward of ports to an address and the first port there.
func rule(t *testing.T, ports, to string) plan.Rule {
	t.Helper()
	r, err := plan.ParsePortRange(ports)
	if err != nil {
		t.Fatal(err)
	}
	return plan.Rule{Kind: plan.Forward, Protocol: plan.TCP, Ports: r, To: netip.MustParseAddrPort(to)}
}
