package main

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/igdtest"
	"github.com/btplan/btplan/internal/lab"
)

// upnpHome is the example upnp-router, in the lab: its own copy, on the control
// host, since btplan writes its memory there.
type upnpHome struct {
	home
	router *lab.Process
}

const upnpDir = "/root/upnp"

func newUPnPHome(t testing.TB, router lab.UPnP) *upnpHome {
	t.Helper()
	lab.Need(t, "upnpc", "miniupnpd")
	h := &upnpHome{home: *newHome(t)}
	h.router = h.Gateway.ServeUPnP(router)
	h.copyExample("upnp-router")
	return h
}

// copyExample puts the files of an example where btplan runs.
func (h *upnpHome) copyExample(name string) {
	h.t.Helper()
	dir, err := filepath.Abs("../../examples/" + name)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Control.Run("cp", "-r", dir, upnpDir)
}

// write makes a configuration of one file.
func (h *upnpHome) write(config string) {
	h.t.Helper()
	h.Control.Sh("rm -rf " + upnpDir)
	h.Control.WriteFile(upnpDir+"/main.btp.hcl", config, 0o644)
}

// must runs btplan on the control host and checks its exit code and parts of
// what it says, blanks and line ends apart.
func (h *upnpHome) must(code int, args []string, says ...string) string {
	h.t.Helper()
	got, out := h.exec(append([]string{"-chdir=" + upnpDir}, args...)...)
	if got != code {
		h.t.Fatalf("btplan %q: exit code %d, want %d:\n%s", args, got, code, out)
	}
	flat := strings.Join(strings.Fields(out), " ")
	for _, s := range says {
		if !strings.Contains(flat, s) {
			h.t.Errorf("btplan %q doesn't say %q:\n%s", args, s, out)
		}
	}
	return out
}

// example are the arguments for a command of the example.
func exampleArgs(command string, more ...string) []string {
	return append([]string{command, "-var=seedbox=" + lab.SeedboxLAN}, more...)
}

// upnpURL is where the router describes itself.
var upnpURL = fmt.Sprintf("http://%s:%d/rootDesc.xml", lab.GatewayLAN, lab.UPnPPort)

// upnpc runs upnpc(1) on a host.
func upnpc(h *lab.Host, args ...string) string {
	return h.Run("upnpc", append([]string{"-u", upnpURL}, args...)...)
}

// mapped counts the mappings to a host in what upnpc -l prints.
func mapped(list, host string) int { return strings.Count(list, "->"+host+":") }

// From HCL to a packet, by way of a search for the router, and back.
func TestLabUPnP(t *testing.T) {
	for name, router := range map[string]lab.UPnP{"IGD 1": {V1: true}, "IGD 2": {}} {
		t.Run(name, func(t *testing.T) {
			h := newUPnPHome(t, router)
			h.Seedbox.Listen("tcp", 6880, 6881, 6999, 7000)
			h.Desktop.Listen("tcp", 51413)
			upnpc(h.Desktop, "-e", "Transmission", "-a", lab.DesktopLAN, "51413", "51413", "tcp")
			h.must(2, exampleArgs("plan", "-detailed-exitcode"), "Plan: 1 to add, 0 to change, 0 to destroy.", "119 mappings", "mappings may not fit")
			h.must(0, exampleArgs("apply", "-auto-approve"), "Apply complete! Resources: 1 added, 0 changed, 0 destroyed.")
			list := upnpc(h.Control, "-l")
			if n := mapped(list, lab.SeedboxLAN); n != 119 {
				t.Errorf("upnpc lists %d mappings, not 119:\n%s", n, list)
			}
			h.reaches(h.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
			h.reaches(h.Client, "tcp", "6999", "seedbox from "+lab.ClientWAN)
			h.reaches(h.Client, "tcp", "6880", "")
			h.reaches(h.Client, "tcp", "7000", "")
			h.reaches(h.Client, "tcp", "51413", "desktop from "+lab.ClientWAN)
			h.must(0, exampleArgs("plan", "-detailed-exitcode"), "No changes. Your devices match the configuration.")

			// Somebody takes one away.
			upnpc(h.Desktop, "-d", "6900", "tcp")
			h.must(2, exampleArgs("plan", "-detailed-exitcode"), "Plan: 0 to add, 1 to change, 0 to destroy.", "6900")
			h.must(0, exampleArgs("apply", "-auto-approve"), "Apply complete! Resources: 0 added, 1 changed, 0 destroyed.")
			if n := mapped(upnpc(h.Control, "-l"), lab.SeedboxLAN); n != 119 {
				t.Errorf("%d mappings, not 119, after the repair", n)
			}

			// A foreign mapping in the way, and a router that was restarted.
			h.must(1, exampleArgs("plan", "-var=ports=51410-51419"), "51413 to "+lab.DesktopLAN+":51413", `"Transmission"`)
			h.Gateway.ServeUPnP(router)
			upnpc(h.Desktop, "-e", "Transmission", "-a", lab.DesktopLAN, "51413", "51413", "tcp")
			h.must(0, exampleArgs("apply", "-auto-approve"), "Apply complete!")

			h.must(0, exampleArgs("destroy", "-auto-approve"), "Destroy complete! Resources: 1 destroyed.")
			list = upnpc(h.Control, "-l")
			if mapped(list, lab.SeedboxLAN) != 0 || mapped(list, lab.DesktopLAN) != 1 {
				t.Errorf("after the destroy:\n%s", list)
			}
			h.reaches(h.Client, "tcp", "51413", "desktop from "+lab.ClientWAN)
			h.reaches(h.Client, "tcp", "6881", "")
		})
	}
}

// More mappings than miniupnpd can list at once without a crash.
func TestLabUPnP300(t *testing.T) {
	h := newUPnPHome(t, lab.UPnP{})
	h.must(0, exampleArgs("apply", "-auto-approve", "-var=ports=20001-20300"), "Apply complete!")
	h.must(0, exampleArgs("plan", "-detailed-exitcode", "-var=ports=20001-20300"), "No changes.")
	if n := mapped(upnpc(h.Control, "-l"), lab.SeedboxLAN); n != 300 {
		t.Errorf("%d mappings, not 300", n)
	}
}

// secure is a configuration in which the control host asks, or the seedbox.
func secure(via string) string {
	return fmt.Sprintf(`
btplan { project = "home" }
gateway "upnp" "home" {
  address = %q
  lease   = "2h"
  %s
}
machine "seedbox" {
  address = %q
  ssh {
    user = "root"
  }
}
port_range "seedbox" {
  machine  = machine.seedbox
  gateways = [gateway.home]
  ports    = "6881-6889"
}
`, lab.GatewayLAN, via, lab.SeedboxLAN)
}

// A router maps ports only to who asks: then the machine does.
func TestLabUPnPSecureMode(t *testing.T) {
	h := newUPnPHome(t, lab.UPnP{Secure: true})
	h.Seedbox.ServeSSH()
	h.Seedbox.LetIn(h.Control, lab.SeedboxLAN)
	h.Seedbox.Listen("tcp", 6881, 6889)
	h.write(secure(""))
	h.must(1, []string{"apply", "-auto-approve"}, "secure mode", "Set via = machine.NAME", lab.SeedboxLAN)
	if n := mapped(upnpc(h.Control, "-l"), lab.SeedboxLAN); n != 0 {
		t.Errorf("%d mappings were made all the same", n)
	}
	h.write(secure("via = machine.seedbox"))
	h.must(0, []string{"apply", "-auto-approve"}, "Apply complete!")
	h.reaches(h.Client, "tcp", "6881", "seedbox from "+lab.ClientWAN)
	h.reaches(h.Client, "tcp", "6889", "seedbox from "+lab.ClientWAN)
	h.must(0, []string{"plan", "-detailed-exitcode"}, "No changes.")

	// Without via everything can be read, and nothing taken away.
	h.write(secure(""))
	h.must(1, []string{"destroy", "-auto-approve"}, "can't be deleted", "take away its own mappings alone", "Set via = machine.NAME")
	h.write(secure("via = machine.seedbox"))
	h.must(0, []string{"destroy", "-auto-approve"}, "Destroy complete!")
	if n := mapped(upnpc(h.Control, "-l"), lab.SeedboxLAN); n != 0 {
		t.Errorf("%d mappings are left", n)
	}
}

// A router behind another NAT is told of before anything is tried.
func TestLabUPnPPrivate(t *testing.T) {
	h := newUPnPHome(t, lab.UPnP{Private: true, NATPMP: true})
	h.must(0, []string{"discover"}, "upnp "+lab.GatewayLAN, "natpmp "+lab.GatewayLAN, "pcp "+lab.GatewayLAN, "The router has no public address")
	h.must(0, []string{"discover", "-hcl", "-interface=eth0"}, "It was also found as natpmp and pcp.", `address = "`+lab.GatewayLAN)
	h.must(2, exampleArgs("plan", "-detailed-exitcode"), "The router has no public address", "double NAT")
	h.must(1, exampleArgs("apply", "-auto-approve"), "double NAT")
}

// fakeRouter is a router of igdtest on a host of the lab, that is found by
// searches like any other.
type fakeRouter struct {
	*igdtest.Router
	t    testing.TB
	host *lab.Host
	addr string
	conn net.PacketConn
}

func newFakeRouter(t testing.TB, h *lab.Host, addr string, q igdtest.Quirks) *fakeRouter {
	t.Helper()
	f := &fakeRouter{Router: igdtest.New(q), t: t, host: h, addr: addr}
	t.Cleanup(f.off)
	return f
}

// on switches it on: it describes itself at a port that is free. location edits
// what it says where that is.
func (f *fakeRouter) on(location func(url string) string) {
	f.t.Helper()
	f.off()
	var from net.PacketConn
	var listener net.Listener
	err := f.host.Enter(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		if f.conn, err = net.ListenMulticastUDP("udp4", eth0, &net.UDPAddr{IP: net.IPv4(239, 255, 255, 250), Port: 1900}); err != nil {
			return err
		}
		if from, err = net.ListenPacket("udp4", f.addr+":0"); err != nil {
			return err
		}
		listener, err = net.Listen("tcp4", f.addr+":0")
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = from.Close() })
	f.ServeSearches(f.conn, igdtest.Searches{Location: location(f.ServeOn(listener)), From: from})
}

func (f *fakeRouter) off() {
	f.Close()
	if f.conn != nil {
		_ = f.conn.Close()
		f.conn = nil
	}
}

func right(url string) string { return url }

// Of several routers one has to be named. It is known by its UDN, wherever it
// is.
func TestLabUPnPSeveral(t *testing.T) {
	h := newUPnPHome(t, lab.UPnP{})
	fake := newFakeRouter(t, h.Desktop, lab.DesktopLAN, igdtest.Quirks{})
	fake.on(right)
	h.must(1, exampleArgs("plan"), "2 routers answer", `address = "`+lab.GatewayLAN+`"`, `address = "`+lab.DesktopLAN+`"`, "HomeBox 3000")
	out := h.must(0, []string{"discover", "-json"})
	for _, part := range []string{lab.GatewayLAN, lab.DesktopLAN, "HomeBox 3000", "11.22.33.44", lab.UPnPUUID} {
		if !strings.Contains(out, part) {
			t.Errorf("discover doesn't find %s:\n%s", part, out)
		}
	}
	if out := h.must(0, []string{"discover", "-hcl"}); !strings.Contains(out, lab.ControlLAN) {
		t.Errorf("the configuration to begin with lacks this computer's address:\n%s", out)
	}
	named := func(how string) {
		h.write(strings.Replace(secure(""), fmt.Sprintf("address = %q", lab.GatewayLAN), how, 1))
	}
	// Two blocks for one of them, which only that router itself can tell.
	h.write(secure("") + fmt.Sprintf("gateway \"upnp\" \"again\" {\n  udn = \"uuid:%s\"\n}\n", lab.UPnPUUID))
	h.must(1, []string{"plan"}, "One device twice", "gateway.home and gateway.again")
	named(fmt.Sprintf("udn = %q", fake.UDN))
	h.must(0, []string{"apply", "-auto-approve"}, "Apply complete!")
	if n := len(fake.Mappings()); n != 9 {
		t.Errorf("the router that was named holds %d mappings", n)
	}
	if n := mapped(upnpc(h.Control, "-l"), lab.SeedboxLAN); n != 0 {
		t.Errorf("the other one holds %d", n)
	}
	// After a reboot it is at another port.
	fake.on(right)
	h.must(0, []string{"plan", "-detailed-exitcode"}, "No changes.")
	fake.off()
	h.must(1, []string{"plan"}, "No UPnP router with the UDN", "Is UPnP switched on?")
}

// Routers say of themselves that they are elsewhere: they are where they answer.
func TestLabUPnPLocation(t *testing.T) {
	h := newUPnPHome(t, lab.UPnP{})
	fake := newFakeRouter(t, h.Desktop, lab.DesktopLAN, igdtest.Quirks{Version: 2})
	h.write(strings.Replace(secure(`interface = "eth0"`), lab.GatewayLAN, lab.DesktopLAN, 1))
	for _, wrong := range []string{"[::1]", "169.254.7.7", "192.168.1.254"} {
		fake.on(func(url string) string { return strings.Replace(url, lab.DesktopLAN, wrong, 1) })
		h.must(0, []string{"apply", "-auto-approve"}, "Apply complete!")
		if n := len(fake.Mappings()); n != 9 {
			t.Errorf("%s: %d mappings, not 9", wrong, n)
		}
		h.must(0, []string{"destroy", "-auto-approve"}, "Destroy complete!")
		h.Control.Sh("rm -rf " + upnpDir + "/.btplan")
	}
}

// Leases run out, and are renewed before.
func TestLabUPnPRenew(t *testing.T) {
	h := newUPnPHome(t, lab.UPnP{})
	h.write(secure(""))
	h.must(0, []string{"apply", "-auto-approve"}, "Apply complete!")
	h.must(0, []string{"apply", "-renew"})
	// One of which less than half is left: the same mapping with a short lease.
	mark := upnpMark(t, upnpc(h.Control, "-l"))
	upnpc(h.Control, "-e", mark, "-a", lab.SeedboxLAN, "6885", "6885", "tcp", "600")
	h.must(0, []string{"plan", "-detailed-exitcode"}, "left of 2h")
	h.must(0, []string{"apply", "-renew"})
	out := h.must(0, []string{"plan", "-detailed-exitcode"})
	if strings.Contains(out, "left of") {
		t.Errorf("it was renewed, and still:\n%s", out)
	}
	memory := map[string]any{}
	if err := json.Unmarshal([]byte(h.Control.ReadFile(upnpDir+"/.btplan/memory.json")), &memory); err != nil {
		t.Error(err)
	}
}

// upnpMark is the description of btplan's mappings in what upnpc -l prints.
func upnpMark(t *testing.T, list string) string {
	t.Helper()
	i := strings.Index(list, "btplan:")
	if i < 0 {
		t.Fatalf("no mapping of btplan's is listed:\n%s", list)
	}
	return list[i : i+len("btplan:")+8]
}
