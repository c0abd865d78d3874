package igd

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"

	"github.com/btplan/btplan/plan"
)

var seedbox = netip.MustParseAddr("192.168.1.11")

func TestAdd(t *testing.T) {
	f := newFake(t, upnp.URN_WANIPConnection_1)
	var description string
	f.do = func(_ string, args map[string]string) (string, int) {
		description = args["NewPortMappingDescription"]
		return "", 0
	}
	m := Mapping{Protocol: plan.TCP, External: 6881, Client: seedbox, Internal: 6882, Description: `</a><b>&"'` + "\x1b", Enabled: true, Lease: 90*time.Minute + 200*time.Millisecond}
	if err := f.connect(t).Add(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	want := `</a><b>&"'` + "\ufffd"
	if description != want {
		t.Errorf("the description arrives as %q", description)
	}
	call := "AddPortMapping NewRemoteHost= NewExternalPort=6881 NewProtocol=TCP NewInternalPort=6882 NewInternalClient=192.168.1.11 NewEnabled=1 NewPortMappingDescription=" + want + " NewLeaseDuration=5400"
	if !slices.Equal(f.calls, []string{call}) {
		t.Errorf("asked for %q\nwant %q", f.calls, call)
	}
}

func TestAddFault(t *testing.T) {
	f := newFake(t, upnp.URN_WANIPConnection_1)
	f.do = func(string, map[string]string) (string, int) { return "", OnlyPermanentLeases }
	err := f.connect(t).Add(t.Context(), Mapping{Protocol: plan.UDP, External: 1, Client: seedbox, Internal: 1})
	var fault *Fault
	if !errors.As(err, &fault) || *fault != (Fault{"AddPortMapping", 725, "as scripted"}) {
		t.Fatalf("%#v", err)
	}
	if want := "the router at 127.0.0.1: AddPortMapping is refused: 725 as scripted"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
}

func TestDelete(t *testing.T) {
	for fault, want := range map[int]struct{ existed, failed bool }{
		0:   {true, false},
		714: {false, false},
		606: {false, true},
	} {
		f := newFake(t, upnp.URN_WANIPConnection_2)
		f.do = func(string, map[string]string) (string, int) { return "", fault }
		existed, err := f.connect(t).Delete(t.Context(), plan.UDP, 6881)
		if existed != want.existed || (err != nil) != want.failed {
			t.Errorf("fault %d: existed %t, %v", fault, existed, err)
		}
		if !slices.Equal(f.calls, []string{"DeletePortMapping NewRemoteHost= NewExternalPort=6881 NewProtocol=UDP"}) {
			t.Errorf("asked for %q", f.calls)
		}
	}
}

func TestSpecific(t *testing.T) {
	f := newFake(t, upnp.URN_WANIPConnection_1)
	f.do = func(_ string, args map[string]string) (string, int) {
		switch args["NewExternalPort"] {
		case "6881":
			return "<NewInternalPort>6882</NewInternalPort><NewInternalClient>192.168.1.11</NewInternalClient><NewEnabled>0</NewEnabled><NewPortMappingDescription>x</NewPortMappingDescription><NewLeaseDuration>60</NewLeaseDuration>", 0
		case "1":
			return "", NoSuchEntry
		}
		return "", ActionFailed
	}
	c := f.connect(t)
	want := Mapping{Protocol: plan.TCP, External: 6881, Client: seedbox, Internal: 6882, Description: "x", Lease: time.Minute}
	if m, found, err := c.Specific(t.Context(), plan.TCP, 6881); err != nil || !found || m != want {
		t.Errorf("%+v, %t, %v", m, found, err)
	}
	if m, found, err := c.Specific(t.Context(), plan.TCP, 1); err != nil || found || m != (Mapping{}) {
		t.Errorf("%+v, %t, %v", m, found, err)
	}
	if _, found, err := c.Specific(t.Context(), plan.TCP, 2); err == nil || found {
		t.Errorf("a failed read: %t, %v", found, err)
	}
}

func TestLatin1(t *testing.T) {
	result, err := parseAnswer("Ask", answer{200, "200 OK", []byte("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Envelope><Body><r><NewExternalPort>1</NewExternalPort><NewProtocol>TCP</NewProtocol><NewPortMappingDescription>B\xfcro</NewPortMappingDescription></r></Body></Envelope>")})
	if err != nil {
		t.Fatal(err)
	}
	if m := parseMapping(result.values()); m.Description != "Büro" {
		t.Errorf("%q", m.Description)
	}
}

func TestLongTexts(t *testing.T) {
	m := parseMapping(map[string]string{"NewPortMappingDescription": strings.Repeat("ü", 5000), "NewInternalClient": strings.Repeat("x", 5000)})
	if len(m.Description) != maxText || len(m.ClientName) != maxText {
		t.Errorf("%d and %d bytes are kept", len(m.Description), len(m.ClientName))
	}
	if m := parseMapping(map[string]string{"NewPortMappingDescription": "a" + strings.Repeat("ü", 5000)}); len(m.Description) != maxText-1 {
		t.Errorf("a character is cut in two: %d bytes", len(m.Description))
	}
}
