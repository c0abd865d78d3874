package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hcldec"
)

// patient is a router that takes its time, and says so beforehand.
type patient struct {
	addr  plan.Addr
	rules *[]plan.Live
}

func (d patient) Shape(rules []plan.Rule) ([]plan.Rule, error) { return plan.Split(rules), nil }

func (d patient) Read(context.Context) (*providers.Reading, error) {
	return &providers.Reading{Rules: *d.rules}, nil
}

func (d patient) Apply(_ context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	for _, c := range changes {
		*d.rules = append(*d.rules, plan.Live{Rule: *c.After, Device: d.addr, Owner: c.Owner, Expires: 600})
		done(c, nil)
	}
	return nil
}

func (d patient) Close() error { return nil }

func (d patient) Estimate(changes []plan.Change) time.Duration {
	return time.Duration(len(changes)) * 100 * time.Millisecond
}

func (d patient) Advise(changes []plan.Change) []providers.Problem {
	if len(changes) < 100 {
		return nil
	}
	return []providers.Problem{{Summary: "Many ports", Detail: "Some routers hold 32.", Owner: changes[0].Owner}}
}

// What a device expects of a plan is told with the plan.
func TestForeseen(t *testing.T) {
	const source = `btplan {
  project = "home"
}
gateway "patient" "a" {}
machine "pc" {
  address = "192.168.1.11"
}
port_range "bt" {
  machine  = machine.pc
  gateways = [gateway.a]
  ports    = "6881-6999"
}
`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.btp.hcl"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	var rules []plan.Live
	types := map[string]providers.Type{"patient": {Name: "patient", Spec: hcldec.ObjectSpec{}, Open: func(s providers.Settings) (providers.Device, error) {
		return patient{s.Addr, &rules}, nil
	}}}
	code, out, errors := runWith(t, types, "-chdir="+dir, "plan", "-detailed-exitcode")
	if code != 2 || !strings.HasSuffix(out, "\nPlan: 1 to add, 0 to change, 0 to destroy.\nTo apply this takes about 12s.\n") {
		t.Errorf("exit code %d, printed:\n%s", code, out)
	}
	if !strings.Contains(errors, "Warning: gateway.a: Many ports\n") || !strings.Contains(errors, `main.btp.hcl line 8, in port_range "bt":`) {
		t.Errorf("warned:\n%s", errors)
	}
	code, out, errors = runWith(t, types, "-chdir="+dir, "apply", "-auto-approve", "-compact-warnings")
	if code != 0 || !strings.Contains(out, "Apply complete! Resources: 1 added, 0 changed, 0 destroyed.\n") {
		t.Errorf("exit code %d, printed:\n%s\nand:\n%s", code, out, errors)
	}
	code, out, errors = runWith(t, types, "-chdir="+dir, "plan", "-detailed-exitcode")
	const rested = "gateway.a holds 119 leases, the first of which ends in 10m.\n\nNo changes. Your devices match the configuration.\n"
	if code != 0 || out != rested || errors != "" {
		t.Errorf("exit code %d, printed:\n%s\nand:\n%s", code, out, errors)
	}
}
