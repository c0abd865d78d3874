// Package linuxgw is Linux gateways: port forwarding by DNAT, a way through
// whatever chains drop forwarded packets, and hairpin NAT, with nftables or
// iptables, in a table or in chains of our own that are changed as one.
package linuxgw

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/btplan/btplan/internal/boot"
	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// Type is the gateway type "linux".
func Type() providers.Type {
	return providers.Type{
		Name:   "linux",
		Remote: true,
		Spec: hcldec.ObjectSpec{
			"wan_interface": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "wan_interface", Type: cty.String},
				Func:    checkInterface,
			},
			"backend": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "backend", Type: cty.String},
				Func:    checkBackend,
			},
			"revert_after": guarded.RevertAfter(noun),
		},
		Open: open,
	}
}

// gateway is one Linux gateway.
type gateway struct {
	project string
	addr    plan.Addr
	backend netfilter.Choice
	wan     string // the configured wan_interface; empty: the default route's
	device  guarded.Device
	last    *state // what is known to be there: by the latest Read, or by reading back
}

// noun is what a gateway is called in messages of packages that don't know.
const noun = "gateway"

func (g *gateway) names() netfilter.Names { return netfilter.GatewayNames(g.project) }

func (g *gateway) boot() boot.Script {
	return boot.Script{Name: g.project, Project: g.project, What: "Port forwards"}
}

func open(s providers.Settings) (providers.Device, error) {
	g := &gateway{
		project: s.Project,
		addr:    s.Addr,
		backend: parseBackend(s.Body.GetAttr("backend")),
		device:  guarded.Device{Runner: s.Runner, Name: s.Project, Noun: noun, LockWait: s.LockWait},
	}
	if wan := s.Body.GetAttr("wan_interface"); !wan.IsNull() {
		g.wan = wan.AsString()
	}
	// A change made here can't cut the way to the gateway.
	if !s.Local {
		g.device.RevertAfter = guarded.ParseRevertAfter(s.Body.GetAttr("revert_after"))
	}
	if err := nft.CheckName(g.names().Table().Name); err != nil {
		return nil, fmt.Errorf("the project's name can't be part of a table's name: %w", err)
	}
	return g, nil
}

// Shape joins what can be joined: a gateway holds ranges.
func (g *gateway) Shape(rules []plan.Rule) ([]plan.Rule, error) {
	return plan.Coalesce(rules), nil
}

// Read gives our forwards, and as foreign all other port forwards that the
// gateway's packet filter holds.
func (g *gateway) Read(ctx context.Context) (*providers.Reading, error) {
	s, err := g.read(ctx)
	if err != nil {
		return nil, err
	}
	g.last = s
	return g.ReadBack(), nil
}

// ReadBack gives what was seen by the latest Read or successful Apply.
func (g *gateway) ReadBack() *providers.Reading {
	return &providers.Reading{Rules: g.last.rules, Problems: g.last.problems}
}

func (g *gateway) read(ctx context.Context) (*state, error) {
	out, err := g.device.Read(ctx, g.readScript(), nil)
	if err != nil {
		return nil, g.explain(err)
	}
	f, err := g.parseFacts(out)
	if err != nil {
		return nil, err
	}
	return newState(g, f)
}

// explain says what to do about the failures that have a known remedy.
func (g *gateway) explain(err error) error {
	var exit *remote.ExitError
	if errors.As(err, &exit) && exit.Code == script.ExitNoLock {
		return providers.Flag(fmt.Errorf("two changes at once of iptables-nft would mix, and the gateway has nothing to prevent it, so nothing was done: install flock there, of the package util-linux or an applet of busybox, and see that root can write "+script.LockFile+"; or set backend = \"nftables\" (%w)", err), providers.ErrUnsupported)
	}
	return g.device.Explain(err)
}

// Close leaves the runner to its owner.
func (g *gateway) Close() error { return nil }

// changed gives the entries that the table holds after these changes. Those
// that aren't ours stay.
func (s *state) changed(project string, changes []plan.Change) ([]entry, error) {
	byOwner := map[plan.Addr][]plan.Rule{}
	for _, l := range s.rules {
		if !l.Owner.IsZero() {
			byOwner[l.Owner] = append(byOwner[l.Owner], l.Rule)
		}
	}
	for _, c := range changes {
		rules := byOwner[c.Owner]
		if c.Before != nil {
			i := slices.IndexFunc(rules, c.Before.Equal)
			if i < 0 {
				return nil, fmt.Errorf("%s: the rule %s is to be changed, but was not there when the gateway was read", c.Owner, c.Before)
			}
			rules = slices.Delete(rules, i, i+1)
		}
		byOwner[c.Owner] = rules
	}
	for _, c := range changes {
		if c.After != nil {
			byOwner[c.Owner] = append(byOwner[c.Owner], *c.After)
		}
	}
	entries := slices.Clone(s.foreignEntries)
	for owner, rules := range byOwner {
		comment := plan.Mark(project, owner) + ":" + plan.Seal(rules)
		for _, r := range rules {
			entries = append(entries, entry{r, comment})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.rule.Compare(b.rule) })
	return entries, nil
}
