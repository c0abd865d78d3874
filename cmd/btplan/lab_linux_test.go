package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
)

// home is the example linux-gateway, in the lab.
type home struct {
	*lab.NAT
	t      testing.TB
	btplan string
}

func newHome(t testing.TB) *home {
	t.Helper()
	lab.Need(t, "nft", "sshd")
	return &home{NAT: lab.NewNAT(t), t: t, btplan: lab.Build(t)}
}

// run runs btplan on the control host and gives its exit code and output.
func (h *home) run(args ...string) (code int, output string) {
	h.t.Helper()
	example, err := filepath.Abs("../../examples/linux-gateway")
	if err != nil {
		h.t.Fatal(err)
	}
	command, rest := args[0], args[1:]
	args = append([]string{
		"-chdir=" + example, command,
		"-var=gateway_host=" + lab.GatewayLAN, "-var=wan_interface=wan0",
		"-var=seedbox=" + lab.SeedboxLAN, "-var=laptop=" + lab.DesktopLAN,
	}, rest...)
	return h.exec(args...)
}

// exec runs btplan on the control host, with just these arguments.
func (h *home) exec(args ...string) (code int, output string) {
	h.t.Helper()
	c := h.Control.Command(h.t.Context(), h.btplan, args...)
	out, err := c.CombinedOutput()
	if err != nil && c.ProcessState == nil {
		h.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// must runs btplan and checks its exit code and a part of what it says.
func (h *home) must(code int, says string, args ...string) {
	h.t.Helper()
	got, out := h.run(args...)
	if got != code || !strings.Contains(out, says) {
		h.t.Fatalf("btplan %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, says, out)
	}
}

// reaches checks where a packet from one host to a port of the gateway's WAN
// address arrives, and as whose; nowhere if want is empty.
func (h *home) reaches(from *lab.Host, protocol, port, want string) {
	h.t.Helper()
	wait := lab.Patient
	if want == "" {
		wait = lab.Brief
	}
	answer, err := from.Probe(protocol, lab.GatewayWAN+":"+port, wait)
	got := ""
	if err == nil {
		got = answer.Host + " from " + answer.Peer.Addr().String()
	}
	if got != want {
		h.t.Errorf("%s to %s %s: got %q (%v), want %q", from.Name, protocol, port, got, err, want)
	}
}

// From HCL to a packet, and back.
func TestLabLinuxGateway(t *testing.T) {
	h := newHome(t)
	h.Seedbox.Listen("tcp", 6880, 6881, 6999, 7000)
	h.Desktop.Listen("tcp", 6881, 6889, 6890)
	h.Desktop.Listen("udp", 6881, 6889)
	before := h.Gateway.RuleSet()
	open := func() {
		t.Helper()
		h.reaches(h.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
		h.reaches(h.Client, "tcp", "6999", "seedbox from "+lab.ClientWAN)
		h.reaches(h.Client, "tcp", "16889", "desktop from "+lab.ClientWAN)
		h.reaches(h.Client, "udp", "16889", "desktop from "+lab.ClientWAN)
		h.reaches(h.Desktop, "tcp", "6881", "seedbox from "+lab.GatewayLAN)
		h.reaches(h.Control, "udp", "16881", "desktop from "+lab.GatewayLAN)
	}
	shut := func() {
		t.Helper()
		h.reaches(h.Client, "tcp", "6880", "")
		h.reaches(h.Client, "tcp", "7000", "")
		h.reaches(h.Client, "tcp", "16890", "")
		h.reaches(h.Client, "udp", "6881", "")
	}

	h.reaches(h.Client, "tcp", "6881", "")
	h.reaches(h.Client, "udp", "16889", "")
	h.must(2, "Plan: 2 to add, 0 to change, 0 to destroy.", "plan", "-detailed-exitcode")
	h.must(0, "Apply complete! Resources: 2 added, 0 changed, 0 destroyed.", "apply", "-auto-approve")
	open()
	shut()
	h.must(0, "No changes. Your devices match the configuration.", "plan", "-detailed-exitcode")

	// The gateway's own firewall script is run again, and everything is gone.
	h.Gateway.Run("nft", "flush", "ruleset")
	h.Boot()
	h.reaches(h.Client, "tcp", "6881", "")
	h.must(2, "Plan: 2 to add", "plan", "-detailed-exitcode")
	h.must(0, "Apply complete!", "apply", "-auto-approve")
	open()

	// Only our way through its chain is gone: the plan says so.
	h.Boot()
	h.must(0, "Apply complete!", "apply", "-auto-approve")
	h.Gateway.Sh(`nft flush chain inet filter forward`)
	h.must(2, "chain forward of table inet filter drops its packets", "plan", "-detailed-exitcode")
	h.Boot()
	h.must(0, "Apply complete!", "apply", "-auto-approve")
	h.must(0, "No changes.", "plan", "-detailed-exitcode")
	open()
	shut()

	h.must(0, "Destroy complete! Resources: 2 destroyed.", "destroy", "-auto-approve")
	h.reaches(h.Client, "tcp", "6881", "")
	if after := h.Gateway.RuleSet(); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	h.must(0, "No changes.", "plan", "-destroy", "-detailed-exitcode")
}
