package hostfw

import (
	"errors"
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/firewalld"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/packetfilter"
	"github.com/btplan/btplan/providers/hostfw/ufw"
)

// autoName is the type that takes whatever firewall is active.
const autoName = "auto"

// autoKinds are those among which auto looks on a Linux, those first that write
// other people's rules for them. Of nftables and iptables it takes what is there.
var autoKinds = []host.Kind{anotherSystem, ufw.Kind, firewalld.Kind, packetfilter.Any}

// unusable says why a firewall that was found can't be taken.
func unusable(k host.Kind, err error) error {
	if k.Name == packetfilter.Any.Name || k.Name == anotherSystem.Name {
		return err // which says what it is about
	}
	return fmt.Errorf("firewall \"auto\" has found %s on the machine, which it can't take: %w", k.Name, err)
}

// autoKind is the one of autoKinds that is active.
var autoKind = host.Kind{
	Name: autoName,
	Script: func(project string, whole bool) string {
		var b strings.Builder
		for _, k := range autoKinds {
			b.WriteString(k.Script(project, whole))
		}
		return b.String()
	},
	Read: detect,
}

// detect finds the firewall that is active. One that writes the rules of
// nftables or iptables for people wins over those rules, and one that is
// installed but not active is no firewall.
func detect(project string, p script.Printed) (*host.Holding, error) {
	var found *host.Holding
	var idle, others []string
	for _, k := range autoKinds {
		h, err := k.Read(project, p)
		switch {
		case err != nil && found == nil:
			return nil, unusable(k, err)
		case err != nil || h == nil:
		case h.Active && found == nil:
			found = h
		// Rules of ours stay where they are: to make them a second time
		// elsewhere would leave these behind.
		case len(h.Ours()) > 0 && h.Active:
			return nil, fmt.Errorf("%s is active on the machine, but the rules of this project are in %s, from before. Write firewall %q in the machine's block and run btplan destroy, then write firewall \"auto\" again", found, h, h.String())
		case len(h.Ours()) > 0:
			return nil, fmt.Errorf("%s holds rules of this project, but is not active, and firewall \"auto\" takes an active one. Turn it on again, or write firewall %q in the machine's block and run btplan destroy", h.Filter, h.String())
		// A packet filter is always there.
		case h.Active && k.Name != packetfilter.Any.Name:
			others = append(others, h.String())
		default:
			idle = append(idle, h.String()+" is there, but not active")
		}
	}
	if found != nil {
		found.Found = found.String()
		if k := found.String(); k == ufw.Kind.Name || k == firewalld.Kind.Name {
			packetfilter.WarnOfOthers(found, project, p, append(others, k)...)
		}
		for _, other := range others {
			found.Problems = append(found.Problems, providers.Problem{
				Summary: other + " is active too",
				Detail:  fmt.Sprintf("The machine has two firewalls that don't know of each other. btplan opens the ports in %s, and what %s drops stays out. Turn one of them off.", found, other),
			})
		}
		return found, nil
	}
	if len(idle) > 0 {
		return nil, providers.Flag(fmt.Errorf("no firewall that btplan knows is active on the machine (%s). Turn one on, name it in the machine's block to have the rules there ready, or take the firewall block out: without a firewall nothing shuts the ports", strings.Join(idle, "; ")), providers.ErrUnsupported)
	}
	return nil, providers.Flag(errors.New("no firewall that btplan knows was found on the machine. If packets are dropped there by something else, open the ports by hand; else take the firewall block out: without a firewall nothing shuts them"), providers.ErrUnsupported)
}
