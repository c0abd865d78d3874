package windows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// icf is the firewall of Windows XP with SP2 and of Server 2003, which grew out
// of the Internet Connection Firewall: a list of open ports, and one of programs
// that are let in on whatever port they listen on, each with a name, and nothing
// that blocks. There is no PowerShell. netsh takes one port or program at a time,
// and there is one entry for each: what is asked of it a second time replaces the
// first. What the machine sends is never dropped.
type icf struct {
	ours     map[icfPort]icfOwner
	others   map[icfPort][]icfOpening // where somebody else has an opening, be it turned off
	programs map[string]icfProgram    // those with something of ours, and the one that the block names
}

type icfPort struct {
	protocol string // TCP or UDP
	port     uint16
}

type icfOwner struct {
	owner   plan.Addr
	profile string // where it is, for netsh
	drift   string
}

// icfProfiles are the lists that all of our openings are in.
const icfProfiles = 2

// icfAnswer is what netsh prints of ports, and of programs.
type icfAnswer struct{ ports, programs string }

func readICF(ctx context.Context, w *windows) (*state, error) {
	var printed icfAnswer
	var err error
	if printed.ports, err = w.netsh(ctx, "firewall", "show", "portopening"); err != nil {
		return nil, err
	}
	if printed.programs, err = w.netsh(ctx, "firewall", "show", "allowedprogram"); err != nil {
		return nil, err
	}
	s, err := w.parseICF(printed)
	if err != nil {
		return nil, err
	}
	s.login, err = w.netshLogin(ctx)
	return s, err
}

func (w *windows) parseICF(printed icfAnswer) (*state, error) {
	ports, errPorts := parseICF(printed.ports)
	programs, errPrograms := parseICFPrograms(printed.programs)
	if err := errors.Join(errPorts, errPrograms); err != nil {
		return nil, fmt.Errorf("what netsh says of the firewall can't be made sense of: %w", err)
	}
	c := &icf{map[icfPort]icfOwner{}, map[icfPort][]icfOpening{}, map[string]icfProgram{}}
	rules := c.readPorts(w, ports)
	c.readPrograms(w, programs)
	return &state{way: c, rules: onceEach(append(rules, c.livePrograms(w)...))}, nil
}

// onceEach joins what is held twice of the same rule of ours, as by a change from
// ports to a program that was cut short: it is outdated as long as one of them is.
func onceEach(list []plan.Live) (out []plan.Live) {
	type held struct {
		owner plan.Addr
		rule  string
	}
	at := map[held]int{}
	for _, l := range list {
		key := held{l.Owner, l.Rule.String()}
		i, twice := at[key]
		if l.Owner.IsZero() || !twice {
			at[key] = len(out)
			out = append(out, l)
			continue
		}
		out[i].Outdated = cmp.Or(out[i].Outdated, l.Outdated)
	}
	return out
}

// readPorts takes note of our openings, and gives them and those of others.
func (c *icf) readPorts(w *windows, lists [][]icfOpening) (out []plan.Live) {
	seen := map[icfOpening][]int{} // the lists that it is in
	for i, list := range lists[:min(len(lists), icfProfiles)] {
		for _, o := range list {
			seen[o] = append(seen[o], i)
		}
	}
	for _, o := range slices.SortedFunc(maps.Keys(seen), icfOpening.compare) {
		at := icfPort{o.protocol, o.port}
		rule := plan.Rule{Kind: plan.Allow, Protocol: plan.Protocol(strings.ToLower(o.protocol)), Ports: plan.PortRange{First: o.port, Last: o.port}}
		l := plan.Live{Rule: rule, Handle: fmt.Sprintf("port opening %q", o.name)}
		project, owner, marked := parseASCIIMark(o.name)
		if !marked || project != w.project {
			l.Project = project
			c.others[at] = append(c.others[at], o)
			if o.mode != icfOff {
				out = append(out, l)
			}
			continue
		}
		l.Owner = owner
		if w.program != "" {
			l.Outdated = "it is for any program"
		}
		l.Drift = icfDrift(o.mode, len(seen[o]), len(lists))
		if first, twice := c.ours[at]; twice {
			// The two lists say different things of it.
			first.profile = icfEverywhere
			c.ours[at] = first
			continue
		}
		profile := icfEverywhere
		if l.Drift == icfSomewhere || o.mode == icfOff && len(seen[o]) < len(lists) {
			profile = icfLists[seen[o][0]]
		}
		c.ours[at] = icfOwner{owner, profile, l.Drift}
		out = append(out, l)
	}
	return out
}

const (
	icfOff        = "Disable" // the mode of what is not let in, in English
	icfSomewhere  = "it counts in some networks only"
	icfEverywhere = "ALL" // the profiles, for netsh
)

// icfDrift says what is wrong with an entry of ours that is in some of the lists.
func icfDrift(mode string, in, lists int) string {
	switch {
	case mode == icfOff:
		return "it is turned off"
	case in < min(lists, icfProfiles):
		return icfSomewhere
	}
	return ""
}

func (o icfOpening) compare(p icfOpening) int {
	return strings.Compare(o.String(), p.String())
}

func (o icfOpening) String() string {
	return fmt.Sprintf("%s %05d %s %s", o.protocol, o.port, o.name, o.mode)
}

// apply opens what is missing and then closes what is too much, a port or a
// program at a time.
func (c *icf) apply(ctx context.Context, w *windows, after host.Owned) (*state, error) {
	now, err := readICF(ctx, w)
	if err != nil {
		return nil, err
	}
	there := now.way.(*icf)
	if !maps.Equal(there.ours, c.ours) || !maps.EqualFunc(there.programs, c.programs, icfProgram.same) {
		return nil, errWindowsChanged
	}
	want := map[icfPort]icfOwner{}
	if w.program != "" {
		if err := there.letProgram(ctx, w, after); err != nil {
			return nil, err
		}
	} else {
		for owner, rules := range after {
			for _, r := range rules {
				at := portOf(r)
				want[at] = icfOwner{owner: owner, profile: icfEverywhere}
				if !slices.Equal(there.others[at], c.others[at]) {
					return nil, errWindowsChanged
				}
			}
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
		if _, err := w.netsh(ctx, "firewall", "delete", "portopening", "protocol="+at.protocol, "port="+strconv.Itoa(int(at.port)), "profile="+c.ours[at].profile); err != nil {
			return nil, err
		}
	}
	if err := there.dropPrograms(ctx, w, after); err != nil {
		return nil, err
	}
	return readICF(ctx, w)
}

// portOf is the port of a rule, which has one: see windows.Shape.
func portOf(r plan.Rule) icfPort {
	return icfPort{strings.ToUpper(string(r.Protocol)), r.Ports.First}
}

func (p icfPort) compare(q icfPort) int {
	return strings.Compare(fmt.Sprintf("%s %05d", p.protocol, p.port), fmt.Sprintf("%s %05d", q.protocol, q.port))
}
