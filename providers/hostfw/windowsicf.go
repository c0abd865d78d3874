package hostfw

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
)

// icf is the firewall of Windows XP with SP2 and of Server 2003, which grew out
// of the Internet Connection Firewall: a list of open ports, each with a name,
// and nothing that blocks. There is no PowerShell. netsh takes one port at a
// time, and there is one opening for a port: what is asked of it a second time
// replaces the first.
type icf struct {
	ours map[icfPort]icfOwner
}

type icfPort struct {
	protocol string // TCP or UDP
	port     uint16
}

type icfOwner struct {
	owner plan.Addr
	drift string
}

// icfProfiles are the lists that all of our openings are in.
const icfProfiles = 2

func readICF(ctx context.Context, w *windows) (*windowsState, error) {
	out, err := w.netsh(ctx, "firewall", "show", "portopening")
	if err != nil {
		return nil, err
	}
	s, err := w.parseICF(out)
	if err != nil {
		return nil, err
	}
	s.login, err = w.netshLogin(ctx)
	return s, err
}

func (w *windows) parseICF(out string) (*windowsState, error) {
	lists, err := parseICF(out)
	if err != nil {
		return nil, fmt.Errorf("what netsh says of the firewall can't be made sense of: %w", err)
	}
	c := &icf{map[icfPort]icfOwner{}}
	s := &windowsState{way: c}
	seen := map[icfOpening]int{}
	for _, list := range lists[:min(len(lists), icfProfiles)] {
		for _, o := range list {
			seen[o]++
		}
	}
	for _, o := range slices.SortedFunc(maps.Keys(seen), icfOpening.compare) {
		rule := plan.Rule{Kind: plan.Allow, Protocol: plan.Protocol(strings.ToLower(o.protocol)), Ports: plan.PortRange{First: o.port, Last: o.port}}
		l := plan.Live{Rule: rule, Handle: fmt.Sprintf("port opening %q", o.name)}
		project, owner, marked := parseASCIIMark(o.name)
		if !marked || project != w.project {
			l.Project = project
			if o.mode != "Disable" {
				s.rules = append(s.rules, l)
			}
			continue
		}
		l.Owner = owner
		switch {
		case o.mode == "Disable":
			l.Drift = "it is turned off"
		case seen[o] < min(len(lists), icfProfiles):
			l.Drift = "it counts in some networks only"
		}
		at := icfPort{o.protocol, o.port}
		if _, twice := c.ours[at]; twice {
			// The two lists say different things of it.
			continue
		}
		c.ours[at] = icfOwner{owner, l.Drift}
		s.rules = append(s.rules, l)
	}
	return s, nil
}

func (o icfOpening) compare(p icfOpening) int {
	return strings.Compare(o.String(), p.String())
}

func (o icfOpening) String() string {
	return fmt.Sprintf("%s %05d %s %s", o.protocol, o.port, o.name, o.mode)
}

// apply opens what is missing and then closes what is too much, a port at a
// time.
func (c *icf) apply(ctx context.Context, w *windows, after owned) (*windowsState, error) {
	now, err := readICF(ctx, w)
	if err != nil {
		return nil, err
	}
	if !maps.Equal(now.way.(*icf).ours, c.ours) {
		return nil, errWindowsChanged
	}
	want := map[icfPort]icfOwner{}
	for owner, rules := range after {
		for _, r := range rules {
			want[icfPort{strings.ToUpper(string(r.Protocol)), r.Ports.First}] = icfOwner{owner: owner}
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(want), icfPort.compare) {
		if c.ours[at] == want[at] {
			continue
		}
		verb := "add"
		if _, there := c.ours[at]; there {
			verb = "set"
		}
		if _, err := w.netsh(ctx, "firewall", verb, "portopening", "protocol="+at.protocol, "port="+strconv.Itoa(int(at.port)),
			"name="+asciiMark(w.project, want[at].owner), "mode=ENABLE", "scope=ALL", "profile=ALL"); err != nil {
			return nil, err
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(c.ours), icfPort.compare) {
		if _, stays := want[at]; stays {
			continue
		}
		if _, err := w.netsh(ctx, "firewall", "delete", "portopening", "protocol="+at.protocol, "port="+strconv.Itoa(int(at.port)), "profile=ALL"); err != nil {
			return nil, err
		}
	}
	return readICF(ctx, w)
}

func (p icfPort) compare(q icfPort) int {
	return strings.Compare(fmt.Sprintf("%s %05d", p.protocol, p.port), fmt.Sprintf("%s %05d", q.protocol, q.port))
}
