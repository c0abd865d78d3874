// Package linuxgw is Linux gateways: port forwarding by DNAT, a way through
// whatever chains drop forwarded packets, and hairpin NAT, with nftables or
// iptables, in a table or in chains of our own that are changed as one.
package linuxgw

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/internal/remote"
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
			"revert_after": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "revert_after", Type: cty.String},
				Func:    checkRevertAfter,
			},
		},
		Open: open,
	}
}

// gateway is one Linux gateway.
type gateway struct {
	project string
	addr    plan.Addr
	backend backend
	wan     string // the configured wan_interface; empty: the default route's
	runner  *remote.Runner
	last    *state // what is known to be there: by the latest Read, or by reading back

	// revertAfter is how long a change waits to be claimed; 0: it needn't be.
	revertAfter time.Duration
}

func open(s providers.Settings) (providers.Device, error) {
	g := &gateway{
		project: s.Project,
		addr:    s.Addr,
		backend: parseBackend(s.Body.GetAttr("backend")),
		runner:  s.Runner,
	}
	if wan := s.Body.GetAttr("wan_interface"); !wan.IsNull() {
		g.wan = wan.AsString()
	}
	// A change made here can't cut the way to the gateway.
	if !s.Local {
		var err error
		if g.revertAfter, err = parseRevertAfter(s.Body.GetAttr("revert_after")); err != nil {
			panic("an unchecked revert_after: " + err.Error())
		}
	}
	if err := nft.CheckName(ownTable(g.project).Name); err != nil {
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
	out, err := g.runner.Run(ctx, g.readScript(), nil)
	if err != nil {
		return nil, explain(err)
	}
	f, err := parseFacts(out)
	if err != nil {
		return nil, err
	}
	return newState(g, f)
}

// explain says what to do about the failures that have a known remedy.
func explain(err error) error {
	var unreachable *remote.UnreachableError
	if errors.As(err, &unreachable) {
		return providers.Flag(err, providers.ErrUnreachable)
	}
	var exit *remote.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	stderr := exit.Stderr
	switch {
	case exit.Code == exitBusy:
		return fmt.Errorf("somebody else is in the middle of a change of this gateway, and does not come to an end, so nothing was done: run btplan again when they are done. If nobody is, fuser "+lockFile+" tells on the gateway which process has the lock (%w)", err)
	case exit.Code == exitNoLock:
		return providers.Flag(fmt.Errorf("two changes at once of iptables-nft would mix, and the gateway has nothing to prevent it, so nothing was done: install flock there, of the package util-linux or an applet of busybox, and see that root can write "+lockFile+"; or set backend = \"nftables\" (%w)", err), providers.ErrUnsupported)
	case exit.Code == 127:
		return fmt.Errorf("a program that was there is not on the gateway any more: %w", err)
	case forRootOnly(stderr):
		return fmt.Errorf("%s: %w", rootOnly, err)
	}
	return err
}

const rootOnly = "the packet filter may be read and changed by root only: log in as root, or set sudo = true in the ssh block"

// forRootOnly says whether nft or iptables has complained of a lack of rights.
func forRootOnly(says string) bool {
	for _, s := range []string{"Operation not permitted", "Permission denied", "must be root"} {
		if strings.Contains(says, s) {
			return true
		}
	}
	return false
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
