package igd

import (
	"errors"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/btplan/btplan/internal/plain"
)

// seeds adds a file of each archive of a directory.
func seeds(f *testing.F, dir, file string) {
	paths, _ := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, a := range archive.Files {
			if a.Name == file {
				f.Add(a.Data)
			}
		}
	}
}

// fit checks that an error can be shown on a terminal.
func fit(t *testing.T, err error) {
	if err != nil && plain.Line(err.Error()) != err.Error() {
		t.Errorf("the error isn't fit for a terminal: %q", err)
	}
}

// FuzzSearchAnswer: whatever answers a search, nobody else is dialled.
func FuzzSearchAnswer(f *testing.F) {
	f.Add([]byte(at("http://192.168.1.1:5000/desc.xml")))
	f.Add([]byte(at("http://[::ffff:127.0.0.1]:80/?%x")))
	f.Add([]byte(at("http://192.168.1.1@8.8.8.8/")))
	f.Fuzz(func(t *testing.T, packet []byte) {
		location := parseLocation(packet)
		for _, named := range []bool{false, true} {
			checkPinned(t, origin{homeRouter.addr, named}, location)
		}
	})
}

// checkPinned checks that text leads to o or is refused, and that the URL that
// it gives is read as it was meant.
func checkPinned(t *testing.T, o origin, text string) {
	got, err := o.pin(text)
	fit(t, err)
	if err != nil {
		return
	}
	if got.addr.Addr() != o.addr || got.addr.Port() == 0 {
		t.Fatalf("%q leads to %s", text, got)
	}
	host, again, err := parseURL(got.String())
	if a, isLiteral := literal(host); err != nil && len(text) < maxURL/4 || err == nil && (!isLiteral || a != o.addr || again.addr.Port() != got.addr.Port() || again.path != got.path) {
		t.Fatalf("%q gives %s, which is read as %q %s, %v", text, got, host, again, err)
	}
}

// FuzzDescription: whatever a description holds, what comes of it is bounded and
// leads to the router.
func FuzzDescription(f *testing.F) {
	seeds(f, "descriptions", "description.xml")
	f.Fuzz(func(t *testing.T, document []byte) {
		r, err := parseDescription(document, homeRouter, homeTarget)
		fit(t, err)
		if err != nil {
			return
		}
		if len(r.Services) == 0 {
			t.Fatal("a router without a service")
		}
		for _, s := range r.Services {
			if s.control.addr.Addr() != homeRouter.addr {
				t.Fatalf("the control URL is %s", s.ControlURL)
			}
		}
		for _, text := range []string{r.UDN, r.FriendlyName, r.Manufacturer, r.ModelName, r.ModelNumber} {
			if len(text) > maxText {
				t.Fatalf("a text of %d bytes", len(text))
			}
		}
	})
}

// FuzzAnswer: an answer is a result, a fault or an error, and a list a list or
// an error.
func FuzzAnswer(f *testing.F) {
	seeds(f, "answers", "answer.xml")
	listing, _ := (&table{entries: entries(1, 2)}).window(map[string]string{"NewStartPort": "1", "NewEndPort": "9", "NewProtocol": "TCP"})
	f.Add([]byte("<Envelope><Body><r>" + listing + "</r></Body></Envelope>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		result, err := parseAnswer("Ask", answer{200, "200 OK", body})
		fit(t, err)
		if err != nil {
			var fault *Fault
			if !errors.As(err, &fault) && !errors.Is(err, ErrAnswer) {
				t.Fatalf("%v is neither a fault nor no answer", err)
			}
			return
		}
		m := parseMapping(result.values())
		if len(m.Description) > maxText || len(m.ClientName) > maxText || m.Client.IsValid() && m.ClientName != "" || m.Lease < 0 {
			t.Fatalf("%+v", m)
		}
		if string(m.Protocol) != strings.ToLower(string(m.Protocol)) || m.Client.Zone() != "" || m.Client.Is4In6() {
			t.Fatalf("%+v isn't in one form", m)
		}
		list, err := parseListing(result)
		fit(t, err)
		if len(list) > maxElements {
			t.Fatalf("%d mappings", len(list))
		}
	})
}

// FuzzEnvelope: what is said to a router is read by it as it was meant, whatever
// is in it.
func FuzzEnvelope(f *testing.F) {
	f.Add(`</NewPortMappingDescription><NewProtocol>UDP`)
	f.Add("a&b\x00\r\n\u2028 \xff")
	f.Fuzz(func(t *testing.T, text string) {
		document, err := parseElement(envelope("urn:x", "Ask", []argument{{"A", text}, {"B", "1"}}))
		if err != nil {
			t.Fatal(err)
		}
		action := document.find("Body").kids[0]
		if action.name != "Ask" || len(action.kids) != 2 || action.kids[0].name != "A" || len(action.kids[0].kids) > 0 || action.kids[1].text != "1" {
			t.Fatalf("%q gives %+v", text, action)
		}
	})
}

func FuzzLiteral(f *testing.F) {
	f.Add("::ffff:127.0.0.1")
	f.Add("fe80::1%eth0")
	f.Fuzz(func(t *testing.T, text string) {
		a, ok := literal(text)
		if again, err := netip.ParseAddr(a.String()); ok && (err != nil || again != a || checkAddress(a, false) == nil && (a.IsLoopback() || a.IsLinkLocalUnicast())) {
			t.Fatalf("%q is %s", text, a)
		}
	})
}
