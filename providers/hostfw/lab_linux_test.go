package hostfw

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/zclconf/go-cty/cty"
)

func TestMain(m *testing.M) {
	launchDaemons = "/var/lib/LaunchDaemons" // where a host of the lab can write
	lab.Main(m)
}

// The machine with the firewall, and another one.
const (
	machineAddr  = "192.0.2.11"
	machineAddr6 = "2001:db8::11"
	otherAddr    = "192.0.2.2"
	otherAddr6   = "2001:db8::2"
)

// pair is two hosts of the lab on one network.
type pair struct{ machine, other *lab.Host }

func newPair(t *testing.T) pair {
	t.Helper()
	l := lab.New(t)
	hosts := l.Hosts("machine", "other")
	lan := l.Network("lan")
	lan.Plug(hosts[0], "eth0", machineAddr+"/24", machineAddr6+"/64")
	lan.Plug(hosts[1], "eth0", otherAddr+"/24", otherAddr6+"/64")
	return pair{hosts[0], hosts[1]}
}

// passes says whether a packet gets from the other host to a port of the
// machine, over IPv4 and IPv6.
func (p pair) passes(t *testing.T, protocol string, port int, want bool) {
	t.Helper()
	wait := lab.Brief
	if want {
		wait = lab.Patient
	}
	for _, addr := range []string{machineAddr, machineAddr6} {
		to := netip.AddrPortFrom(netip.MustParseAddr(addr), uint16(port))
		_, err := p.other.Probe(protocol, to.String(), wait)
		if (err == nil) != want {
			t.Errorf("%s to %s: got %v, want it to pass: %v", protocol, to, err, want)
		}
	}
}

// inside is the firewall of a host of the lab, worked on from within.
type inside struct {
	*device
	host *lab.Host
}

func openInside(t *testing.T, host *lab.Host, name, project string) inside {
	t.Helper()
	runner := remote.Open(remote.Target{Local: true})
	t.Cleanup(func() { _ = runner.Close() })
	for _, typ := range Types() {
		if typ.Name != name {
			continue
		}
		d, err := typ.Open(providers.Settings{Project: project, Addr: seedbox, Body: cty.EmptyObjectVal, Runner: runner, Local: true})
		if err != nil {
			t.Fatal(err)
		}
		return inside{d.(*device), host}
	}
	t.Fatalf("no type %q", name)
	return inside{}
}

func (d inside) Read(ctx context.Context) (r *providers.Reading, err error) {
	enterErr := d.host.Enter(func() error {
		r, err = d.device.Read(ctx)
		return nil
	})
	if enterErr != nil {
		return nil, enterErr
	}
	return r, err
}

func (d inside) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) (err error) {
	enterErr := d.host.Enter(func() error {
		err = d.device.Apply(ctx, changes, done)
		return nil
	})
	if enterErr != nil {
		return enterErr
	}
	return err
}

var (
	bt    = plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey("alice smith")}
	other = plan.Addr{Block: plan.BlockPortRange, Name: "other"}
)

func (d inside) plan(t *testing.T, want owned) *plan.Plan {
	t.Helper()
	reading, err := d.Read(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var wanted []plan.Wanted
	for owner, rules := range want {
		shaped, err := d.Shape(rules)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range shaped {
			wanted = append(wanted, plan.Wanted{Rule: r, Device: d.addr, Owner: owner})
		}
	}
	p, diags := plan.Diff(wanted, reading.Rules)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return p
}

// make brings the firewall to hold just these rules, all of the port range bt,
// and checks that it does.
func (d inside) make(t *testing.T, rules ...plan.Rule) *plan.Plan {
	t.Helper()
	return d.makeAll(t, owned{bt: rules})
}

func (d inside) makeAll(t *testing.T, want owned) *plan.Plan {
	t.Helper()
	p := d.plan(t, want)
	var changes []plan.Change
	for _, r := range p.Pending() {
		if why := d.Refuse(r.Changes); why != nil {
			t.Fatalf("refused: %+v", why)
		}
		changes = append(changes, r.Changes...)
	}
	if err := d.Apply(context.Background(), changes, func(plan.Change, error) {}); err != nil {
		t.Fatal(err)
	}
	if left := d.plan(t, want).Pending(); len(left) > 0 {
		t.Fatalf("after the apply there is still to do: %+v", left)
	}
	return p
}

// matrix is what every back end has to show: {create, widen, narrow, destroy},
// packets from another host, its own reload, and its listing as before.
type matrix struct {
	name   string
	reload string                   // what the firewall's owner runs to have it read its rules anew
	dump   func(h *lab.Host) string // all that it holds
}

func (m matrix) run(t *testing.T, p pair) {
	t.Helper()
	const below, first, last, wide, above = 6880, 6881, 6889, 6999, 7000
	p.machine.Listen("tcp", below, first, last, wide, above)
	p.machine.Listen("udp", first, last, wide)
	d := openInside(t, p.machine, m.name, "home")
	before := m.dump(p.machine)
	p.passes(t, "tcp", first, false)
	p.passes(t, "udp", first, false)
	stay := func(rules ...plan.Rule) {
		t.Helper()
		p.machine.Sh(m.reload)
		if left := d.plan(t, owned{bt: rules}).Pending(); len(left) > 0 {
			t.Errorf("after %s there is something to do: %+v", m.reload, left)
		}
	}

	create := []plan.Rule{allow(t, plan.TCP, "6881-6889"), allow(t, plan.UDP, "6881-6889")}
	d.make(t, create...)
	for range 2 {
		p.passes(t, "tcp", first, true)
		p.passes(t, "tcp", last, true)
		p.passes(t, "udp", last, true)
		p.passes(t, "tcp", below, false)
		p.passes(t, "tcp", wide, false)
		p.passes(t, "udp", wide, false)
		stay(create...)
	}

	widen := []plan.Rule{allow(t, plan.TCP, "6881-6999"), allow(t, plan.UDP, "6881-6999")}
	d.make(t, widen...)
	for range 2 {
		p.passes(t, "tcp", wide, true)
		p.passes(t, "udp", wide, true)
		p.passes(t, "tcp", above, false)
		stay(widen...)
	}

	narrow := allow(t, plan.TCP, "6889", otherAddr+"/32", otherAddr6+"/128")
	d.make(t, narrow)
	for range 2 {
		p.passes(t, "tcp", last, true)
		p.passes(t, "tcp", first, false)
		p.passes(t, "udp", last, false)
		stay(narrow)
	}
	d.make(t, allow(t, plan.TCP, "6889", "203.0.113.0/24", "2001:db8:1::/48"))
	p.passes(t, "tcp", last, false)

	d.make(t)
	p.passes(t, "tcp", last, false)
	if after := m.dump(p.machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
	if got := p.machine.Sh("ls -d /etc/btplan /run/btplan 2>/dev/null || :"); got != "" {
		t.Errorf("files are left behind: %s", got)
	}
}

// warned gives what a device says of a plan before it is carried out.
func (d inside) warned(t *testing.T, want owned) string {
	t.Helper()
	var lines []string
	for _, r := range d.plan(t, want).Pending() {
		for _, w := range d.Advise(r.Changes) {
			lines = append(lines, fmt.Sprintf("warning: %s. %s", w.Summary, w.Detail))
		}
		if why := d.Refuse(r.Changes); why != nil {
			lines = append(lines, fmt.Sprintf("refused: %s. %s", why.Summary, why.Detail))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestLabAnswers reads machines with all kinds of rules. With -update, what they
// print is recorded for the tests that need no lab.
func TestLabAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		new    func(*testing.T) pair
		script string
	}{
		"ufw":       {newUFW, ufwRules},
		"firewalld": {newFirewalld, firewalldRules},
		"nftables":  {newPacketFilter(nftDrop + outputDrop), nftRules},
		"iptables":  {newPacketFilter(iptablesDrop("legacy")), iptablesRules},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := test.new(t)
			openInside(t, p.machine, name, "cabin").makeAll(t, owned{other: {allow(t, plan.UDP, "7000-7001")}})
			d := openInside(t, p.machine, name, "home")
			d.makeAll(t, owned{
				bt:    {allow(t, plan.TCP, "6881-6889"), allow(t, plan.TCP, "6900"), allow(t, plan.UDP, "1", "203.0.113.7/32", "2001:db8::/32")},
				other: {allow(t, plan.TCP, "7777", "0.0.0.0/0", "2001:db8::/32")},
			})
			p.machine.Sh(test.script)
			out := p.machine.Run("sh", "-c", script.Head+script.SectionHead+d.sections(false))
			s, err := d.parse([]byte(out))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".txt", s.describe())
			if *update {
				golden(t, name+".answer", out)
			}
		})
	}
}

// Who is not root is told so, and not that there are no rules.
func TestLabNotRoot(t *testing.T) {
	t.Parallel()
	lab.Need(t, "ufw", "firewall-cmd", "setpriv")
	p := newPair(t)
	for _, name := range []string{"ufw", "firewalld", autoName} {
		read := script.Head + script.SectionHead + script.SharedLock + openInside(t, p.machine, name, "home").sections(false)
		_, err := p.machine.Try("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", read)
		if err == nil || !strings.Contains(err.Error(), "Permission denied") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
