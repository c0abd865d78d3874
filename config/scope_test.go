package config

import (
	"regexp"
	"strings"
	"testing"
)

// testScope is what expressions can refer to in a configuration with a bit of
// everything.
func testScope(t testing.TB) *Scope {
	t.Helper()
	const text = `
btplan {
  project = "home"
}
variable "password" {
  default   = { user = "alice", word = "hunter2" }
  sensitive = true
}
locals {
  none = null
}
machine "pc" {
  address = "192.168.1.11"
}
machine "many" {
  count   = 2
  address = cidrhost("192.168.1.0/24", 20 + count.index)
}
machine "no" {
  count   = 0
  address = "192.168.1.12"
}
gateway "upnp" "home" {
  lease = "1h"
}
port_range "bt" {
  for_each = { alice = 6881 }
  machine  = machine.pc
  gateways = [gateway.home]
  ports    = each.value
}
`
	l := newLoader(".", testTypes())
	l.load(sources{config: []source{{"main.btp.hcl", []byte(text)}}})
	if l.diags.HasErrors() {
		t.Fatal(l.diags)
	}
	return &Scope{l}
}

// scopeTests are expressions, and what they come to or what is wrong with them.
var scopeTests = []struct{ expr, want string }{
	// Nothing in the configuration refers to machine.many.
	{`machine.many[*].address`, `["192.168.1.20","192.168.1.21"]`},
	{`machine.many[1].id`, `"machine.many[1]"`},
	{`machine.no`, `[]`},
	{`gateway.home.lease`, `"1h"`},
	{`port_range.bt["alice"].ports`, `["6881"]`},
	{`port_range.bt["alice"].gateways`, `["gateway.home"]`},
	{`ports(6881, 9)`, `"6881-6889"`},
	{`local.none`, `null`},
	{`nonsensitive(var.password).word`, `"hunter2"`},
	{`var.password`, `sensitive`},
	{`[var.password.user]`, `sensitive`},
	{`machine.pc.firewal`, `A machine has no attribute "firewal". Did you mean "firewall"?`},
	{`machine.many.address`, `machine.many has count: say which of its instances is meant, as in machine.many[0].`},
	{`machine.manny`, `There is no machine.manny. Did you mean machine.many?`},
	{`each.key`, `"each" has a value only inside a machine, gateway or port_range block with for_each.`},
	{`output.x`, `There is nothing called "output" here. A reference begins with var, local, machine, gateway or port_range. A string needs quotes.`},
	{`var.password.nobody`, `The cause is not shown because this expression uses a sensitive value.`},
	{`try(prts(1, 2), 0)`, `There is no function named "prts". Did you mean "ports"?`},
	{`{ a = [1e300 * 1e300] }`, `Number beyond all bounds`},
	{`-1 / 0`, `Number beyond all bounds`},
}

func TestScope(t *testing.T) {
	s := testScope(t)
	for _, test := range scopeTests {
		expr, diags := ParseExpression([]byte(test.expr), "test")
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		// A mistake leaves nothing behind: it can be made again.
		for range 2 {
			v, diags := s.Value(expr)
			got := "sensitive"
			switch {
			case diags.HasErrors():
				got = diags[0].Summary + ": " + diags[0].Detail
			case !v.ContainsMarked():
				got = jsonOf(t, v)
			}
			if got != test.want && (len(diags) != 1 || !strings.Contains(got, test.want)) {
				t.Errorf("%s\ncomes to %s (%v)\nwant     %s", test.expr, got, diags, test.want)
			}
		}
	}
}

// FuzzScope evaluates anything. Whatever comes of it is known and can be
// written out, or is a diagnostic that has a place and gives nothing away.
func FuzzScope(f *testing.F) {
	for _, test := range scopeTests {
		f.Add(test.expr)
	}
	s := testScope(f)
	huge := regexp.MustCompile(`[eE][+-]?[0-9]{5}`) // see FuzzLoad
	f.Fuzz(func(t *testing.T, text string) {
		if huge.MatchString(text) {
			t.Skip()
		}
		expr, diags := ParseExpression([]byte(text), "test")
		if diags.HasErrors() {
			return
		}
		v, diags := s.Value(expr)
		for _, d := range diags {
			if d.Summary == "" || d.Subject == nil {
				t.Errorf("a diagnostic without a summary or a place: %+v", d)
			}
			if strings.Contains(d.Detail, "hunter2") && !strings.Contains(text, "nonsensitive") {
				t.Errorf("a secret is told: %s", d.Detail)
			}
		}
		if !diags.HasErrors() && (!v.IsWhollyKnown() || holdsBoundless(v)) {
			t.Errorf("%q comes to %#v", text, v)
		}
	})
}
