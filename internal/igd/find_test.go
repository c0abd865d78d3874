package igd

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"

	"github.com/btplan/btplan/internal/plain"
)

func TestFind(t *testing.T) {
	t.Parallel()
	f := newFake(t, upnp.URN_WANIPConnection_1)
	// The router answers each search, naming an address that isn't its own, and
	// only to one of the targets.
	r := respond(t, func(target string) []string {
		if target != upnp.URN_WANPPPConnection_1 {
			return nil
		}
		return []string{at(fmt.Sprintf("http://[::1]:%d/desc.xml", f.addr.Port()))}
	})
	began := time.Now()
	routers, notes, err := r.finder().Find(within(t, 30*time.Second))
	if err != nil || len(notes) > 0 || len(routers) != 1 {
		t.Fatalf("%d routers, %v, %v", len(routers), notes, err)
	}
	if took := time.Since(began); took > searchEnd {
		t.Errorf("it took %s although the gateway had answered", took)
	}
	if got := routers[0]; got.UDN != "uuid:1" || got.Addr != f.addr || got.Location != f.URL+"/desc.xml" {
		t.Errorf("%+v", got)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.searches, targets) {
		t.Errorf("searched for %q", r.searches)
	}
}

// TestFindWide has a router that answers to ssdp:all alone, and a device that
// is none.
func TestFindWide(t *testing.T) {
	t.Parallel()
	f := newFake(t, "urn:dslforum-org:service:WANPPPConnection:1")
	tv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, describe("uuid:tv", "urn:schemas-upnp-org:service:AVTransport:1"))
	}))
	defer tv.Close()
	r := respond(t, func(target string) []string {
		if target != "ssdp:all" {
			return nil
		}
		return []string{"nonsense", at(tv.URL), at(f.URL + "/desc.xml")}
	})
	routers, notes, err := r.finder().Find(within(t, 30*time.Second))
	if err != nil || len(notes) > 0 || len(routers) != 1 || routers[0].UDN != "uuid:1" {
		t.Fatalf("%v, %v, %v", routers, notes, err)
	}
}

func TestFindNone(t *testing.T) {
	t.Parallel()
	r := respond(t, func(string) []string { return nil })
	routers, notes, err := r.finder().Find(within(t, 30*time.Second))
	if err != nil || len(notes) > 0 || len(routers) > 0 {
		t.Errorf("%v, %v, %v", routers, notes, err)
	}
}

// TestFindMany has several descriptions at one address.
func TestFindMany(t *testing.T) {
	t.Parallel()
	v1, v2 := upnp.URN_WANIPConnection_1, upnp.URN_WANIPConnection_2
	mux := http.NewServeMux()
	serve := func(path, udn, model, urn string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, strings.Replace(describe(udn, urn), "<modelName>"+udn, "<modelName>"+model, 1))
		})
	}
	serve("/1", "uuid:a1", "box", v1)
	serve("/2", "uuid:a2", "box", v2)
	serve("/3", "uuid:b", "other", v1)
	mux.HandleFunc("/4", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/1", http.StatusFound) })
	server := httptest.NewServer(mux)
	defer server.Close()
	r := respond(t, func(string) []string {
		var packets []string
		for _, path := range []string{"/4", "/3", "/2", "/1"} {
			packets = append(packets, at(server.URL+path))
		}
		return packets
	})
	finder := r.finder()
	finder.UDN = "uuid:none" // so that all are waited for
	loopback := origin{addr: finder.Gateway}
	var found []*Router
	for _, path := range []string{"/1", "/2", "/3"} {
		got, err := newClient(loopback, nil, nil).fetch(t.Context(), target{netip.MustParseAddrPort(server.Listener.Addr().String()), path})
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, got)
	}
	names := func(routers []*Router) string {
		var udns []string
		for _, r := range routers {
			udns = append(udns, r.UDN)
		}
		return strings.Join(udns, " ")
	}
	if all, notes := routersOf(found, &Finder{}); names(all) != "uuid:a2 uuid:b" || len(notes) > 0 {
		t.Errorf("all: %s, %v", names(all), notes)
	}
	if one, _ := routersOf(found, &Finder{UDN: "uuid:a1"}); names(one) != "uuid:a1" {
		t.Errorf("uuid:a1: %s", names(one))
	}
	elsewhere := *found[2]
	elsewhere.Addr = netip.MustParseAddrPort("127.0.0.9:80")
	if all, notes := routersOf(append(found, &elsewhere), &Finder{}); names(all) != "uuid:a2 uuid:b" || len(notes) != 1 {
		t.Errorf("twice: %s, %v", names(all), notes)
	}

	finder.UDN = "uuid:b"
	routers, _, err := finder.Find(within(t, 30*time.Second))
	if err != nil || names(routers) != "uuid:b" {
		t.Errorf("%s, %v", names(routers), err)
	}
	finder.UDN = "uuid:none"
	routers, notes, err := finder.Find(within(t, 30*time.Second))
	if err != nil || len(routers) > 0 || len(notes) != 1 || !strings.Contains(notes[0].Error(), "302") {
		t.Errorf("%s, %v, %v: want a note of the redirect alone", names(routers), notes, err)
	}
}

// TestFindRefuses has answers that lead elsewhere.
func TestFindRefuses(t *testing.T) {
	finder := &Finder{Dial: nil}
	h := &hunt{finder: finder, answers: make(chan found), fetched: make(chan fetched), seen: map[netip.Addr][]string{}}
	for _, location := range []string{"http://8.8.8.8/", "http://router.example/", "https://192.168.1.1/", "gopher://x", "x"} {
		h.consider(t.Context(), found{netip.MustParseAddr("192.168.1.1"), location})
	}
	if h.pending > 0 || len(h.notes) != 5 {
		t.Errorf("%d fetched, notes %v", h.pending, h.notes)
	}
	for i := range 20 {
		h.consider(t.Context(), found{netip.MustParseAddr("192.168.1.2"), fmt.Sprint(i)})
	}
	if n := len(h.notes); n != 5+maxOfHost {
		t.Errorf("%d notes: want %d answers of one host to count", n, maxOfHost)
	}
	for i := range 200 {
		h.consider(t.Context(), found{netip.AddrFrom4([4]byte{192, 168, 2, byte(i)}), "x"})
	}
	if n := len(h.seen); n != maxHosts {
		t.Errorf("%d hosts are looked at: want %d", n, maxHosts)
	}
}

func TestAccepts(t *testing.T) {
	on := []link{{prefixes: []netip.Prefix{netip.MustParsePrefix("192.168.1.5/24"), netip.MustParsePrefix("169.254.1.5/16")}}}
	for _, test := range []struct {
		gateway, from string
		want          bool
	}{
		{"", "192.168.1.1", true},
		{"", "192.168.2.1", false},
		{"", "169.254.1.1", false},
		{"", "127.0.0.1", false},
		{"192.168.1.1", "192.168.1.1", true},
		{"192.168.1.1", "192.168.1.2", false},
		{"10.0.0.1", "10.0.0.1", true},
	} {
		f := &Finder{}
		if test.gateway != "" {
			f.Gateway = netip.MustParseAddr(test.gateway)
		}
		if got := (&searcher{finder: f, links: on}).accepts(netip.MustParseAddr(test.from)); got != test.want {
			t.Errorf("gateway %q, answer from %s: %t", test.gateway, test.from, got)
		}
	}
}

func TestFindMistakes(t *testing.T) {
	for want, f := range map[string]*Finder{
		`no network interface "nosuch0" is up`: {Interface: "nosuch0"},
		"is this machine's own":                {Gateway: netip.MustParseAddr("::ffff:127.0.0.1")},
		"is link-local":                        {Gateway: netip.MustParseAddr("169.254.1.1")},
		"give its IPv4 address":                {Gateway: netip.MustParseAddr("2001:db8::1")},
	} {
		if _, _, err := f.Find(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: want %s", err, want)
		}
	}
}

func TestFetchMistakes(t *testing.T) {
	for url, want := range map[string]string{
		"http://router.lan/desc.xml":            "names a host by name",
		"http://127.0.0.1/desc.xml":             "is this machine's own",
		"http://[::ffff:127.0.0.1]/desc.xml":    "is this machine's own",
		"http://169.254.169.254/latest/meta":    "is link-local",
		"http://239.255.255.250:1900/desc.xml":  "is for more than one host",
		"https://192.168.1.1/desc.xml":          "expected http://",
		"192.168.1.1":                           "expected http://",
		"http://192.168.1.2:5000/desc.xml":      "is not at the router's address, 192.168.1.1",
		"http://\x1b[31m192.168.1.2/desc.xml":   `\x1b[31m`,
		"http://192.168.1.1:5000/" + "\x00desc": `\x00`,
	} {
		f := &Finder{Gateway: netip.MustParseAddr("192.168.1.1")}
		if _, err := f.Fetch(t.Context(), url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v: want %s", plain.Line(url), err, want)
		}
	}
	_, err := (&Finder{}).Fetch(t.Context(), "http://127.0.0.1/desc.xml")
	if !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
}

// TestFetchedIsPinned has a description whose control URL names a host by name:
// what is dialled is the router's address and no other.
func TestFetchedIsPinned(t *testing.T) {
	f := newFake(t, upnp.URN_WANIPConnection_1)
	f.do = func(string, map[string]string) (string, int) {
		return "<NewExternalIPAddress>192.0.2.1</NewExternalIPAddress>", 0
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, strings.Replace(describe("uuid:1", upnp.URN_WANIPConnection_1), "/ctl", fmt.Sprintf("http://localhost:%d/ctl", f.addr.Port()), 1))
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	r, err := (&Finder{AllowLoopback: true}).Fetch(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if r.Services[0].ControlURL != f.URL+"/ctl" {
		t.Errorf("control URL %s", r.Services[0].ControlURL)
	}
	if a, err := r.Connection(r.Services[0]).ExternalAddress(t.Context()); err != nil || a.String() != "192.0.2.1" {
		t.Errorf("%s, %v", a, err)
	}
}
