package igd

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"
)

// fake is a router on loopback that does as its test says.
type fake struct {
	*httptest.Server
	addr netip.AddrPort

	// do answers an action: with the elements of its answer, or with a fault.
	do func(action string, args map[string]string) (results string, fault int)

	mu    sync.Mutex
	calls []string // "Action name=value …", in order
}

// newFake starts a router with the service urn.
func newFake(t testing.TB, urn string) *fake {
	f := &fake{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /desc.xml", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, describe("uuid:1", urn))
	})
	mux.HandleFunc("POST /ctl", f.control)
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	f.addr = netip.MustParseAddrPort(f.Listener.Addr().String())
	return f
}

// describe is a description with one service.
func describe(udn, urn string) string {
	return `<root xmlns="urn:schemas-upnp-org:device-1-0"><device><UDN>` + udn + `</UDN><manufacturer>Example</manufacturer><modelName>` + udn + `</modelName><serviceList><service><serviceType>` + urn + `</serviceType><controlURL>/ctl</controlURL></service></serviceList></device></root>`
}

func (f *fake) control(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, action, _ := strings.Cut(strings.Trim(r.Header["Soapaction"][0], `"`), "#")
	document, err := parseElement(body)
	if err != nil || document.find(action) == nil {
		http.Error(w, "not SOAP", http.StatusBadRequest)
		return
	}
	var names []string
	for _, kid := range document.find(action).kids {
		names = append(names, kid.name+"="+kid.text)
	}
	f.mu.Lock()
	f.calls = append(f.calls, strings.TrimSpace(action+" "+strings.Join(names, " ")))
	f.mu.Unlock()
	results, fault := f.do(action, document.find(action).values())
	if fault != 0 {
		w.WriteHeader(http.StatusInternalServerError)
		results = fmt.Sprintf(`<s:Fault><detail><UPnPError><errorCode>%d</errorCode><errorDescription>as scripted</errorDescription></UPnPError></detail></s:Fault>`, fault)
	} else {
		results = "<u:" + action + "Response>" + results + "</u:" + action + "Response>"
	}
	_, _ = fmt.Fprint(w, `<s:Envelope><s:Body>`+results+`</s:Body></s:Envelope>`)
}

// connect gives the connection to the fake.
func (f *fake) connect(t testing.TB) *Connection {
	t.Helper()
	r, err := (&Finder{AllowLoopback: true}).Fetch(t.Context(), f.URL+"/desc.xml")
	if err != nil {
		t.Fatal(err)
	}
	c, err := r.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Router.client.pause = 0
	return c
}

// connectTo gives a connection to whatever serve is, on loopback.
func connectTo(t *testing.T, serve http.HandlerFunc) *Connection {
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	at := netip.MustParseAddrPort(server.Listener.Addr().String())
	control := target{at, "/ctl"}
	c := newClient(origin{addr: at.Addr()}, nil, nil)
	c.pause = 0
	r := &Router{Addr: at, Services: []Service{{upnp.URN_WANIPConnection_1, "", control.String(), control}}, client: c}
	return r.Connection(r.Services[0])
}

// responder answers searches on a port of loopback other than 1900.
type responder struct {
	port     uint16
	mu       sync.Mutex
	searches []string // the targets searched for
}

// respond starts a responder that answers a search for a target with packets,
// from a port that isn't the one that it is asked at.
func respond(t *testing.T, answer func(target string) (packets []string)) *responder {
	listen := func() *net.UDPConn {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	in, out := listen(), listen()
	r := &responder{port: in.LocalAddr().(*net.UDPAddr).AddrPort().Port()}
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := in.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, rest, _ := strings.Cut(string(buf[:n]), "\r\nST: ")
			target, _, _ := strings.Cut(rest, "\r\n")
			r.mu.Lock()
			r.searches = append(r.searches, target)
			r.mu.Unlock()
			for _, packet := range answer(target) {
				_, _ = out.WriteToUDPAddrPort([]byte(packet), from)
			}
		}
	}()
	return r
}

// at is an answer with a LOCATION.
func at(location string) string {
	return "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\nUSN: uuid:1::upnp:rootdevice\r\nEXT:\r\nSERVER: x\r\nLocation:  " + location + "\r\n\r\n"
}

// finder searches for what r answers.
func (r *responder) finder() *Finder {
	return &Finder{Gateway: netip.MustParseAddr("127.0.0.1"), SearchPort: r.port, AllowLoopback: true}
}

// within ends a test's calls when it can't be that they take longer.
func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}
