package host

import (
	"fmt"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// TypeOf is the type of the machines' firewalls that are of one kind.
func TypeOf(k Kind) providers.Type {
	return providers.Type{
		Name:   k.Name,
		Remote: true,
		Spec:   hcldec.ObjectSpec{"revert_after": guarded.RevertAfter(Noun), "program": noProgram(k.Name)},
		Open: func(s providers.Settings) (providers.Device, error) {
			return NewDevice(k, s), nil
		},
	}
}

// noProgram refuses program in the block of a firewall that knows no programs,
// and says why.
func noProgram(name string) hcldec.Spec {
	return &hcldec.ValidateSpec{
		Wrapped: &hcldec.AttrSpec{Name: "program", Type: cty.String},
		Func: func(v cty.Value) hcl.Diagnostics {
			if OptionalText(v) == "" {
				return nil
			}
			return hcl.Diagnostics{{
				Severity: hcl.DiagError,
				Summary:  "This firewall knows no programs",
				Detail:   fmt.Sprintf("A firewall %q opens a port for whatever program listens on it. Those that can tell programs apart are \"windows\" and \"macos\". Leave program out.", name),
			}}
		},
	}
}

// OptionalText is an attribute's text; "" if it has none, or none yet.
func OptionalText(v cty.Value) string {
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return ""
	}
	return v.AsString()
}
