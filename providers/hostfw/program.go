package hostfw

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// noProgram refuses program in the block of a firewall that knows no programs,
// and says why.
func noProgram(name string) hcldec.Spec {
	return &hcldec.ValidateSpec{
		Wrapped: &hcldec.AttrSpec{Name: "program", Type: cty.String},
		Func: func(v cty.Value) hcl.Diagnostics {
			if optionalText(v) == "" {
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
