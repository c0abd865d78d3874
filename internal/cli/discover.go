package cli

import (
	"context"

	"github.com/btplan/btplan/internal/engine"
	"github.com/btplan/btplan/internal/view"
	"github.com/btplan/btplan/providers"
)

func (r *run) discover(ctx context.Context, _ []string) int {
	if r.json && r.hcl {
		return r.fail("Options that exclude each other", "-json and -hcl are two forms of the same list. Give one of them.")
	}
	found, diags := engine.Discover(ctx, r.gateways, providers.DiscoverOptions{Interface: r.networkInterface})
	if ctx.Err() != nil {
		return r.fail("Interrupted", "The search was broken off.")
	}
	r.diagnostics(diags, nil)
	switch {
	case r.json:
		say(r.Stdout, "%s", view.FoundJSON(found))
	case len(found) == 0 && diags.HasErrors():
		// Whether there is a router nobody knows.
	case len(found) == 0 && r.hcl:
		say(r.Stderr, "%s", view.NothingFound(r.networkInterface)) // it is no configuration
	case len(found) == 0:
		say(r.Stdout, "%s", view.NothingFound(r.networkInterface))
	case r.hcl:
		say(r.Stdout, "%s", view.StarterHCL(found, func(typeName, attribute string) bool {
			_, takes := r.gateways[typeName].Spec[attribute]
			return takes
		}))
	default:
		say(r.Stdout, "%s", view.FoundText(found))
	}
	if diags.HasErrors() {
		return exitError
	}
	return exitOK
}
