package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// The example pcp-router with a real router: from HCL to a packet, and back. It
// runs on a computer that is neither the router nor the machine, and finds the
// router by its default route.
func TestLabPCPRouter(t *testing.T) {
	lab.Need(t, "miniupnpd")
	nat, btplan := lab.NewNAT(t), lab.Build(t)
	nat.Gateway.ServeUPnP(lab.UPnP{NATPMP: true, Lines: []string{"pcp_allow_thirdparty=yes"}})
	nat.Seedbox.Listen("tcp", 6881, 6889)
	nat.Seedbox.Listen("udp", 6881)
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/pcp-router")); err != nil {
		t.Fatal(err)
	}
	must := func(code int, says, command string, args ...string) string {
		t.Helper()
		args = append([]string{"-chdir=" + dir, command, "-no-color", "-var=seedbox=" + lab.SeedboxLAN}, args...)
		c := nat.Control.Command(t.Context(), btplan, args...)
		out, err := c.CombinedOutput()
		if err != nil && c.ProcessState == nil {
			t.Fatal(err)
		}
		if got := c.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), says) {
			t.Fatalf("btplan %s: exit code %d, want %d and %q:\n%s", command, got, code, says, out)
		}
		return string(out)
	}
	open := func(protocol, port string, want bool) {
		t.Helper()
		wait := lab.Patient
		if !want {
			wait = lab.Brief
		}
		if _, err := nat.Client.Probe(protocol, lab.GatewayWAN+":"+port, wait); (err == nil) != want {
			t.Errorf("%s %s: %v", protocol, port, err)
		}
	}
	before := nat.Gateway.RuleSet()

	planned := must(2, "Plan: 1 to add, 0 to change, 0 to destroy.", "plan", "-detailed-exitcode")
	if !strings.Contains(planned, "What others have mapped is not known") {
		t.Errorf("the plan does not say what it can't know:\n%s", planned)
	}
	must(0, "Resources: 1 added", "apply", "-auto-approve")
	must(0, "No changes.", "plan", "-detailed-exitcode")
	open("tcp", "6881", true)
	open("tcp", "6889", true)
	open("udp", "6881", true)
	open("tcp", "6890", false)

	// The memory is what renews and takes away. Without it the ports are
	// asked for again; this router lets them be had.
	if err := os.Remove(filepath.Join(dir, ".btplan", "memory.json")); err != nil {
		t.Fatal(err)
	}
	must(0, "Resources: 1 added", "apply", "-auto-approve")
	must(0, "Resources: 1 destroyed", "destroy", "-auto-approve")
	open("tcp", "6881", false)
	if after := nat.Gateway.RuleSet(); after != before {
		t.Errorf("the router holds more than before:\n%s", after)
	}
}
