package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// maxShown is how many foreign rules a conflict names before it says "and
// more". It also bounds the work that a device full of foreign rules can make.
const maxShown = 5

// inTheWay gives the foreign rules that keep a resource's from being made, up
// to one more than maxShown. Of two forwards for one port only one can win.
// Two accepts do no harm unless they are the same one, of which nobody could
// say afterwards whose it is. Outbound ones are not needed then.
func inTheWay(wanted []*Wanted, byPlace map[place]foreignRules) []*Live {
	var found []*Live
	for _, w := range wanted {
		if w.Kind == Outbound {
			continue
		}
		full := !byPlace[placeOf(w.Device, w.Rule)].each(w.Rule, func(l *Live) bool {
			if !slices.Contains(found, l) {
				found = append(found, l)
			}
			return len(found) <= maxShown
		})
		if full {
			break
		}
	}
	return found
}

// conflict tells the author which foreign rules are in the way of r.
func conflict(r Resource, found []*Live) *hcl.Diagnostic {
	var names []string
	project := ""
	for _, l := range found[:min(len(found), maxShown)] {
		name := l.Rule.String()
		if l.Handle != "" {
			name += " (" + printable(l.Handle) + ")"
		}
		if l.Project != "" {
			project = printable(l.Project)
		}
		names = append(names, name)
	}
	if len(found) > maxShown {
		names = append(names, "and more")
	}
	summary, what, them := "Foreign rule in the way on %s", "a rule", "such a rule: remove it"
	if len(found) > 1 {
		summary, what, them = "Foreign rules in the way on %s", "rules", "such rules: remove them"
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf(summary, r.Device),
		Detail: fmt.Sprintf("%s can't have its ports on %s, which holds %s for them that this project did not make: %s. btplan never touches %s there, or choose other ports.%s",
			r.Owner, r.Device, what, strings.Join(names, "; "), them, ofProject(project)),
		Subject: r.DeclRange.Ptr(),
	}
}

// ofProject says what to do about rules of another project of btplan; empty:
// there are none.
func ofProject(project string) string {
	if project == "" {
		return ""
	}
	return fmt.Sprintf(" There are rules of btplan's project %q: if that is what this project was called before, set the name back, run btplan destroy, and then rename it.", project)
}

// printable is s, which comes from a device, with everything that a terminal
// might act on written out.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

// place is where rules can claim the same port.
type place struct {
	device   Addr
	kind     Kind
	protocol Protocol
	bits     int // of the target's IP version
}

func placeOf(device Addr, r Rule) place {
	return place{device, r.Kind, r.Protocol, r.To.Addr().BitLen()}
}

// foreignRules are the foreign rules of one place, sorted. They may overlap
// each other, so furthest makes of the list a balanced tree: each stretch's
// middle element is the root of the halves on its two sides, and has the
// highest port that any rule of the stretch reaches.
type foreignRules struct {
	rules    []*Live
	furthest []uint16
}

// indexForeign sorts foreign and cuts it up by place.
func indexForeign(foreign []*Live) map[place]foreignRules {
	slices.SortFunc(foreign, func(a, b *Live) int {
		return cmp.Or(a.Device.Compare(b.Device), a.Rule.Compare(b.Rule), cmp.Compare(a.Handle, b.Handle))
	})
	byPlace := map[place]foreignRules{}
	for len(foreign) > 0 {
		p := placeOf(foreign[0].Device, foreign[0].Rule)
		n := prefixLen(foreign, func(l *Live) bool { return placeOf(l.Device, l.Rule) == p })
		f := foreignRules{foreign[:n], make([]uint16, n)}
		f.measure(0, n)
		byPlace[p], foreign = f, foreign[n:]
	}
	return byPlace
}

// measure fills in furthest for the stretch from lo up to hi.
func (f foreignRules) measure(lo, hi int) uint16 {
	if lo == hi {
		return 0
	}
	mid := (lo + hi) / 2
	f.furthest[mid] = max(f.rules[mid].Ports.Last, f.measure(lo, mid), f.measure(mid+1, hi))
	return f.furthest[mid]
}

// each calls yield for the rules in w's way, in order, until it says false;
// each says then false as well.
func (f foreignRules) each(w Rule, yield func(*Live) bool) bool {
	if w.Kind == Forward {
		return f.eachOverlapping(0, len(f.rules), w.Ports, yield)
	}
	i, _ := slices.BinarySearchFunc(f.rules, w, func(l *Live, w Rule) int { return l.Rule.Compare(w) })
	for ; i < len(f.rules) && f.rules[i].Equal(w); i++ {
		if !yield(f.rules[i]) {
			return false
		}
	}
	return true
}

func (f foreignRules) eachOverlapping(lo, hi int, ports PortRange, yield func(*Live) bool) bool {
	mid := (lo + hi) / 2
	if lo == hi || f.furthest[mid] < ports.First {
		return true
	}
	if !f.eachOverlapping(lo, mid, ports, yield) {
		return false
	}
	r := f.rules[mid]
	if r.Ports.First > ports.Last {
		return true
	}
	if r.Ports.Overlaps(ports) && !yield(r) {
		return false
	}
	return f.eachOverlapping(mid+1, hi, ports, yield)
}
