package igd

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"
)

func TestExternalAddress(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7":          "203.0.113.7",
		" 100.64.0.9\n":        "100.64.0.9",
		"::ffff:192.168.178.2": "192.168.178.2",
		"":                     "error: the router at 127.0.0.1: it has no address on the Internet's side",
		"0.0.0.0":              "error: the router at 127.0.0.1: it has no address on the Internet's side",
		"down\u202e":           `error: the router at 127.0.0.1 gives "down\u202e" as its address on the Internet's side, which is none`,
	} {
		f := newFake(t, upnp.URN_WANPPPConnection_1)
		f.do = func(string, map[string]string) (string, int) {
			return "<NewExternalIPAddress>" + text + "</NewExternalIPAddress>", 0
		}
		a, err := f.connect(t).ExternalAddress(t.Context())
		got := a.String()
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
		if errors.Is(err, ErrNoExternalAddress) != strings.HasSuffix(want, "side") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestStatus(t *testing.T) {
	f := newFake(t, upnp.URN_WANIPConnection_1)
	f.do = func(string, map[string]string) (string, int) {
		return "<NewConnectionStatus>connected</NewConnectionStatus><NewLastConnectionError>ERROR_NONE</NewLastConnectionError><NewUptime>3600</NewUptime>", 0
	}
	got, err := f.connect(t).Status(t.Context())
	if want := (Status{true, "connected", "ERROR_NONE", time.Hour}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestConnect has a router with three services, each in a state of its own.
func TestConnect(t *testing.T) {
	const up, down, dead = "up", "down", "dead" // and else: up, but without an address
	for _, test := range []struct{ states, want string }{
		{"up,up,up", "0"},
		{"down,up,up", "1"},
		{"no address,up,up", "1"},
		{"no address,down,down", "0"},
		{"down,down,no address", "2"},
		{"dead,down,down", "1"},
		{"dead,dead,dead", "error"},
	} {
		states := strings.Split(test.states, ",")
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				_, _ = fmt.Fprintf(w, "<root><device><UDN>uuid:1</UDN><serviceList>")
				for i := range states {
					_, _ = fmt.Fprintf(w, "<service><serviceType>%s</serviceType><serviceId>%d</serviceId><controlURL>/%d</controlURL></service>", upnp.URN_WANIPConnection_1, i, i)
				}
				_, _ = fmt.Fprint(w, "</serviceList></device></root>")
				return
			}
			result := "<NewConnectionStatus>Disconnected</NewConnectionStatus>"
			switch state := states[r.URL.Path[1]-'0']; {
			case state == dead:
				http.Error(w, "", http.StatusNotFound)
				return
			case state != down:
				result = "<NewConnectionStatus>Connected</NewConnectionStatus>"
				if state == up {
					result += "<NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>"
				}
			}
			_, _ = fmt.Fprint(w, "<Envelope><Body><r>"+result+"</r></Body></Envelope>")
		}))
		r, err := (&Finder{AllowLoopback: true}).Fetch(t.Context(), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		got := "error"
		if c, err := r.Connect(t.Context()); err == nil {
			got = c.Service.ID
		}
		server.Close()
		if got != test.want {
			t.Errorf("%s: connection %s, want %s", test.states, got, test.want)
		}
	}
}
