package simulated

import (
	"fmt"
	"math"
	"time"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// parseLease reads a lease, and gives it in seconds.
func parseLease(s string) (uint32, bool) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > math.MaxUint32*time.Second || d%time.Second != 0 {
		return 0, false
	}
	return uint32(d / time.Second), true
}

// checkLease tells the author of a lease that is none.
func checkLease(v cty.Value) hcl.Diagnostics {
	v, _ = v.Unmark()
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	if _, ok := parseLease(v.AsString()); ok {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Invalid lease",
		Detail:   fmt.Sprintf("%q is not a length of time in whole seconds. Write it like \"168h\" or \"30m\"; \"0s\" is for good.", v.AsString()),
	}}
}

// renew says why a rule with so much of its lease left is to be renewed; ""
// if there is time. All are seconds.
func renew(left, lease uint32) string {
	if left == 0 || left >= lease/2 {
		return ""
	}
	return plan.Lasting(left) + " left of " + plan.Lasting(lease)
}
