package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
)

// Discover looks for devices of all types that can be found, side by side. It
// gives them by type and address. A type that could not look has an error
// among the diagnostics.
func Discover(ctx context.Context, types map[string]providers.Type, o providers.DiscoverOptions) ([]providers.Found, hcl.Diagnostics) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(types)), func(name string) bool { return types[name].Discover == nil })
	found, errs := make([][]providers.Found, len(names)), make([]error, len(names))
	var looking group
	looking.setLimit(max(1, len(names)))
	for i, name := range names {
		looking.do(func() { found[i], errs[i] = types[name].Discover(ctx, o) })
	}
	looking.wait()
	var diags hcl.Diagnostics
	for i, err := range errs {
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  fmt.Sprintf("Routers of type %q could not be looked for", names[i]),
				Detail:   sentence(err),
			})
		}
		slices.SortStableFunc(found[i], func(a, b providers.Found) int { return a.Address.Compare(b.Address) })
	}
	return slices.Concat(found...), diags
}
