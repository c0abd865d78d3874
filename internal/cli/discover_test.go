package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// findable is a type of gateway of which these routers can be found.
func findable(name string, err error, found ...providers.Found) providers.Type {
	return providers.Type{
		Name: name,
		Spec: hcldec.ObjectSpec{"address": &hcldec.AttrSpec{Name: "address", Type: cty.String}},
		Discover: func(_ context.Context, o providers.DiscoverOptions) ([]providers.Found, error) {
			if o.Interface != "" && o.Interface != "eth0" {
				return nil, errors.New("there is no interface " + o.Interface)
			}
			return found, err
		},
		Open: func(providers.Settings) (providers.Device, error) { return nil, errors.New("not opened") },
	}
}

// runWith runs btplan with these types of gateway.
func runWith(t *testing.T, types map[string]providers.Type, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	r := newRun(Process{Args: append([]string{"btplan"}, args...), Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err}, types, nil)
	code = r.main(t.Context())
	return code, out.String(), err.String()
}

func TestDiscover(t *testing.T) {
	box := providers.Found{
		Type: "upnp", Maker: "Example AG", Model: "Box\x1b[2J 7", UDN: "uuid:1", Address: netip.MustParseAddr("192.168.1.1"),
		From: netip.MustParseAddr("192.168.1.23"), Mappings: 3,
	}
	good := map[string]providers.Type{"upnp": findable("upnp", nil, box), "natpmp": findable("natpmp", nil), "blind": {Name: "blind"}}
	none := map[string]providers.Type{"upnp": findable("upnp", nil)}
	failing := map[string]providers.Type{"upnp": findable("upnp", nil, box), "pcp": findable("pcp", errors.New("no socket"))}
	broken := map[string]providers.Type{"pcp": findable("pcp", errors.New("no socket"))}
	for _, test := range []struct {
		name        string
		types       map[string]providers.Type
		args        []string
		code        int
		out, errors string // what is printed holds this, or is empty
	}{
		{"table", good, nil, 0, `Example AG  Box\x1b[2J 7`, ""},
		{"one interface", good, []string{"-interface=eth0"}, 0, "192.168.1.1", ""},
		{"HCL", good, []string{"-hcl"}, 0, `address = "192.168.1.1"`, ""},
		{"nothing", none, nil, 0, "No routers found on the networks of this computer.", ""},
		{"nothing on an interface", none, []string{"--interface", "eth0"}, 0, "No routers found on the interface eth0.", ""},
		{"nothing as JSON", none, []string{"-json"}, 0, "", ""},
		{"nothing as HCL", none, []string{"-hcl"}, 0, "", "No routers found"},
		{"an error beside a router", failing, nil, 1, "Example AG", `Routers of type "pcp" could not be looked for`},
		{"an error alone", broken, nil, 1, "", "No socket."},
		{"no such interface", none, []string{"-interface=eth9"}, 1, "", "There is no interface eth9."},
		{"two forms", good, []string{"-json", "-hcl"}, 1, "", "Give one of them"},
		{"an argument", good, []string{"eth0"}, 1, "", "takes no arguments"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errors := runWith(t, test.types, append([]string{"discover"}, test.args...)...)
			if code != test.code || !holds(out, test.out) || !holds(errors, test.errors) {
				t.Errorf("exit code %d, printed:\n%s\nand:\n%s", code, out, errors)
			}
		})
	}
}

// holds says whether text has part in it; nothing is a part of nothing only.
func holds(text, part string) bool {
	return strings.Contains(text, part) && (text == "") == (part == "")
}

func TestDiscoverJSON(t *testing.T) {
	types := map[string]providers.Type{"upnp": findable("upnp", nil,
		providers.Found{Type: "upnp", Address: netip.MustParseAddr("192.168.2.1"), Mappings: -1},
		providers.Found{Type: "upnp", Address: netip.MustParseAddr("192.168.1.1"), Mappings: 2},
	)}
	code, out, _ := runWith(t, types, "discover", "-json")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if code != 0 || len(lines) != 2 {
		t.Fatalf("exit code %d, printed:\n%s", code, out)
	}
	for i, want := range []struct {
		address  string
		mappings any
	}{{"192.168.1.1", 2.0}, {"192.168.2.1", nil}} {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		if got["address"] != want.address || got["mappings"] != want.mappings {
			t.Errorf("line %d is %s", i+1, lines[i])
		}
	}
}

// What discover -hcl prints is a configuration that validate takes.
func TestDiscoverThenValidate(t *testing.T) {
	upnp := findable("upnp", nil, providers.Found{Type: "upnp", Address: netip.MustParseAddr("192.168.1.1")})
	upnp.Open = func(providers.Settings) (providers.Device, error) { return &slow{}, nil }
	types := map[string]providers.Type{"upnp": upnp}
	_, starter, _ := runWith(t, types, "discover", "-hcl")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.btp.hcl"), []byte(starter), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errors := runWith(t, types, "-chdir="+dir, "validate")
	if code != 0 || errors != "" {
		t.Errorf("exit code %d, printed:\n%s\nand:\n%s\nof:\n%s", code, out, errors, starter)
	}
	if code, out, _ := runWith(t, types, "-chdir="+dir, "fmt", "-check"); code != 0 {
		t.Errorf("it is not formatted: %s", out)
	}
}
