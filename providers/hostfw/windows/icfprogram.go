package windows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// In this firewall a program is let in on every port that it listens on, over TCP
// and UDP: no entry says which. So its name keeps account of that, for all whose
// rules the entry is there for, of other projects too, since a program has but
// one. It lets in whoever one of these rules lets in. That this is more than the
// rules say is told in each plan.

// icfProgram is the entry of one program.
type icfProgram struct {
	path    string
	ours    host.Owned
	others  []icfPart // of other projects
	drift   string
	profile string // where it has our name, for netsh
	taken   string // the name that somebody else has given it; empty: none has
	off     bool   // taken, and not let in
}

// icfLists are the profiles of the lists, as netsh calls them.
var icfLists = [icfProfiles]string{"DOMAIN", "STANDARD"}

// readPrograms takes note of the entries with something of ours, and of that of
// the program that the block names.
func (c *icf) readPrograms(w *windows, lists [][]icfEntry) {
	for i, list := range lists[:min(len(lists), icfProfiles)] {
		for _, e := range list {
			key := strings.ToLower(e.program)
			p := c.programs[key]
			parts, marked := parseICFName(e.name)
			switch {
			case marked && p.path == "":
				p.path, p.profile, p.drift = e.program, icfLists[i], icfDrift(e.mode, 1, 1)
				p.ours, p.others = splitParts(w.project, parts)
			case marked && e.name == icfName(p.parts(w.project, p.ours)) && p.drift == icfDrift(e.mode, 1, 1):
				p.profile = icfEverywhere
			case !marked && w.names(e.program):
				p.taken, p.off = e.name, e.mode == icfOff
			default:
				continue
			}
			c.programs[key] = p
		}
	}
	for key, p := range c.programs {
		if p.profile != icfEverywhere && len(lists) >= icfProfiles && p.drift == "" {
			p.drift = icfSomewhere
		}
		c.programs[key] = p
		if len(p.ours) == 0 && !w.names(key) {
			delete(c.programs, key)
		}
	}
}

// names says whether a path is that of the program that the block names.
func (w *windows) names(path string) bool {
	return w.program != "" && strings.EqualFold(path, w.program)
}

// splitParts tells a project's own parts from those of others.
func splitParts(project string, parts []icfPart) (ours host.Owned, others []icfPart) {
	ours = host.Owned{}
	for _, p := range parts {
		if p.project == project {
			ours[p.owner] = p.rules
		} else {
			others = append(others, p)
		}
	}
	return ours, others
}

// livePrograms gives the rules that entries are there for.
func (c *icf) livePrograms(w *windows) (out []plan.Live) {
	for _, key := range slices.Sorted(maps.Keys(c.programs)) {
		p := c.programs[key]
		handle := fmt.Sprintf("allowed program %q", p.path)
		for _, owner := range slices.SortedFunc(maps.Keys(p.ours), plan.Addr.Compare) {
			for _, r := range p.ours[owner] {
				l := plan.Live{Rule: r, Owner: owner, Handle: handle, Drift: p.drift}
				switch {
				case w.program == "":
					l.Outdated = "it is for one program"
				case !w.names(key):
					l.Outdated = "it is for another program"
				}
				out = append(out, l)
			}
		}
		for _, part := range p.others {
			for _, r := range part.rules {
				out = append(out, plan.Live{Rule: r, Project: part.project, Handle: handle})
			}
		}
	}
	return out
}

// same says whether p holds of ours what q does.
func (p icfProgram) same(q icfProgram) bool {
	return slices.Equal(p.ours.Sorted(), q.ours.Sorted()) && p.drift == q.drift && p.taken == q.taken
}

// parts gives what an entry with these rules of ours is there for.
func (p icfProgram) parts(project string, ours host.Owned) []icfPart {
	parts := slices.Clone(p.others)
	for owner, rules := range ours {
		parts = append(parts, icfPart{project, owner, rules})
	}
	return parts
}

// icfScope spells who is let in by an entry.
func icfScope(parts []icfPart) []string {
	var sources []netip.Prefix
	for _, p := range parts {
		for _, r := range p.rules {
			if len(r.Sources) == 0 {
				return []string{"scope=ALL"}
			}
			sources = append(sources, r.Sources...)
		}
	}
	return []string{"scope=CUSTOM", "addresses=" + strings.Join(spelledAddresses(plan.CanonicalSources(sources)), ",")}
}

// letProgram has the entry of the program that the block names be there for
// these rules of ours, if there are any.
func (c *icf) letProgram(ctx context.Context, w *windows, after host.Owned) error {
	p, there := c.programs[strings.ToLower(w.program)]
	if len(after) == 0 || slices.Equal(p.ours.Sorted(), after.Sorted()) && p.drift == "" {
		return nil
	}
	if p.taken != "" {
		return providers.Flag(errors.New(p.refusal(w.program).Detail), providers.ErrConflict)
	}
	verb := "add"
	if there {
		verb = "set"
	}
	return w.nameProgram(ctx, verb, w.program, p.parts(w.project, after))
}

// dropPrograms has no entry be there for rules of ours any more but, if there
// are any, that of the program that the block names.
func (c *icf) dropPrograms(ctx context.Context, w *windows, after host.Owned) error {
	for _, key := range slices.Sorted(maps.Keys(c.programs)) {
		p := c.programs[key]
		if len(p.ours) == 0 || w.names(key) && len(after) > 0 {
			continue
		}
		var err error
		if len(p.others) > 0 {
			err = w.nameProgram(ctx, "set", p.path, p.others)
		} else {
			_, err = w.netsh(ctx, "firewall", "delete", "allowedprogram", "program="+p.path, "profile="+p.profile)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *windows) nameProgram(ctx context.Context, verb, path string, parts []icfPart) error {
	args := []string{"firewall", verb, "allowedprogram", "program=" + path, "name=" + icfName(parts), "mode=ENABLE"}
	_, err := w.netsh(ctx, append(append(args, icfScope(parts)...), "profile="+icfEverywhere)...)
	return err
}
