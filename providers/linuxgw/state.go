package linuxgw

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// state is what one read of a gateway came to.
type state struct {
	project     string
	table       nft.Table
	exists      bool
	generation  string // which writing of our table this is; empty: it doesn't say
	listing     []byte // our table as nft listed it
	wan         string // the interface towards the Internet
	hookComment string
	hooks       []hook
	boot        boot
	routes      routes
	login       login

	rules          []plan.Live
	foreignEntries []entry // in our table, but not ours
	problems       []providers.Problem
}

// newState works out from the facts what the gateway forwards, and whether
// everything that a forward needs is there.
func newState(g *gateway, f *facts) (*state, error) {
	s := &state{
		project:     g.project,
		boot:        f.boot,
		routes:      f.routes,
		login:       f.login,
		table:       g.table,
		exists:      f.own.HasTable(g.table),
		listing:     f.ownListing,
		wan:         g.wan,
		hookComment: hookComment(g.project),
	}
	if s.wan == "" {
		s.wan = f.routes.defaultInterface()
	}
	if s.wan == "" {
		return nil, errors.New("the gateway has no default route to tell which of its interfaces leads to the Internet: set wan_interface in its block")
	}
	var err error
	if s.hooks, err = findHooks(f.ruleset, s.hookComment); err != nil {
		return nil, err
	}
	foreign, err := foreignForwards(f, s.wan)
	if err != nil {
		return nil, err
	}
	if s.exists {
		if err := s.readTable(g.project, f.own); err != nil {
			return nil, fmt.Errorf("%s can't be made sense of: %w. If nothing else is of use, delete it with nft delete %s and apply again", s.table, err, s.table)
		}
	}
	s.rules = append(s.rules, foreign...)
	for i := range s.rules {
		s.rules[i].Device = g.addr
	}
	s.problems = s.findProblems(g, f)
	return s, nil
}

// readTable reads our table.
func (s *state) readTable(project string, own *nft.Ruleset) error {
	for _, c := range own.Chains {
		if name, found := strings.CutPrefix(c.Name, generations); found && nft.CheckName(c.Name) == nil {
			s.generation = name
		}
	}
	entries, err := readEntries(own, s.table)
	if err != nil {
		return err
	}
	byOwner := map[plan.Addr][]entry{}
	for _, e := range entries {
		mark, _ := cutSeal(e.comment)
		of, owner, ok := plan.ParseMark(mark)
		if !ok || of != project {
			s.foreignEntries = append(s.foreignEntries, e)
			s.rules = append(s.rules, plan.Live{Rule: e.rule, Handle: fmt.Sprintf("an element of a map in %s with no mark of this project", s.table)})
			continue
		}
		byOwner[owner] = append(byOwner[owner], e)
	}
	drift := s.tableDrift(own, entries)
	blocked := map[string]bool{}
	for _, six := range []bool{false, true} {
		passing, err := readPassing(own, s.table, six)
		if err != nil {
			return err
		}
		maps.Copy(blocked, blockedTargets(passElements(entries, six), passing))
	}
	outdated := s.outdated(own)
	if outdated == "" && !s.saved(entries) {
		outdated = unsaved
	}
	for owner, entries := range byOwner {
		of := drift
		if of == "" {
			of = ownerDrift(entries, blocked)
		}
		for _, r := range joined(entries) {
			s.rules = append(s.rules, plan.Live{
				Rule: r, Owner: owner, Handle: s.table.String(),
				Drift: of, Outdated: outdated,
			})
		}
	}
	return nil
}

// joined gives the rules of some entries in the form that Shape gives them.
func joined(entries []entry) []plan.Rule {
	rules := make([]plan.Rule, 0, len(entries))
	for _, e := range entries {
		rules = append(rules, e.rule)
	}
	return plan.Coalesce(rules)
}

// cutSeal takes the seal off a comment.
func cutSeal(comment string) (mark, seal string) {
	i := strings.LastIndexByte(comment, ':')
	if i < 0 {
		return comment, ""
	}
	return comment[:i], comment[i+1:]
}

// ownerDrift says how the entries of one owner are not as btplan wrote them.
func ownerDrift(entries []entry, blocked map[string]bool) string {
	seal := plan.Seal(joined(entries))
	for _, e := range entries {
		if _, has := cutSeal(e.comment); has != seal {
			return "changed on the gateway since btplan wrote it"
		}
	}
	for _, e := range entries {
		if blocked[passTarget(e.rule)] {
			return "which of its packets may pass was changed on the gateway"
		}
	}
	return ""
}

// blockedTargets compares what a passSet holds with what the table's entries
// need. It gives the targets, as passTarget spells them, for which there is a
// difference.
func blockedTargets(needed, passing []string) map[string]bool {
	blocked := map[string]bool{}
	count := map[string]int{}
	for _, e := range needed {
		count[e]++
	}
	for _, e := range passing {
		count[e]--
	}
	for e, n := range count {
		if n != 0 {
			parts := strings.SplitN(e, " . ", 3)
			blocked[parts[0]+" . "+parts[1]] = true
		}
	}
	return blocked
}

// tableDrift says what is wrong with our table's machinery or with its way
// through other people's chains, on which all of its entries depend.
func (s *state) tableDrift(own *nft.Ruleset, entries []entry) string {
	for _, want := range machinery(hasIPv6(entries)) {
		want.Family, want.Table = s.table.Family, s.table.Name
		i := slices.IndexFunc(own.Chains, func(c nft.Chain) bool { return c == want.Chain })
		if i < 0 {
			return fmt.Sprintf("%s is missing or was changed", want.Chain)
		}
		has := own.RulesOf(want.Chain)
		same := slices.EqualFunc(has, want.rules, func(h nft.Rule, w rule) bool { return h.Comment == w.comment() })
		if !same {
			return fmt.Sprintf("the rules of %s were changed", want.Chain)
		}
	}
	for _, h := range s.hooks {
		if h.needed && !h.works && h.serves(entries) {
			return fmt.Sprintf("%s drops its packets: btplan's rule in it is missing or too far down", h.chain)
		}
	}
	return ""
}

// outdated says why our table has to be written again though nobody touched
// it: the configuration names another interface.
func (s *state) outdated(own *nft.Ruleset) string {
	set, _ := own.Set(s.table, wanSet)
	elements, err := set.Elements()
	if err != nil {
		return ""
	}
	if len(elements) == 1 && len(elements[0].Key) == 1 && elements[0].Key[0].From == s.wan {
		return ""
	}
	var names []string
	for _, e := range elements {
		for _, d := range e.Key {
			names = append(names, d.String())
		}
	}
	return fmt.Sprintf("it is for packets from %s; the WAN interface is %s", strings.Join(names, ", "), s.wan)
}

// readEntries reads the forwards of a table of btplan's, those that differ in
// nothing but the source together in one entry.
func readEntries(rs *nft.Ruleset, t nft.Table) ([]entry, error) {
	type same struct {
		protocol plan.Protocol
		ports    plan.PortRange
		to       netip.AddrPort
		comment  string
	}
	var order []same
	sources := map[same][]netip.Prefix{}
	for _, store := range stores {
		set, _ := rs.Set(t, store.name)
		elements, err := set.Elements()
		if err != nil {
			return nil, err
		}
		for _, e := range elements {
			r, err := store.read(e)
			if err != nil {
				return nil, fmt.Errorf("%s has an element that can't be read: %w", store.name, err)
			}
			k := same{r.Protocol, r.Ports, r.To, e.Comment}
			if sources[k] == nil {
				order = append(order, k)
			}
			sources[k] = append(sources[k], r.Sources...)
		}
	}
	var out []entry
	for _, k := range order {
		r := plan.Rule{Kind: plan.Forward, Protocol: k.protocol, Ports: k.ports, To: k.to, Sources: plan.CanonicalSources(sources[k])}
		if strings.ContainsFunc(k.comment, func(c rune) bool { return c == '"' || c < ' ' || c == 0x7f }) {
			return nil, errors.New("a comment in it has a quote or a control character")
		}
		out = append(out, entry{r, k.comment})
	}
	return joinShifted(out), nil
}

// joinShifted makes ranges of entries of single ports.
func joinShifted(entries []entry) []entry {
	var out []entry
	byComment := map[string][]plan.Rule{}
	for _, e := range entries {
		if storeOf(e.rule).shifted {
			byComment[e.comment] = append(byComment[e.comment], e.rule)
		} else {
			out = append(out, e)
		}
	}
	for comment, rules := range byComment {
		for _, r := range plan.Coalesce(rules) {
			out = append(out, entry{r, comment})
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return a.rule.Compare(b.rule) })
	return out
}

// read reads one element of the store.
func (s store) read(e nft.Element) (r plan.Rule, err error) {
	key, value := e.Key, e.Value
	if s.six && len(key) > 0 {
		// The machine's address is in the key, and must be the one that the
		// element leads to.
		if len(value) > 0 && value[0] != key[0] {
			return r, fmt.Errorf("it sends packets for %s to %s", key[0], value[0])
		}
		value = append(key[:1:1], value[min(1, len(value)):]...)
		key = key[1:]
	}
	wantValue := 1
	if s.shifted {
		wantValue = 2
	}
	if len(key) != 3 || len(value) != wantValue {
		return r, fmt.Errorf("it has %d and %d parts", len(e.Key), len(e.Value))
	}
	r.Kind = plan.Forward
	if r.Protocol = plan.Protocol(key[0].String()); r.Protocol != plan.TCP && r.Protocol != plan.UDP {
		return r, fmt.Errorf("its protocol is %q", key[0])
	}
	if r.Ports, err = key[1].Ports(); err != nil {
		return r, err
	}
	source, err := key[2].Prefix()
	if err != nil {
		return r, err
	}
	r.Sources = []netip.Prefix{source}
	addr, err := value[0].Addr()
	if err != nil {
		return r, err
	}
	if addr.Is6() != s.six || source.Addr().Is6() != s.six {
		return r, fmt.Errorf("%s and %s are not of the same IP version", addr, source)
	}
	port := r.Ports.First
	if s.shifted {
		to, err := value[1].Ports()
		if err != nil {
			return r, err
		}
		if to.Count() != 1 || r.Ports.Count() != 1 {
			return r, fmt.Errorf("it sends %s to %s, a range to one port", r.Ports, to)
		}
		port = to.First
	}
	r.To = netip.AddrPortFrom(addr, port)
	return r, nil
}

// readPassing gives the elements of a passSet, spelt as passElements spells
// them.
func readPassing(rs *nft.Ruleset, t nft.Table, six bool) ([]string, error) {
	set, _ := rs.Set(t, passSet(six))
	elements, err := set.Elements()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range elements {
		if len(e.Key) != 4 {
			return nil, fmt.Errorf("set %s has an element of %d parts", set.Name, len(e.Key))
		}
		source, err := e.Key[3].Prefix()
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s . %s . %s . %s", e.Key[0], e.Key[1], e.Key[2], source))
	}
	return out, nil
}
