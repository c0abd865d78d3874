package netfilter

import (
	"regexp"
	"strings"
	"testing"

	"github.com/btplan/btplan/internal/iptables"
)

// Every project has chains of its own whose names fit.
func TestChainName(t *testing.T) {
	const long = "a-project-with-a-long-name"
	seen := map[string]string{}
	for _, project := range []string{"home", "home-2", "dnat", "sixteen-letters_", "seventeen-letters", long, long + "2", strings.Repeat("a", 32)} {
		const generation = "0123456789ab"
		forwards, host := GatewayNames(project), HostNames(project)
		names := []string{forwards.GenerationChain(generation), host.GenerationChain(generation)}
		for _, kind := range []string{"PRE", "DNAT", "POST", "FWD", "MARK"} {
			names = append(names, forwards.Chain(kind))
		}
		for _, kind := range []string{"IN", "OUT"} {
			names = append(names, host.Chain(kind))
		}
		for _, name := range names {
			if len(name) > iptables.MaxChain || iptables.CheckName(name) != nil {
				t.Errorf("%s: %q has %d bytes", project, name, len(name))
			}
			if other, taken := seen[name]; taken {
				t.Errorf("%s and %s both have chain %s", project, other, name)
			}
			seen[name] = project
		}
	}
	if got := GatewayNames("home").Chain("DNAT"); got != "BTPLAN-DNAT-home" {
		t.Errorf("got %s", got)
	}
}

// A machine that is a gateway too has two sets of chains: neither is taken for
// the other.
func TestAnyChain(t *testing.T) {
	for _, project := range []string{"home", "host-home", "seventeen-letters"} {
		for _, names := range [][2]Names{{GatewayNames(project), HostNames(project)}, {HostNames(project), GatewayNames(project)}} {
			pattern := regexp.MustCompile("^" + names[0].anyChain() + "$")
			if !pattern.MatchString(names[0].Chain("IN")) || pattern.MatchString(names[1].Chain("IN")) {
				t.Errorf("%s of %s and %s", pattern, names[0].Chain("IN"), names[1].Chain("IN"))
			}
		}
	}
}
