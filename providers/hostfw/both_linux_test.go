package hostfw

import (
	"context"
	"net/netip"
	"testing"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
	"github.com/btplan/btplan/providers/linuxgw"
	"github.com/zclconf/go-cty/cty"
)

// A machine may be a gateway of the same project too. Neither touches what the
// other has made, and each is there after a boot.
func TestLabGatewayToo(t *testing.T) {
	for typ, firewall := range map[string]string{
		"nftables": nftDrop,
		"iptables": iptablesDrop("nft") + "iptables-nft -P FORWARD DROP\n" + withoutNft,
	} {
		t.Run(typ, func(t *testing.T) {
			t.Parallel()
			lab.Need(t, "iptables-nft", "ip6tables-nft")
			p := hosttest.NewPair(t)
			p.Machine.WriteFile("/etc/rc.local", "#!/bin/sh\nexit 0\n", 0o755)
			p.Machine.Sh(firewall)
			p.Machine.Listen("tcp", 6881)
			before := filterDump(p.Machine)
			gateway := openGateway(t, p.Machine, typ)
			d := hosttest.OpenInside(t, p.Machine, kindNamed(typ), "home")
			both := func(machine, gatewayToo bool) {
				t.Helper()
				if left := gateway(gatewayToo, false); left > 0 {
					t.Errorf("the gateway has %d changes to make", left)
				}
				want := host.Owned{}
				if machine {
					want[hosttest.BT] = []plan.Rule{hosttest.Allow(t, plan.TCP, "6881")}
				}
				if left := d.Plan(t, want).Pending(); len(left) > 0 {
					t.Errorf("there is something to do: %+v", left)
				}
				p.Passes(t, "tcp", 6881, machine)
			}
			d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
			gateway(true, true)
			both(true, true)
			p.Machine.Sh("sh /etc/btplan/home.sh; sh /etc/btplan/home.host.sh")
			both(true, true)
			d.Make(t)
			both(false, true)
			d.Make(t, hosttest.Allow(t, plan.TCP, "6881"))
			gateway(false, true)
			both(true, false)
			d.Make(t)
			if after := filterDump(p.Machine); after != before {
				t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
			}
			if got := p.Machine.ReadFile("/etc/rc.local"); got != "#!/bin/sh\nexit 0\n" {
				t.Errorf("left in rc.local: %s", got)
			}
		})
	}
}

// openGateway gives what has the machine forward a port or not, or only plans
// that, and says how many changes there are to make.
func openGateway(t *testing.T, host *lab.Host, backend string) func(forwards, apply bool) (left int) {
	t.Helper()
	runner := remote.Open(remote.Target{Local: true})
	t.Cleanup(func() { _ = runner.Close() })
	addr := plan.Addr{Block: plan.BlockGateway, Name: "edge"}
	g, err := linuxgw.Type().Open(providers.Settings{
		Project: "home", Addr: addr, Runner: runner, Local: true,
		Body: cty.ObjectVal(map[string]cty.Value{
			"wan_interface": cty.StringVal("eth0"), "backend": cty.StringVal(backend), "revert_after": cty.NullVal(cty.String),
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(forwards, apply bool) (left int) {
		t.Helper()
		err := host.Enter(func() error {
			reading, err := g.Read(context.Background())
			if err != nil {
				return err
			}
			var wanted []plan.Wanted
			if forwards {
				r := plan.Rule{Kind: plan.Forward, Protocol: plan.TCP, Ports: plan.PortRange{First: 7000, Last: 7009}, To: netip.MustParseAddrPort("192.0.2.99:7000")}
				wanted = append(wanted, plan.Wanted{Rule: r, Device: addr, Owner: hosttest.BT})
			}
			p, _ := plan.Diff(wanted, reading.Rules)
			var changes []plan.Change
			for _, r := range p.Pending() {
				changes = append(changes, r.Changes...)
			}
			left = len(changes)
			if !apply {
				return nil
			}
			return g.Apply(context.Background(), changes, func(plan.Change, error) {})
		})
		if err != nil {
			t.Fatal(err)
		}
		return left
	}
}
