package router

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/zclconf/go-cty/cty"
)

// body reads the inside of a gateway block.
func body(t *testing.T, source string) (cty.Value, string) {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(source), "main.btp.hcl")
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	value, diags := hcldec.Decode(file.Body, UPnP().Spec, nil)
	if diags.HasErrors() {
		return value, diags.Error()
	}
	return value, ""
}

func TestUPnPSettings(t *testing.T) {
	for source, want := range map[string]string{
		``:                                "",
		`lease = "0s"`:                    "",
		`lease = "168h"`:                  "",
		`lease = "7 days"`:                "how long the router keeps a mapping",
		`lease = "30s"`:                   "from 1m to",
		`lease = "-1h"`:                   "from 1m to",
		`lease = "90.5s"`:                 "whole seconds",
		`lease = "9000000h"`:              "how long the router keeps a mapping",
		`lease = "1200000h"`:              "whole seconds from",
		`address = "192.168.1.1"`:         "",
		`address = "fe80::1"`:             "IPv4 address",
		`address = "router.lan"`:          "IPv4 address",
		`address = "127.0.0.1"`:           "not the address of a router",
		`address = "239.255.255.250"`:     "not the address of a router",
		`url = "http://192.168.1.1:5000"`: "",
		`url = "https://192.168.1.1/"`:    "describes itself",
		`url = "http://fritz.box:49000/"`: "IP address",
		`url = "http://a:b@192.168.1.1/"`: "describes itself",
		`udn = "uuid:1234"`:               "",
		`udn = "1234"`:                    "",
		`udn = "uuid:"`:                   "Unique Device Name",
		`udn = "a\tb"`:                    "Unique Device Name",
		`interface = "eth0"`:              "",
		`interface = ""`:                  "network interface",
		`secret = "x"`:                    "Unsupported argument",
	} {
		_, got := body(t, source)
		if (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

func TestUPnPOpen(t *testing.T) {
	b, _ := body(t, `udn = "1234"`+"\n"+`lease = "1h"`)
	d, err := openUPnP(providers.Settings{Addr: home, Body: b})
	if err != nil {
		t.Fatal(err)
	}
	if u := d.(*upnp); u.where.udn != "uuid:1234" || u.lease != time.Hour {
		t.Errorf("the block means %+v", u.where)
	}
	via := remote.Open(remote.Target{Host: "192.168.1.11", User: "root"})
	defer func() { _ = via.Close() }()
	if _, err := openUPnP(providers.Settings{Addr: home, Body: b, Via: via}); err == nil || !strings.Contains(err.Error(), "by address or url") {
		t.Errorf("with via and nothing that says where: %v", err)
	}
	b, _ = body(t, `address = "192.168.1.1"`)
	near, err := openUPnP(providers.Settings{Addr: home, Body: b})
	if err != nil {
		t.Fatal(err)
	}
	far, err := openUPnP(providers.Settings{Addr: home, Body: b, Via: via})
	if err != nil {
		t.Fatal(err)
	}
	b, _ = body(t, `url = "http://192.168.1.1:5000/x.xml"`)
	byURL, err := openUPnP(providers.Settings{Addr: home, Body: b})
	if err != nil {
		t.Fatal(err)
	}
	id := func(d providers.Device) string { return d.(providers.Identified).Identity() }
	if id(near) == id(far) || id(near) != id(byURL) {
		t.Errorf("the routers are %q, %q and %q", id(near), id(far), id(byURL))
	}
}

func TestUPnPShape(t *testing.T) {
	good := plan.Rule{
		Kind: plan.Forward, Protocol: plan.UDP, Ports: plan.PortRange{First: 6881, Last: 6883},
		To: netip.MustParseAddrPort("192.168.1.11:7881"),
	}
	d := &upnp{}
	got, err := d.Shape([]plan.Rule{good})
	if err != nil || len(got) != 3 || got[2].To.Port() != 7883 || got[2].Ports.First != 6883 {
		t.Errorf("%v %v", got, err)
	}
	for want, edit := range map[string]func(*plan.Rule){
		"IPv6 address":                 func(r *plan.Rule) { r.To = netip.MustParseAddrPort("[2001:db8::1]:7881") },
		"for everyone":                 func(r *plan.Rule) { r.Sources = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")} },
		"not the address of a machine": func(r *plan.Rule) { r.To = netip.MustParseAddrPort("127.0.0.1:7881") },
		"forwards":                     func(r *plan.Rule) { r.Kind, r.To = plan.Allow, netip.AddrPort{} },
	} {
		bad := good
		edit(&bad)
		if _, err := d.Shape([]plan.Rule{bad}); !errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
