package hostfw

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
)

// Where ufw denies what goes out, trackers are let out to, and nobody else. So
// they are after a reload and a reboot, and so is what is let in.
func TestLabUFWTrackers(t *testing.T) {
	t.Parallel()
	p := newUFW(t)
	p.machine.Sh("ufw default deny outgoing; ufw deny out 6000:6999/tcp")
	before := ufwDump(p.machine)
	p.other.Listen("tcp", 6968, 6969)
	p.other.Listen("udp", 6968, 6969)
	p.machine.Listen("tcp", 6968, 6969, 7001)
	d := openInside(t, p.machine, ufwKind, "home")
	want := owned{
		seedbox: {out(t, plan.TCP, "6969"), out(t, plan.UDP, "6969")},
		bt:      {allow(t, plan.TCP, "6968"), allow(t, plan.TCP, "7001", otherAddr+"/32", otherAddr6+"/128")},
	}
	if got := d.warned(t, want); !strings.Contains(got, `"deny out proto tcp from any to any port 6000:6999"`) || strings.Contains(got, "refused") {
		t.Errorf("got %q", got)
	}
	p.getsOut(t, "tcp", "6969", false)
	d.makeAll(t, want)
	if !d.ReadBack().DropsOutbound {
		t.Error("our own rules make it think that nothing is dropped")
	}
	for _, again := range []string{"", "ufw reload", "reboot"} {
		switch again {
		case "reboot":
			p.machine.Restart("")
			p.machine.Listen("tcp", 6968, 6969, 7001)
		default:
			p.machine.Sh(again)
		}
		for _, protocol := range []string{"tcp", "udp"} {
			p.getsOut(t, protocol, "6969", true)
			p.getsOut(t, protocol, "6968", false)
		}
		p.passes(t, "tcp", 6968, true)
		p.passes(t, "tcp", 7001, true)
		p.passes(t, "tcp", 6969, false)
		if left := d.plan(t, want).Pending(); len(left) > 0 {
			t.Errorf("after %q there is something to do: %+v", again, left)
		}
	}
	p.machine.Sh("iptables -D ufw-user-output 1") // that of UDP
	why := ""
	for _, r := range d.plan(t, want).Pending() {
		for _, c := range r.Changes {
			why += c.Because
		}
	}
	if why != "it is not in force" {
		t.Errorf("got %q", why)
	}
	d.makeAll(t, owned{seedbox: {out(t, plan.TCP, "6969")}})
	p.getsOut(t, "tcp", "6969", true)
	p.getsOut(t, "udp", "6969", false)
	d.make(t)
	if after := ufwDump(p.machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}

// What others do while a change waits to be claimed outlives it: of the change
// only its own rules are taken back, and not even they when they are another
// change's by then.
func TestLabUFWUndo(t *testing.T) {
	t.Parallel()
	p := newUFW(t)
	d := openInside(t, p.machine, ufwKind, "home")
	want := owned{bt: {allow(t, plan.TCP, "6881-6889")}}
	d.makeAll(t, want)
	before := ufwDump(p.machine)

	takeBack := d.unclaimed(t, owned{bt: {allow(t, plan.TCP, "7001")}})
	p.machine.Sh("ufw allow 7777/tcp")
	p.machine.Run("sh", "-c", takeBack)
	if left := d.plan(t, want).Pending(); len(left) > 0 {
		t.Errorf("there is something to do: %+v", left)
	}
	if got := ufwDump(p.machine); !strings.Contains(got, "-A ufw-user-input -p tcp -m tcp --dport 7777 -j ACCEPT") {
		t.Errorf("a rule of others is gone:\n%s", got)
	}
	p.machine.Sh("ufw delete allow 7777/tcp")
	if after := ufwDump(p.machine); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}

	takeBack = d.unclaimed(t, owned{bt: {allow(t, plan.TCP, "7001")}})
	p.machine.Sh("ufw allow 7001/tcp") // takes our mark off it
	before = ufwDump(p.machine)
	p.machine.Run("sh", "-c", takeBack)
	if after := ufwDump(p.machine); after != before {
		t.Errorf("changed by others, and yet taken back:\n%s\nbefore:\n%s", after, before)
	}
	if got := p.machine.Sh("ls -d /run/btplan/* 2>/dev/null || :"); got != "" {
		t.Errorf("files are left behind: %s", got)
	}
}
