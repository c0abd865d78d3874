package windows

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/providers"
)

// profile is the settings for one category of networks.
type profile struct {
	Name       string `json:"name"`
	Enabled    string `json:"enabled"`
	Inbound    string `json:"inbound"`    // "False": all incoming connections are blocked
	Outbound   string `json:"outbound"`   // "Block": what no rule lets out is dropped
	LocalRules string `json:"localRules"` // "False": policy has it that ours don't count
}

// activeProfiles gives those of the networks that the machine is in, by their
// categories; all of them while it is in none.
func activeProfiles(all []profile, categories []string) []profile {
	if len(categories) == 0 {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), func(p profile) bool {
		return !slices.ContainsFunc(categories, func(category string) bool {
			return strings.HasPrefix(category, p.Name) // DomainAuthenticated has the profile Domain
		})
	})
}

// dropsOutbound says whether what the machine sends is dropped unless a rule
// lets it out. A profile where nobody has set that has NotConfigured, which is
// Allow.
func (p profile) dropsOutbound() bool {
	return !strings.EqualFold(p.Enabled, "False") && strings.EqualFold(p.Outbound, "Block")
}

// problemsOf tells what keeps packets out, or lets them in, whatever rules there
// are, where these profiles count.
func problemsOf(active []profile) []providers.Problem {
	var out []providers.Problem
	for _, p := range active {
		switch {
		case strings.EqualFold(p.Enabled, "False"):
			out = append(out, providers.Problem{
				Summary: "The Windows firewall is off",
				Detail:  fmt.Sprintf("The firewall is turned off for networks of the profile %s, so it shuts no port there. The rules are made all the same, and count from when it is turned on.", p.Name),
				OfRules: true,
			})
		case strings.EqualFold(p.Inbound, "False"):
			out = append(out, providers.Problem{
				Summary: "Windows blocks all incoming connections",
				Detail:  fmt.Sprintf("For networks of the profile %s the firewall is set to block all incoming connections, those in the list of allowed apps too, so no rule opens a port. Turn that setting off.", p.Name),
				OfRules: true,
			})
		case strings.EqualFold(p.LocalRules, "False"):
			out = append(out, providers.Problem{
				Summary: "Policy overrides the rules of the machine",
				Detail:  fmt.Sprintf("Group Policy has it that rules made on the machine itself don't count in networks of the profile %s, so btplan's open no port there. Whoever runs the domain has to allow local rules, or open the ports by policy.", p.Name),
				OfRules: true,
			})
		}
	}
	return out
}
