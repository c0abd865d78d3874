package lab

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// A host behind the router opens a port by UPnP, and packets pass.
func TestUPnPForwards(t *testing.T) {
	Need(t, "upnpc")
	n := NewNAT(t)
	n.Gateway.ServeUPnP(UPnP{})
	n.Seedbox.Listen("tcp", 6881)
	if _, err := n.Client.Probe("tcp", GatewayWAN+":6881", Brief); !errors.Is(err, ErrTimeout) {
		t.Errorf("the port is open from the start: %v", err)
	}
	upnpc(t, n.Seedbox, "-a", SeedboxLAN, "6881", "6881", "tcp")
	answer, err := n.Client.Probe("tcp", GatewayWAN+":6881", Patient)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Host != "seedbox" {
		t.Errorf("%s answered, not the seedbox", answer.Host)
	}
	if out := upnpc(t, n.Control, "-l"); !strings.Contains(out, "TCP  6881->"+SeedboxLAN+":6881") {
		t.Errorf("the mapping isn't listed:\n%s", out)
	}
}

// A router forgets its mappings when it is switched off, and comes back.
func TestUPnPRestart(t *testing.T) {
	Need(t, "upnpc")
	n := NewNAT(t)
	n.Gateway.ServeUPnP(UPnP{V1: true})
	n.Gateway.ServeUPnP(UPnP{})
	upnpc(t, n.Seedbox, "-a", SeedboxLAN, "6881", "6881", "tcp")
	n.Gateway.Restart("nft -f /etc/nftables.conf")
	if out := upnpc(t, n.Seedbox, "-l"); strings.Contains(out, "6881") {
		t.Errorf("the mapping is still there:\n%s", out)
	}
	if got := describedAs(t, n.Desktop, UPnPPort); !strings.Contains(got, "InternetGatewayDevice:2") {
		t.Errorf("the router that has come again describes itself as:\n%s", got)
	}
}

func TestUPnPSecureMode(t *testing.T) {
	Need(t, "upnpc")
	n := NewNAT(t)
	n.Gateway.ServeUPnP(UPnP{Secure: true})
	if out, err := n.Control.Try("upnpc", "-u", rootDesc(), "-a", SeedboxLAN, "6881", "6881", "tcp"); err == nil {
		t.Errorf("one host could map a port to another:\n%s", out)
	}
	upnpc(t, n.Seedbox, "-a", SeedboxLAN, "6881", "6881", "tcp")
}

func TestUPnPPrivate(t *testing.T) {
	Need(t, "upnpc")
	n := NewNAT(t)
	n.Gateway.ServeUPnP(UPnP{Private: true})
	if out, err := n.Seedbox.Try("upnpc", "-u", rootDesc(), "-a", SeedboxLAN, "6881", "6881", "tcp"); err == nil {
		t.Errorf("a router with a private address maps ports:\n%s", out)
	}
}

// The descriptions, what answers NAT-PMP, and a router that is switched off
// and on again.
func TestUPnPServes(t *testing.T) {
	Need(t, "upnpc")
	n := NewNAT(t)
	router := n.Gateway.ServeUPnP(UPnP{V1: true, NATPMP: true, Port: 5001, UUID: "6bf54d2c-3c7d-4b0f-9c3a-77a1c0de0002"})
	// Found by multicast.
	out := n.Desktop.Run("upnpc", "-l")
	if !strings.Contains(out, "desc: http://"+GatewayLAN+":5001/") {
		t.Errorf("the router is found as:\n%s", out)
	}
	if got := describedAs(t, n.Desktop, 5001); !strings.Contains(got, "InternetGatewayDevice:1") || !strings.Contains(got, "77a1c0de0002") {
		t.Errorf("the router describes itself as:\n%s", got)
	}
	router.Stop()
	if _, err := n.Desktop.Probe("tcp", GatewayLAN+":5001", Patient); !errors.Is(err, ErrRefused) {
		t.Errorf("it was stopped, and still: %v", err)
	}
	again := n.Gateway.ServeUPnP(UPnP{})
	if strings.Contains(again.Output(), "NAT-PMP") {
		t.Errorf("it answers NAT-PMP though nobody asked for it:\n%s", again.Output())
	}
	if got := describedAs(t, n.Desktop, UPnPPort); !strings.Contains(got, "InternetGatewayDevice:2") {
		t.Errorf("the router that has come again describes itself as:\n%s", got)
	}
}

// describedAs is the router's description.
func describedAs(t *testing.T, from *Host, port int) string {
	t.Helper()
	conn, err := from.Dial("tcp", fmt.Sprintf("%s:%d", GatewayLAN, port), Patient)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET /rootDesc.xml HTTP/1.0\r\nHost: %s:%d\r\n\r\n", GatewayLAN, port); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func rootDesc() string { return fmt.Sprintf("http://%s:%d/rootDesc.xml", GatewayLAN, UPnPPort) }

// upnpc runs upnpc(1) against the router.
func upnpc(t *testing.T, h *Host, args ...string) string {
	t.Helper()
	return h.Run("upnpc", append([]string{"-u", rootDesc()}, args...)...)
}
