package igd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"

	"github.com/btplan/btplan/internal/lab"
	"github.com/btplan/btplan/plan"
)

func TestMain(m *testing.M) { lab.Main(m) }

// from makes f's calls, which find their interfaces themselves, go out from h.
func from(h *lab.Host, f *Finder) *Finder {
	f.Dial = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		enterErr := h.Enter(func() error {
			conn, err = new(net.Dialer).DialContext(ctx, network, address)
			return nil
		})
		return conn, errors.Join(enterErr, err)
	}
	return f
}

// find searches from h, and fails the test unless it finds one router.
func find(t *testing.T, h *lab.Host, f *Finder) *Router {
	t.Helper()
	var routers []*Router
	var notes []error
	err := h.Enter(func() (err error) {
		routers, notes, err = from(h, f).Find(t.Context())
		return err
	})
	if err != nil || len(notes) > 0 || len(routers) != 1 {
		t.Fatalf("%d routers, %v, %v", len(routers), notes, err)
	}
	return routers[0]
}

func connect(t *testing.T, h *lab.Host, f *Finder) *Connection {
	t.Helper()
	c, err := find(t, h, f).Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	gatewayLAN = netip.MustParseAddr(lab.GatewayLAN)
	seedboxLAN = netip.MustParseAddr(lab.SeedboxLAN)
)

func TestLabFind(t *testing.T) {
	lab.Need(t, "miniupnpd")
	nat := lab.NewNAT(t)
	for _, test := range []struct {
		upnp lab.UPnP
		want string
	}{
		{lab.UPnP{V1: true}, upnp.URN_WANIPConnection_1},
		{lab.UPnP{}, upnp.URN_WANIPConnection_2},
	} {
		nat.Gateway.ServeUPnP(test.upnp)
		for name, finder := range map[string]*Finder{
			"any":       {},
			"interface": {Interface: "eth0"},
			"gateway":   {Gateway: gatewayLAN},
			"udn":       {UDN: "uuid:" + lab.UPnPUUID},
		} {
			began := time.Now()
			r := find(t, nat.Seedbox, finder)
			took := time.Since(began)
			if limit := searchEnd + 100*time.Millisecond; took > limit || (name == "gateway" || name == "udn") && took > searchEnd {
				t.Errorf("%s: it took %s", name, took)
			}
			if r.UDN != "uuid:"+lab.UPnPUUID || r.Addr != netip.AddrPortFrom(gatewayLAN, lab.UPnPPort) || len(r.Services) != 1 || r.Services[0].Type != test.want {
				t.Errorf("%s: %+v: want %s", name, r, test.want)
			}
		}
	}
	c := connect(t, nat.Seedbox, &Finder{Gateway: gatewayLAN})
	if a, err := c.ExternalAddress(t.Context()); err != nil || a.String() != lab.UPnPExternal {
		t.Errorf("%s, %v", a, err)
	}
	if s, err := c.Status(t.Context()); err != nil || !s.Connected {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestLabList has 300 mappings, of which a window of all would kill miniupnpd.
func TestLabList(t *testing.T) {
	lab.Need(t, "miniupnpd")
	nat := lab.NewNAT(t)
	for _, v1 := range []bool{true, false} {
		nat.Gateway.ServeUPnP(lab.UPnP{V1: v1})
		calls := 0
		c := connect(t, nat.Seedbox, &Finder{Gateway: gatewayLAN, OnCall: func(string) { calls++ }})
		if list, err := c.List(t.Context()); err != nil || len(list) > 0 {
			t.Fatalf("%d mappings, %v", len(list), err)
		}
		var want []listKey
		add := func(p plan.Protocol, port uint16) {
			m := Mapping{Protocol: p, External: port, Client: seedboxLAN, Internal: port + 1, Description: "btplan:0123abcd", Enabled: true}
			if err := c.Add(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			want = append(want, listKey{p, port})
		}
		check := func(what string, most int, near ...plan.PortRange) {
			t.Helper()
			calls = 0
			list, err := c.List(t.Context(), near...)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			var got []listKey
			for _, m := range list {
				got = append(got, listKey{m.Protocol, m.External})
				if m.Client != seedboxLAN || m.Internal != m.External+1 || m.Description != "btplan:0123abcd" || !m.Enabled {
					t.Errorf("%s: %+v", what, m)
				}
			}
			all := listing{}
			for _, k := range want {
				all[k] = Mapping{Protocol: k.protocol, External: k.external}
			}
			var sorted []listKey
			for _, m := range all.sorted() {
				sorted = append(sorted, listKey{m.Protocol, m.External})
			}
			if !slices.Equal(got, sorted) {
				t.Errorf("%s: %d mappings, want %d", what, len(got), len(want))
			}
			if calls > most {
				t.Errorf("%s: %d calls, want at most %d", what, calls, most)
			}
		}
		for port := uint16(6881); port < 6881+50; port++ {
			add(plan.TCP, port)
			add(plan.UDP, port)
		}
		if v1 {
			check("100", 101)
			continue // what follows is like it
		}
		check("100", 4)
		for port := uint16(6881 + 50); port < 6881+150; port++ {
			add(plan.TCP, port)
			add(plan.UDP, port)
		}
		check("300", 6, plan.PortRange{First: 6881, Last: 7030})
		check("300, who knows where", 302)
		if _, err := c.ExternalAddress(t.Context()); err != nil {
			t.Fatalf("it doesn't live: %v", err)
		}
	}
}

func TestLabMapping(t *testing.T) {
	lab.Need(t, "miniupnpd")
	nat := lab.NewNAT(t)
	nat.Gateway.ServeUPnP(lab.UPnP{Secure: true})
	c := connect(t, nat.Seedbox, &Finder{})
	own := Mapping{Protocol: plan.UDP, External: 6881, Client: seedboxLAN, Internal: 6882, Description: `a & <b> "c"`, Enabled: true, Lease: time.Hour}
	if err := c.Add(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	got, found, err := c.Specific(t.Context(), plan.UDP, 6881)
	if err != nil || !found {
		t.Fatalf("%t, %v", found, err)
	}
	if got.Lease > own.Lease || got.Lease < own.Lease-time.Minute {
		t.Errorf("what is left of the lease is %s", got.Lease)
	}
	if got.Lease = own.Lease; got != own {
		t.Errorf("%+v\nwant %+v", got, own)
	}
	if out := nat.Seedbox.Run("upnpc", "-l"); !strings.Contains(out, "6881->"+lab.SeedboxLAN+":6882") {
		t.Errorf("upnpc lists\n%s", out)
	}
	if _, found, err := c.Specific(t.Context(), plan.TCP, 6881); err != nil || found {
		t.Errorf("%t, %v", found, err)
	}
	if existed, err := c.Delete(t.Context(), plan.UDP, 6881); err != nil || !existed {
		t.Errorf("%t, %v", existed, err)
	}
	if _, err := c.Delete(t.Context(), plan.UDP, 6881); err != nil {
		t.Errorf("delete what isn't there: %v", err)
	}
	other := own
	other.Client = netip.MustParseAddr(lab.DesktopLAN)
	if err := c.Add(t.Context(), other); !isFault(err, NotAuthorized, ConflictInMapping) {
		t.Errorf("for another host: %v", err)
	}
}

func TestLabPrivate(t *testing.T) {
	lab.Need(t, "miniupnpd")
	nat := lab.NewNAT(t)
	nat.Gateway.ServeUPnP(lab.UPnP{Private: true})
	c := connect(t, nat.Seedbox, &Finder{Gateway: gatewayLAN})
	if a, err := c.ExternalAddress(t.Context()); !isFault(err, ActionFailed) && !errors.Is(err, ErrNoExternalAddress) {
		t.Errorf("%s, %v: want none", a, err)
	}
}
