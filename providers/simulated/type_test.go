package simulated

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/hashicorp/hcl/v2"
)

func TestFileName(t *testing.T) {
	home := plan.Addr{Block: plan.BlockGateway, Name: "home"}
	keyed := func(k plan.Key) plan.Addr { a := home; a.Key = k; return a }
	absolute := filepath.Join(t.TempDir(), "rules.json")
	for _, c := range []struct {
		addr plan.Addr
		file cty.Value
		want string
	}{
		{home, cty.NullVal(cty.String), "conf/home.simulated.json"},
		{keyed(plan.NumKey(0)), cty.NullVal(cty.String), "conf/home.0.simulated.json"},
		{keyed(plan.TextKey("alice")), cty.NullVal(cty.String), "conf/home.alice.simulated.json"},
		{keyed(plan.TextKey("../a b.c\x00é")), cty.NullVal(cty.String), "conf/home.%2E%2E%2Fa%20b%2Ec%00%C3%A9.simulated.json"},
		{home, cty.StringVal("state/home.json"), "conf/state/home.json"},
		{home, cty.StringVal(absolute), absolute},
		{plan.Addr{Block: plan.BlockMachine, Name: "home"}, cty.NullVal(cty.String), "conf/home.firewall.json"},
		{plan.Addr{Block: plan.BlockMachine, Name: "home", Key: plan.NumKey(0)}, cty.NullVal(cty.String), "conf/home.0.firewall.json"},
		{plan.Addr{Block: plan.BlockMachine, Name: "home"}, cty.StringVal("state/home.json"), "conf/state/home.json"},
	} {
		typ := Type()
		if c.addr.Block == plan.BlockMachine {
			typ = Firewall()
		}
		dev, err := typ.Open(providers.Settings{
			Addr: c.addr, Dir: "conf", Body: cty.ObjectVal(map[string]cty.Value{"file": c.file, "lease": cty.NullVal(cty.String)}),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := filepath.ToSlash(dev.(*device).file.path); got != filepath.ToSlash(c.want) {
			t.Errorf("%s with file = %#v: %s, want %s", c.addr, c.file, got, c.want)
		}
	}
}

// An author's mistake in the block is a diagnostic that shows where it is.
func TestSpec(t *testing.T) {
	for body, want := range map[string]string{
		``:                      "",
		`file = "home.json"`:    "",
		`file = ""`:             "Invalid file",
		`file = "rules/"`:       "Invalid file",
		`file = "a\nb.json"`:    "Invalid file",
		`file = ["home.json"]`:  "Incorrect attribute value type",
		`files = ["home.json"]`: "Unsupported argument",
		`lease = "168h"`:        "",
		`lease = "0s"`:          "",
		`lease = "1 day"`:       "Invalid lease",
		`lease = "-1h"`:         "Invalid lease",
		`lease = "1500ms"`:      "Invalid lease",
		`lease = "1193047h"`:    "Invalid lease",
	} {
		f, diags := hclsyntax.ParseConfig([]byte(body), "main.btp.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		_, diags = hcldec.Decode(f.Body, Type().Spec, nil)
		switch {
		case want == "" && len(diags) > 0:
			t.Errorf("%s: %v", body, diags)
		case want != "" && (len(diags) != 1 || !strings.Contains(diags[0].Summary, want) || diags[0].Subject == nil):
			t.Errorf("%s: %v, want %s and where", body, diags, want)
		}
	}
}
