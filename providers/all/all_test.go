package all_test

import (
	"testing"

	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/all"
)

// Every type can be found under its name, and has what the configuration and
// the engine need of it.
func TestTypes(t *testing.T) {
	for kind, types := range map[string]map[string]providers.Type{
		"gateway":  all.Gateways(),
		"firewall": all.Firewalls(),
	} {
		for name, typ := range types {
			if typ.Name != name {
				t.Errorf("the %s type %q calls itself %q", kind, name, typ.Name)
			}
			if typ.Open == nil {
				t.Errorf("the %s type %q can't be opened", kind, name)
			}
			if typ.Spec == nil {
				t.Errorf("the %s type %q does not say what its block may hold", kind, name)
			}
		}
	}
	if _, ok := all.Gateways()["simulated"]; !ok {
		t.Error("there is no gateway type simulated")
	}
}
