package router

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/btplan/btplan/internal/portctl"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/zclconf/go-cty/cty"
)

// Each refusal says what to do.
func TestPortctlRefusals(t *testing.T) {
	mine, theirs := rule(t, plan.TCP, "6881", 0), rule(t, plan.TCP, "6881", 0)
	theirs.To = netip.MustParseAddrPort("192.168.1.11:6881")
	for _, c := range []struct {
		name     string
		dialect  dialect
		rule     plan.Rule
		result   byte
		lifetime uint32
		says     string
		sentinel error
	}{
		{"NAT-PMP off", natpmp{}, mine, 2, 0, "Turn NAT-PMP on on the router", nil},
		{"NAT-PMP without Internet", natpmp{}, mine, 3, 0, "connection to the Internet is down", nil},
		{"NAT-PMP full", natpmp{}, mine, 4, 0, "table of mappings is full", nil},
		{"NAT-PMP opcode", natpmp{}, mine, 5, 0, "Restart the router", providers.ErrUnsupported},
		{"NAT-PMP unknown", natpmp{}, mine, 99, 0, "result code 99", nil},
		{"PCP not authorized", pcp{}, mine, 2, 1800, "another nonce", nil},
		{"PCP not authorized, until when", pcp{}, mine, 2, 1800, "The router says that this holds for 30m.", nil},
		{"PCP third party not authorized", pcp{}, theirs, 2, 0, "run btplan on that machine", nil},
		{"PCP third party unknown", pcp{}, theirs, 5, 0, "pcp_allow_thirdparty=yes", providers.ErrUnsupported},
		{"PCP option unknown", pcp{}, mine, 5, 0, "a gateway of another type", providers.ErrUnsupported},
		{"PCP without Internet", pcp{}, mine, 7, 0, "connection to the Internet is down", nil},
		{"PCP full", pcp{}, mine, 8, 0, "table of mappings is full", nil},
		{"PCP quota", pcp{}, mine, 10, 0, "as many mappings as the router allows", nil},
		{"PCP taken", pcp{}, mine, 11, 30, "The port outside is taken", nil},
		{"PCP behind a NAT", pcp{}, mine, 12, 0, "changes addresses", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newFakeRouter(t)
			first := newRun(t, r.device(c.dialect, &fakeMemory{}, ""), c.rule)
			r.do(func() {
				r.odd = func(b []byte) []byte {
					answer := slices.Clone(b)
					answer[1] |= 0x80
					answer[3] = c.result
					if b[0] == 2 {
						binary.BigEndian.PutUint32(answer[4:], c.lifetime)
					}
					return answer
				}
			})
			err := first.try(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.rule.String()) {
				t.Errorf("got %v", err)
			}
			if c.sentinel != nil && !errors.Is(err, c.sentinel) {
				t.Errorf("%v is not %v", err, c.sentinel)
			}
			holds(t, r)
		})
	}
}

// A router that speaks only the other protocol says which type fits.
func TestPortctlOtherVersion(t *testing.T) {
	for _, c := range []struct {
		dialect dialect
		answer  []byte
		says    string
	}{
		{natpmp{}, append([]byte{2, 0x80, 0, 1}, make([]byte, 20)...), `write gateway "pcp"`},
		{pcp{}, []byte{0, 0x80, 0, 1, 0, 0, 0, 5}, `write gateway "natpmp"`},
		{pcp{}, append([]byte{1, 0x80, 0, 1}, make([]byte, 20)...), "Take a gateway of type upnp"},
	} {
		r := newFakeRouter(t)
		r.do(func() { r.odd = func([]byte) []byte { return c.answer } })
		_, err := r.device(c.dialect, &fakeMemory{}, "").Read(t.Context())
		if !errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("got %v", err)
		}
	}
}

func TestPortctlShape(t *testing.T) {
	sources := rule(t, plan.TCP, "6881", 0)
	sources.Sources = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	six := rule(t, plan.TCP, "6881-6882", 0)
	six.To = netip.MustParseAddrPort("[2001:db8::11]:6881")
	shifted := six
	shifted.To = netip.MustParseAddrPort("[2001:db8::11]:7881")
	for _, c := range []struct {
		name    string
		dialect dialect
		rules   []plan.Rule
		says    string // empty: it is split into ports
	}{
		{"a range", natpmp{}, []plan.Rule{rule(t, plan.TCP, "6881-6882", 0)}, ""},
		{"sources", pcp{}, []plan.Rule{sources}, "the ports would be open to everyone"},
		{"IPv6 by NAT-PMP", natpmp{}, []plan.Rule{six}, "NAT-PMP is for IPv4 only"},
		{"IPv6 by PCP", pcp{}, []plan.Rule{six}, ""},
		{"other ports by IPv6", pcp{}, []plan.Rule{shifted}, "IPv6 has no NAT"},
		{"two ports for one", pcp{}, []plan.Rule{rule(t, plan.TCP, "6881", 0), rule(t, plan.TCP, "6882", -1)}, "lead to the same port"},
		{"a firewall's rule", pcp{}, []plan.Rule{{Kind: plan.Allow, Protocol: plan.TCP, Ports: plan.PortRange{First: 1, Last: 2}}}, "not allow rules"},
	} {
		dev := &portctlGateway{dialect: c.dialect}
		got, err := dev.Shape(c.rules)
		switch {
		case c.says == "" && (err != nil || len(got) != 2 || got[0].Ports.Count() != 1):
			t.Errorf("%s: %v, %v", c.name, got, err)
		case c.says != "" && (!errors.Is(err, providers.ErrUnsupported) || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

func TestPortctlSettings(t *testing.T) {
	for _, c := range []struct{ name, value, says string }{
		{"address", "192.168.1.1", ""},
		{"address", "fe80::1%eth0", ""},
		{"address", "router.lan", "such as \"192.168.1.1\", not \"router.lan\""},
		{"address", "::ffff:192.168.1.1", "write 192.168.1.1"},
		{"address", "127.0.0.1", "not the address of a router"},
		{"address", "224.0.0.1", "not the address of a router"},
		{"address", "0.0.0.0", "not the address of a router"},
		{"lease", "2h", ""},
		{"lease", "0s", "means to delete"},
		{"lease", "1m", "from 2m to 8760h"},
		{"lease", "8761h", "from 2m to 8760h"},
		{"lease", "2.5m0.1s", "whole seconds"},
		{"lease", "a day", "not \"a day\""},
	} {
		check := map[string]func(string) error{"address": checkPCPAddress, "lease": checkPortctlLease}[c.name]
		err := check(c.value)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s = %q: %v", c.name, c.value, err)
		}
	}
	address, lease := parsePortctl(cty.ObjectVal(map[string]cty.Value{"address": cty.NullVal(cty.String), "lease": cty.NullVal(cty.String)}))
	if address.IsValid() || lease != 2*time.Hour {
		t.Errorf("by default %s, %s", address, lease)
	}
}

// Whatever is in the memory, what is made of it can stand in a plan.
func FuzzPortctlNote(f *testing.F) {
	good, err := json.Marshal(portctlNote{Routers: []routerNote{{
		Router: here, Nonce: "6162636465666768696a6b6c", Outside: netip.MustParseAddr("203.0.113.7"),
		Mappings: []mappingNote{{
			Project: "home", Owner: "port_range.seedbox", Protocol: plan.TCP, Port: 6881,
			To: netip.MustParseAddrPort("192.168.1.11:6881"), Asked: 7200, Lease: 7200,
			At: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), Epoch: 3600,
		}},
	}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for old, odd := range map[string]string{
		"port_range.seedbox": "machine.seedbox", `"tcp"`: `"icmp"`, `"port":6881`: `"port":0`, "192.168.1.11:6881": "[::ffff:1.2.3.4]:1",
		`"home"`: `""`, `"lease":7200`: `"lease":0`, "2026-": "2036-",
	} {
		f.Add(bytes.Replace(good, []byte(old), []byte(odd), 1))
	}
	f.Add([]byte(`{"routers": [{"router": "127.0.0.1", "mappings": [{"owner": "x", "protocol": "tcp", "port": 1}]}]}`))
	f.Add([]byte(`{"routers": [{"router": "127.0.0.1", "nonce": "zz", "mappings": null}, {"router": "", "outside": ""}]}`))
	f.Fuzz(func(t *testing.T, note []byte) {
		g := &portctlGateway{
			dialect: pcp{}, project: "home", addr: homeGateway, memory: &fakeMemory{note: note}, lease: time.Hour,
			now: func() time.Time { return time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC) },
		}
		state := &portctlState{client: portctl.Client{Server: portctl.Server(here)}}
		state.Epoch = 3630
		state.remember(g.load().router(here), g.now())
		g.seen = state
		seen := map[string]bool{}
		for _, l := range g.reading(g.now()).Rules {
			if err := l.Rule.Check(); err != nil || l.Expires == 0 {
				t.Errorf("%+v: %v", l, err)
			}
			if (l.Owner.IsZero()) == (l.Project == "") || !l.Owner.IsZero() && l.Owner.Block != plan.BlockPortRange {
				t.Errorf("%+v is nobody's", l)
			}
			if key := l.Rule.String(); seen[key] {
				t.Errorf("%s twice", key)
			} else {
				seen[key] = true
			}
		}
		g.store()
	})
}
