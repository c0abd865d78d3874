package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/lab"
)

// writeMany writes a configuration with a port range on each gateway, and
// gives its directory.
func writeMany(t testing.TB, g *lab.Gateways) string {
	t.Helper()
	source := fmt.Sprintf(`
btplan {
  project = "many"
}
locals {
  gateways = split(" ", %q)
}
gateway "linux" "edge" {
  count         = length(local.gateways)
  wan_interface = "eth0"
  ssh {
    host    = local.gateways[count.index]
    user    = "root"
    timeout = "3s"
  }
}
machine "pc" {
  count   = length(local.gateways)
  address = "192.168.1.${count.index + 1}"
}
port_range "pc" {
  count    = length(local.gateways)
  machine  = machine.pc[count.index]
  gateways = [gateway.edge[count.index]]
  ports    = "6881-6889"
}
`, strings.Join(g.Addrs, " "))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.btp.hcl"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// One gateway hangs and one is cut off: the others are done, and in no more
// time than these two take to be given up.
func TestLabManyGateways(t *testing.T) {
	const n = 10
	g := lab.NewGateways(t, n)
	btplan, dir := lab.Build(t), writeMany(t, g)
	run := func(args ...string) (code int, out string, took time.Duration) {
		t.Helper()
		start := time.Now()
		c := g.Control.Command(t.Context(), btplan, append([]string{"-chdir=" + dir}, args...)...)
		raw, err := c.CombinedOutput()
		if err != nil && c.ProcessState == nil {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), string(raw), time.Since(start)
	}
	hung, gone := g.All[3], g.All[7]
	hung.Pause()
	gone.Cut()
	code, out, _ := run("plan", "-detailed-exitcode")
	if code != 4 || !strings.Contains(out, "Plan: 8 to add") ||
		!strings.Contains(out, "gateway.edge[3]") || !strings.Contains(out, "gateway.edge[7]") {
		t.Errorf("plan: exit code %d:\n%s", code, out)
	}
	code, out, took := run("apply", "-auto-approve")
	if code != 1 || !strings.Contains(out, "Apply incomplete: 8 done, 0 failed, 0 not attempted.") {
		t.Errorf("apply: exit code %d:\n%s", code, out)
	}
	if strings.Count(out, "could not be reached") != 2 {
		t.Errorf("the two that could not be reached are not told:\n%s", out)
	}
	// Two timeouts one after the other would be 6 s, a busy computer aside.
	t.Logf("the apply took %s", took)

	hung.Resume()
	gone.Mend()
	if code, out, _ = run("apply", "-auto-approve"); code != 0 || !strings.Contains(out, "Resources: 2 added, 0 changed, 0 destroyed.") {
		t.Errorf("apply again: exit code %d:\n%s", code, out)
	}
	if code, out, _ = run("plan", "-detailed-exitcode"); code != 0 {
		t.Errorf("plan after it: exit code %d:\n%s", code, out)
	}
}
