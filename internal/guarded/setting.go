package guarded

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// How long a device waits for a change to be claimed.
const (
	defaultRevertAfter = 30 * time.Second
	minRevertAfter     = 5 * time.Second // a dial and an exec over a slow line
	maxRevertAfter     = time.Hour
)

// RevertAfter is the attribute revert_after of a block, for a device that goes
// by this name: "gateway".
func RevertAfter(noun string) hcldec.Spec {
	return &hcldec.ValidateSpec{
		Wrapped: &hcldec.AttrSpec{Name: "revert_after", Type: cty.String},
		Func:    func(v cty.Value) hcl.Diagnostics { return checkRevertAfter(v, noun) },
	}
}

// ParseRevertAfter reads the attribute; null is the usual time. It panics if
// RevertAfter would not have let it pass.
func ParseRevertAfter(v cty.Value) time.Duration {
	d, err := parseRevertAfter(v)
	if err != nil {
		panic("an unchecked revert_after: " + err.Error())
	}
	return d
}

func parseRevertAfter(v cty.Value) (time.Duration, error) {
	if v.IsNull() || !v.IsKnown() {
		return defaultRevertAfter, nil
	}
	d, err := time.ParseDuration(v.AsString())
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration", v.AsString())
	}
	if d != 0 && (d < minRevertAfter || d > maxRevertAfter) {
		return 0, fmt.Errorf("%s is not between %s and %s", d, minRevertAfter, maxRevertAfter)
	}
	return d, nil
}

func checkRevertAfter(v cty.Value, noun string) hcl.Diagnostics {
	if _, err := parseRevertAfter(v); err != nil {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Invalid revert_after",
			Detail:   fmt.Sprintf("revert_after is how long the %s waits for a sign that it can still be reached, before it takes a change back: a duration such as \"30s\", or \"0s\" for no such protection. But %s.", noun, err),
		}}
	}
	return nil
}
