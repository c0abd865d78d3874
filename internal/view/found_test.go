package view

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/plain"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/tools/txtar"
)

// routers are what the archives of TestFound may be about, by name.
var routers = map[string]providers.Found{
	"box": {
		Type: "upnp", Maker: "Example AG", Model: "Box 7", UDN: "uuid:1", Address: netip.MustParseAddr("192.168.1.1"),
		From: netip.MustParseAddr("192.168.1.23"), URL: "http://192.168.1.1:5000/rootDesc.xml", WAN: netip.MustParseAddr("203.0.113.7"),
		Services: []string{"WANIPConnection:2", "WANPPPConnection:1"}, Mappings: 12,
	},
	"box-natpmp": {Type: "natpmp", Address: netip.MustParseAddr("192.168.1.1"), WAN: netip.MustParseAddr("203.0.113.7"), Mappings: -1},
	"second": {
		Type: "upnp", Model: "Box 7", UDN: "uuid:2", Address: netip.MustParseAddr("192.168.1.1"), Mappings: 0,
		Notes: []string{"Its outside address 100.64.0.1 is not a public one: there is another NAT behind it."},
	},
	"far": {Type: "upnp", Maker: "Example AG", Model: "Repeater", UDN: "uuid:3", Address: netip.MustParseAddr("192.168.2.1"), Mappings: -1},
	"hostile": {
		Type: "upnp", Maker: "\x1b[2J\r\n}\nbtplan {", Model: "a\tb\u202e" + strings.Repeat("x", 300), UDN: "${file(\"/etc/passwd\")}\"\n",
		Address: netip.MustParseAddr("fe80::1%eth0"), From: netip.MustParseAddr("fe80::2%eth0"), URL: "http://\u009b1m/",
		Services: []string{"a\nb"}, Mappings: 1, Notes: []string{"It says \"\x07\n}\"."},
	},
}

// TestFound prints lists of routers: the archives name them.
func TestFound(t *testing.T) {
	golden(t, "found-*.txtar", func(t *testing.T, in map[string]string) []txtar.File {
		var found []providers.Found
		for name := range strings.FieldsSeq(in["routers"]) {
			f, exists := routers[name]
			if !exists {
				t.Fatalf("there is no %s", name)
			}
			found = append(found, f)
		}
		starter := StarterHCL(found, func(typeName, attribute string) bool {
			return attribute == "address" || typeName == "upnp" && attribute == "udn"
		})
		wantValid(t, starter, len(oneEach(found)))
		out := []txtar.File{
			{Name: "text", Data: []byte(FoundText(found))},
			{Name: "json", Data: FoundJSON(found)},
			{Name: "hcl", Data: starter},
		}
		for _, f := range out {
			if plain.Text(string(f.Data)) != string(f.Data) {
				t.Errorf("%s is not fit for a terminal: %q", f.Name, f.Data)
			}
		}
		return out
	})
}

// wantValid loads a configuration: it has to be right as it stands.
func wantValid(t *testing.T, source []byte, gateways int) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.btp.hcl"), source, 0o600); err != nil {
		t.Fatal(err)
	}
	address := &hcldec.AttrSpec{Name: "address", Type: cty.String}
	udn := &hcldec.AttrSpec{Name: "udn", Type: cty.String}
	c, _, diags := config.Load(dir, config.Options{Gateways: map[string]hcldec.ObjectSpec{
		"upnp": {"address": address, "udn": udn}, "natpmp": {"address": address},
	}})
	if len(diags) > 0 {
		t.Fatalf("%v in:\n%s", diags, source)
	}
	if len(c.Gateways) != gateways || len(c.Wanted()) != 2 {
		t.Errorf("%d gateways, not %d, and %v is wanted", len(c.Gateways), gateways, c.Wanted())
	}
}

func TestNothingFound(t *testing.T) {
	for _, name := range []string{"", "eth0", "\x1b[2J"} {
		text := NothingFound(name)
		if plain.Text(text) != text || !strings.HasPrefix(text, "No routers found ") {
			t.Errorf("%q", text)
		}
		if slices.ContainsFunc(strings.Split(text, "\n"), func(line string) bool { return len(line) > 80 }) {
			t.Errorf("a line is too long in:\n%s", text)
		}
	}
}
