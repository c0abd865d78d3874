package hostfw

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// A change that fails half way leaves nothing of it behind.
func TestLabHalfway(t *testing.T) {
	for name, test := range map[string]struct {
		new     func(*testing.T) hosttest.Pair
		program string // which fails where its arguments are like this
		fails   string
		dump    func(*lab.Host) string
	}{
		"ufw":                   {hosttest.NewUFW, "ufw", "delete*", hosttest.UFWDump},
		"firewalld":             {hosttest.NewFirewalld, "busctl", "*setPolicySettings*", hosttest.FirewalldDump},
		"iptables":              {newPacketFilter(iptablesDrop("legacy")), "ip6tables-legacy-restore", "*", filterDump},
		"firewalld at a reload": {hosttest.NewFirewalld, "busctl", "*restored*", hosttest.FirewalldDump},
	} {
		t.Run(name, func(t *testing.T) {
			p := test.new(t)
			d := hosttest.OpenInside(t, p.Machine, kindNamed(strings.Fields(name)[0]), "home")
			if strings.Contains(name, "reload") {
				// Its settings can't be put back after the reload.
				p.Machine.Sh("firewall-cmd --add-rich-rule='rule family=ipv4 source address=203.0.113.9 log prefix=restored drop'")
			} else {
				d.Make(t, hosttest.Allow(t, plan.TCP, "6881-6889"))
			}
			before := test.dump(p.Machine)

			bin := t.TempDir()
			if err := os.Chmod(filepath.Dir(bin), 0o755); err != nil {
				t.Fatal(err)
			}
			path, err := p.Machine.Try("which", test.program)
			if err != nil {
				t.Fatal(err)
			}
			script := "#!/bin/sh\ncase \"$*\" in\n" + test.fails + ") if mkdir " + bin + "/failed 2>/dev/null; then echo it does not work >&2; exit 1; fi ;;\nesac\nexec " + strings.TrimSpace(path) + " \"$@\"\n"
			if err := os.WriteFile(filepath.Join(bin, test.program), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			var changes []plan.Change
			for _, r := range d.Plan(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "7001"), hosttest.Allow(t, plan.UDP, "6881")}}).Pending() {
				changes = append(changes, r.Changes...)
			}
			err = d.Apply(context.Background(), changes, func(plan.Change, error) {})
			if err == nil || !strings.Contains(err.Error(), "it does not work") {
				t.Errorf("got %v", err)
			}
			if after := test.dump(p.Machine); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}
