package lab

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// await waits for an event that must come.
func await(t *testing.T, what string, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(Patient):
		t.Fatalf("%s did not come in %v", what, Patient)
	}
}

func TestCutAndMend(t *testing.T) {
	n := NewNAT(t)
	n.Seedbox.Listen("tcp", 6881)
	n.Seedbox.Listen("udp", 6881)
	routes := n.Desktop.Run("ip", "-6", "route") + n.Desktop.Run("ip", "route")
	n.Desktop.Cut()
	miss(t, ErrTimeout, n.Desktop, SeedboxLAN+":6881", "["+SeedboxLAN6+"]:6881")
	reach(t, n.Control, "tcp", SeedboxLAN+":6881", n.Seedbox, 6881, ControlLAN)
	n.Desktop.Mend()
	reach(t, n.Desktop, "tcp", SeedboxLAN+":6881", n.Seedbox, 6881, DesktopLAN)
	reach(t, n.Desktop, "udp", "["+SeedboxLAN6+"]:6881", n.Seedbox, 6881, DesktopLAN6)
	if got := n.Desktop.Run("ip", "-6", "route") + n.Desktop.Run("ip", "route"); got != routes {
		t.Errorf("the routes are\n%s\nand were\n%s", got, routes)
	}
}

func TestPauseAndResume(t *testing.T) {
	Need(t, "ssh")
	n := NewNAT(t)
	say := []string{"-o", "BatchMode=yes", "-o", "ConnectTimeout=1", "root@" + GatewayLAN, "hostname"}
	n.Gateway.Pause()
	if out, err := n.Control.Try("ssh", say...); err == nil || !strings.Contains(err.Error(), "banner exchange") {
		t.Errorf("a paused gateway says %q, error %v", out, err)
	}
	n.Gateway.Resume()
	if got := n.Control.Run("ssh", say...); got != "gateway\n" {
		t.Errorf("by SSH it says %q", got)
	}
}

func TestSawRules(t *testing.T) {
	n := NewNAT(t)
	for _, change := range []struct{ name, nft string }{
		{"btplan", "add table inet btplan"},
		{"pre_input", "add chain inet btplan pre_input"},
		{"open", "add set inet btplan open { type inet_service; }"},
	} {
		seen, other := n.Gateway.SawRules(change.name), n.Gateway.SawRules(change.name+"_not")
		n.Gateway.Run("nft", "add chain inet filter elsewhere; delete chain inet filter elsewhere")
		select {
		case <-seen:
			t.Errorf("%s was seen before it was there", change.name)
		default:
		}
		n.Gateway.Run("nft", change.nft)
		await(t, change.name, seen)
		select {
		case <-other:
			t.Errorf("%s_not was seen", change.name)
		default:
		}
	}
}

func TestSawFile(t *testing.T) {
	h := New(t).Host("a")
	// /var/run is a link to /run, by its absolute path.
	seen, other := h.SawFile("/var/run/btplan/pending"), h.SawFile("/var/run/btplan/other")
	h.WriteFile("/run/btplan/pending", "", 0o600)
	await(t, "the file", seen)
	select {
	case <-other:
		t.Error("a file that is not there was seen")
	default:
	}
}

// SSH is cut between a change and the answer to it.
func TestCutSSH(t *testing.T) {
	Need(t, "ssh")
	n := NewNAT(t)
	n.Gateway.Listen("tcp", 80)
	cut := n.CutSSH(n.Gateway.SawRules("btplan"))
	out, err := n.Control.Try("ssh", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=1", "-o", "ServerAliveCountMax=2", "root@"+GatewayLAN,
		"echo before; nft add table inet btplan; sleep 0.2; echo after; touch /run/went-on")
	if out != "before\n" || err == nil {
		t.Errorf("SSH gave %q, error %v", out, err)
	}
	await(t, "the cut", cut)
	n.Gateway.Run("test", "-e", "/run/went-on")
	miss(t, ErrTimeout, n.Control, GatewayLAN+":80")
	reach(t, n.Desktop, "tcp", GatewayLAN+":80", n.Gateway, 80, DesktopLAN)
	n.Control.Mend()
	reach(t, n.Control, "tcp", GatewayLAN+":80", n.Gateway, 80, ControlLAN)
}

func TestLoad(t *testing.T) {
	n := NewNAT(t)
	for _, protocol := range protocols {
		n.Seedbox.Listen(protocol, 6881)
		start := time.Now()
		opened, failed := n.Desktop.Load(protocol, SeedboxLAN+":6881", 200, 100).Wait()
		if opened != 100 || len(failed) > 0 {
			t.Errorf("%s: opened %d, failed %v", protocol, opened, failed)
		}
		if took := time.Since(start); took < 100*time.Second/200 {
			t.Errorf("%s: 100 connections at 200 a second took %v", protocol, took)
		}
		if _, failed := n.Desktop.Load(protocol, SeedboxLAN+":6882", 100, 3).Wait(); len(failed) != 3 {
			t.Errorf("%s to a closed port: failed %v", protocol, failed)
		}
	}
	// What is dropped for a moment only shows.
	for _, protocol := range protocols {
		load := n.Desktop.Load(protocol, SeedboxLAN+":6881", 100, 100000)
		n.Seedbox.Cut()
		time.Sleep(Brief) // packets must be lost meanwhile, and that makes no event
		n.Seedbox.Mend()
		opened, failed := load.Stop()
		if len(failed) == 0 || opened >= 100000 {
			t.Errorf("%s: of %d none failed", protocol, opened)
		}
		for _, err := range failed {
			if protocol == "tcp" && !errors.Is(err, ErrResent) {
				t.Errorf("it failed with %v", err)
			}
		}
	}
}

func TestHold(t *testing.T) {
	n := NewNAT(t)
	n.Seedbox.ListenLines(6881)
	n.Seedbox.Listen("udp", 6881)
	for _, protocol := range protocols {
		flow := n.Desktop.Hold(protocol, SeedboxLAN+":6881")
		for range 3 {
			answer, err := flow.Ask(Patient)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Host != "seedbox" || answer.Peer != flow.From() {
				t.Errorf("%s: the answer to %s is %q", protocol, flow.From(), answer)
			}
		}
		n.Seedbox.Cut()
		if answer, err := flow.Ask(Brief); err == nil {
			t.Errorf("%s: the answer of a host that is cut off is %q", protocol, answer)
		}
		n.Seedbox.Mend()
		if err := flow.Alive(); err != nil {
			t.Error(err)
		}
		if err := flow.Close(); err != nil {
			t.Error(err)
		}
		if err := flow.Alive(); err == nil {
			t.Errorf("%s: a closed flow is alive", protocol)
		}
	}
}
