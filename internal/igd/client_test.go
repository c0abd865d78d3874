package igd

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const wantAddress = `<s:Envelope><s:Body><r><NewExternalIPAddress>192.0.2.1</NewExternalIPAddress></r></s:Body></s:Envelope>`

// ask makes a call of which only the way there and back matters.
func ask(c *Connection) error {
	_, err := c.ExternalAddress(context.Background())
	return err
}

func TestRequest(t *testing.T) {
	var got *http.Request
	c := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write([]byte(wantAddress))
	})
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	if host := c.Router.Addr.String(); got.Host != host || got.Method != http.MethodPost || got.URL.Path != "/ctl" {
		t.Errorf("%s http://%s%s: want POST http://%s/ctl", got.Method, got.Host, got.URL.Path, host)
	}
	if !got.Close || got.ContentLength <= 0 || len(got.TransferEncoding) > 0 {
		t.Errorf("the connection is kept (%t) or the body has no length (%d): routers get along with neither", !got.Close, got.ContentLength)
	}
	if got.Header.Get("Accept-Encoding") != "" {
		t.Errorf("asks for %s", got.Header.Get("Accept-Encoding"))
	}
	// net/http looks at HTTP_PROXY once, and never for loopback.
	if c.Router.client.http.Transport.(*http.Transport).Proxy != nil {
		t.Error("goes through a proxy")
	}
}

// TestHeaderSpelling reads what is sent as it is: net/http, which the other
// tests' routers are made of, knows headers in any spelling.
func TestHeaderSpelling(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	sent := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		buf := make([]byte, 4096)
		n, _ := conn.Read(buf)
		sent <- string(buf[:n])
		_, _ = conn.Write([]byte("HTTP/1.0 200 OK\r\n\r\n" + wantAddress))
	}()
	c := connectTo(t, nil)
	at := netip.MustParseAddrPort(listener.Addr().String())
	c.Service.control.addr = at
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	want := "\r\nSOAPACTION: \"urn:schemas-upnp-org:service:WANIPConnection:1#GetExternalIPAddress\"\r\n"
	if got := <-sent; !strings.Contains(got, want) || !strings.Contains(got, "\r\nHost: "+at.String()+"\r\n") {
		t.Errorf("sent:\n%s\nwithout%s", got, want)
	}
}

func TestRefusesAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		want  string
	}{
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/ctl" {
				http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
				return
			}
			t.Error("a redirect was followed")
			_, _ = w.Write([]byte(wantAddress))
		}, "307"},
		"10 MB": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Replace(wantAddress, "<r>", "<r>"+strings.Repeat(" ", 10<<20), 1)))
		}, "more than 1024 KiB"},
		"without end": {func(w http.ResponseWriter, _ *http.Request) {
			for err := error(nil); err == nil; {
				_, err = w.Write(make([]byte, 64<<10))
			}
		}, "more than 1024 KiB"},
		"deep": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Repeat("<a>", 65) + strings.Repeat("</a>", 65)))
		}, "elements more than 64 deep"},
		"wide": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<a>" + strings.Repeat("<a/>", 10_000) + "</a>"))
		}, "more than 10000 elements"},
		"entities": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`<!DOCTYPE l [<!ENTITY a "192.0.2.1">]>` + strings.Replace(wantAddress, "192.0.2.1", "&a;", 1)))
		}, `gives "&a;" as its address`},
		"header": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 100<<10))
			_, _ = w.Write([]byte(wantAddress))
		}, "header"},
		"error page": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte("<html><body>\x1b[31mlater</body></html>"))
		}, "it answers GetExternalIPAddress with a web page, and the HTTP status 503 Service Unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			err := ask(connectTo(t, test.serve))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("%v: want an error with %q", err, test.want)
			}
			if !strings.HasPrefix(err.Error(), "the router at 127.0.0.1") {
				t.Errorf("it doesn't say where: %v", err)
			}
		})
	}
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	c := connectTo(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<s:Envelope>"))
		w.(http.Flusher).Flush()
		<-release
	})
	defer close(release)
	if c.Router.client.timeout != 5*time.Second {
		t.Errorf("a call may take %s", c.Router.client.timeout)
	}
	c.Router.client.timeout = 50 * time.Millisecond
	err := ask(c)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnanswered) || !strings.Contains(err.Error(), "no answer: none within 50ms") {
		t.Error(err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	c := connectTo(t, func(http.ResponseWriter, *http.Request) {
		cancel()
		<-release
	})
	defer close(release)
	if _, err := c.List(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnanswered) {
		t.Error(err)
	}
}

// reset closes a connection such that the other side sees a reset.
func reset(t *testing.T, w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func TestReset(t *testing.T) {
	var calls atomic.Int32
	c := connectTo(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			reset(t, w)
			return
		}
		_, _ = w.Write([]byte(wantAddress))
	})
	if err := ask(c); err != nil {
		t.Errorf("one reset: %v", err)
	}

	calls.Store(0)
	c = connectTo(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); reset(t, w) })
	if err := ask(c); !errors.Is(err, syscall.ECONNRESET) || !errors.Is(err, ErrUnanswered) {
		t.Errorf("%v: want a connection reset", err)
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("%d calls: want 2", n)
	}

	// In the pause after a reset, the caller may give up.
	ctx, cancel := context.WithCancel(context.Background())
	calls.Store(0)
	c = connectTo(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); reset(t, w); cancel() })
	c.Router.client.pause = time.Hour
	if _, err := c.ExternalAddress(ctx); err == nil || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

func TestOneAtATime(t *testing.T) {
	var now atomic.Int32
	together := make(chan struct{}, 8)
	c := connectTo(t, func(w http.ResponseWriter, _ *http.Request) {
		if now.Add(1) > 1 {
			together <- struct{}{}
		}
		select { // leaves others the time to come
		case <-together:
			t.Error("two calls at once")
		case <-time.After(20 * time.Millisecond):
		}
		now.Add(-1)
		_, _ = w.Write([]byte(wantAddress))
	})
	done := make(chan error)
	for range 8 {
		go func() { done <- ask(c) }()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestDialsNobodyElse(t *testing.T) {
	c := connectTo(t, func(http.ResponseWriter, *http.Request) { t.Error("dialled") })
	c.Service.control.addr = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), c.Router.Addr.Port())
	if err := ask(c); !errors.Is(err, ErrAddress) {
		t.Error(err)
	}
}

func TestDial(t *testing.T) {
	c := connectTo(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(wantAddress)) })
	var dialled []string
	var counted bytes.Buffer
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled = append(dialled, network+" "+address)
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	c.Router.client = newClient(origin{addr: c.Router.Addr.Addr()}, dial, func(action string) { counted.WriteString(action) })
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	if len(dialled) != 1 || dialled[0] != "tcp "+c.Router.Addr.String() {
		t.Errorf("dialled %q", dialled)
	}
	if counted.String() != "GetExternalIPAddress" {
		t.Errorf("counted %q", counted.String())
	}
}
