package ufw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// Where ufw denies what goes out, trackers are let out to, and nobody else. So
// they are after a reload and a reboot, and so is what is let in.
func TestLabUFWTrackers(t *testing.T) {
	t.Parallel()
	p := hosttest.NewUFW(t)
	p.Machine.Sh("ufw default deny outgoing; ufw deny out 6000:6999/tcp")
	before := hosttest.UFWDump(p.Machine)
	p.Other.Listen("tcp", 6968, 6969)
	p.Other.Listen("udp", 6968, 6969)
	p.Machine.Listen("tcp", 6968, 6969, 7001)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	want := host.Owned{
		hosttest.Seedbox: {hosttest.Out(t, plan.TCP, "6969"), hosttest.Out(t, plan.UDP, "6969")},
		hosttest.BT:      {hosttest.Allow(t, plan.TCP, "6968"), hosttest.Allow(t, plan.TCP, "7001", hosttest.OtherAddr+"/32", hosttest.OtherAddr6+"/128")},
	}
	if got := d.Warned(t, want); !strings.Contains(got, `"deny out proto tcp from any to any port 6000:6999"`) || strings.Contains(got, "refused") {
		t.Errorf("got %q", got)
	}
	p.GetsOut(t, "tcp", "6969", false)
	d.MakeAll(t, want)
	if !d.ReadBack().DropsOutbound {
		t.Error("our own rules make it think that nothing is dropped")
	}
	for _, again := range []string{"", "ufw reload", "reboot"} {
		switch again {
		case "reboot":
			p.Machine.Restart("")
			p.Machine.Listen("tcp", 6968, 6969, 7001)
		default:
			p.Machine.Sh(again)
		}
		for _, protocol := range []string{"tcp", "udp"} {
			p.GetsOut(t, protocol, "6969", true)
			p.GetsOut(t, protocol, "6968", false)
		}
		p.Passes(t, "tcp", 6968, true)
		p.Passes(t, "tcp", 7001, true)
		p.Passes(t, "tcp", 6969, false)
		if left := d.Plan(t, want).Pending(); len(left) > 0 {
			t.Errorf("after %q there is something to do: %+v", again, left)
		}
	}
	p.Machine.Sh("iptables -D ufw-user-output 1") // that of UDP
	why := ""
	for _, r := range d.Plan(t, want).Pending() {
		for _, c := range r.Changes {
			why += c.Because
		}
	}
	if why != "it is not in force" {
		t.Errorf("got %q", why)
	}
	d.MakeAll(t, host.Owned{hosttest.Seedbox: {hosttest.Out(t, plan.TCP, "6969")}})
	p.GetsOut(t, "tcp", "6969", true)
	p.GetsOut(t, "udp", "6969", false)
	d.Make(t)
	if after := hosttest.UFWDump(p.Machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// What others do while a change waits to be claimed outlives it: of the change
// only its own rules are taken back, and not even they when they are another
// change's by then.
func TestLabUFWUndo(t *testing.T) {
	t.Parallel()
	p := hosttest.NewUFW(t)
	d := hosttest.OpenInside(t, p.Machine, Kind, "home")
	want := host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "6881-6889")}}
	d.MakeAll(t, want)
	before := hosttest.UFWDump(p.Machine)

	takeBack := d.Unclaimed(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "7001")}})
	p.Machine.Sh("ufw allow 7777/tcp")
	p.Machine.Run("sh", "-c", takeBack)
	if left := d.Plan(t, want).Pending(); len(left) > 0 {
		t.Errorf("there is something to do: %+v", left)
	}
	if got := hosttest.UFWDump(p.Machine); !strings.Contains(got, "-A ufw-user-input -p tcp -m tcp --dport 7777 -j ACCEPT") {
		t.Errorf("a rule of others is gone:\n%s", got)
	}
	p.Machine.Sh("ufw delete allow 7777/tcp")
	if after := hosttest.UFWDump(p.Machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}

	takeBack = d.Unclaimed(t, host.Owned{hosttest.BT: {hosttest.Allow(t, plan.TCP, "7001")}})
	p.Machine.Sh("ufw allow 7001/tcp") // takes our mark off it
	before = hosttest.UFWDump(p.Machine)
	p.Machine.Run("sh", "-c", takeBack)
	if after := hosttest.UFWDump(p.Machine); after != before {
		t.Errorf("changed by others, and yet taken back:\n%s\nbefore:\n%s", after, before)
	}
	if got := p.Machine.Sh("ls -d /run/btplan/* 2>/dev/null || :"); got != "" {
		t.Errorf("files are left behind: %s", got)
	}
}
