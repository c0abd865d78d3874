package router

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/internal/plain"
	"github.com/btplan/btplan/plan"
)

// table is what a router held at one moment.
type table struct {
	rows map[port]row
	// hidden are rows that it knows and doesn't list.
	hidden int
	// listed is how many mappings it lists.
	listed int
	// odd are mappings in the list that are no forwards of a port.
	odd []igd.Mapping

	outside     netip.Addr // its address there; zero: it doesn't say
	noneOutside bool       // it says that it has none
}

// row is one mapping, and whose it is.
type row struct {
	mapping igd.Mapping
	rule    plan.Rule
	owner   plan.Addr // zero: foreign
	// drift says how it is not as btplan made it.
	drift string
}

// ours are the rows of this project.
func (t *table) ours() map[port]owned {
	out := map[port]owned{}
	for p, r := range t.rows {
		if !r.owner.IsZero() {
			out[p] = owned{r.rule, r.owner}
		}
	}
	return out
}

// ruleOf is a mapping as a rule; false: it is none.
func ruleOf(m igd.Mapping) (plan.Rule, bool) {
	client, internal := m.Client.Unmap(), m.Internal
	if !client.IsValid() {
		client = netip.IPv4Unspecified() // a name, which the handle tells
	}
	if internal == 0 {
		internal = m.External // some routers leave out what is the same
	}
	r := plan.Rule{
		Kind: plan.Forward, Protocol: m.Protocol, To: netip.AddrPortFrom(client.WithZone(""), internal),
		Ports: plan.PortRange{First: m.External, Last: m.External},
	}
	return r, r.Check() == nil
}

// newTable sorts out what a router holds. made is what btplan remembers to have
// made, and note what it knows of the router.
func newTable(list []igd.Mapping, m *marks, made map[port]owned, n note) *table {
	t := &table{rows: map[port]row{}, listed: len(list)}
	for _, mapping := range list {
		t.add(mapping, m, made, n)
	}
	return t
}

func (t *table) add(mapping igd.Mapping, m *marks, made map[port]owned, n note) {
	rule, ok := ruleOf(mapping)
	if !ok {
		t.odd = append(t.odd, mapping)
		return
	}
	r := row{mapping: mapping, rule: rule, owner: m.owned(mapping.Description)}
	was, remembered := made[portOf(rule)]
	switch {
	case remembered && r.owner == was.owner && !rule.Equal(was.rule):
		r.drift = "it led to " + was.rule.Target()
	case remembered && r.owner.IsZero() && rule.Equal(was.rule) && n.shows(mapping.Description, m.of[was.owner]):
		r.owner = was.owner
	}
	t.rows[portOf(rule)] = r
}

// shows says whether a mapping with this mark may come back with this
// description.
func (n note) shows(description, mark string) bool {
	if n.Shown != nil && description == *n.Shown {
		return true
	}
	return len(description) < len(mark) && mark[:len(description)] == description
}

// live gives the rows as the plan knows them.
func (t *table) live(device plan.Addr, n note, asked time.Duration) []plan.Live {
	lease := n.lease(n.ask(asked))
	var out []plan.Live
	for _, p := range slices.SortedFunc(maps.Keys(t.rows), port.compare) {
		r := t.rows[p]
		l := plan.Live{
			Rule: r.rule, Device: device, Owner: r.owner,
			Handle:  handle(r.mapping),
			Drift:   r.drift,
			Expires: seconds(r.mapping.Lease),
		}
		if !r.owner.IsZero() && r.mapping.Lease > 0 && lease > 0 {
			l.Renew = renewal(r.mapping.Lease, lease)
		}
		out = append(out, l)
	}
	return out
}

// handle is what a router says of a mapping, fit for a terminal.
func handle(m igd.Mapping) string {
	s := "without a description"
	if m.Description != "" {
		s = `described as "` + plain.Line(m.Description) + `"`
	}
	if aMark.MatchString(m.Description) {
		s += ", which is a mark of btplan's"
	}
	if m.ClientName != "" {
		s += `, for the client "` + plain.Line(m.ClientName) + `"`
	}
	return s
}

// client is whom a mapping leads to, fit for a terminal.
func client(m igd.Mapping) string {
	if m.Client.IsValid() {
		return fmt.Sprintf("%s:%d", m.Client, m.Internal)
	}
	return fmt.Sprintf("%q:%d", plain.Line(m.ClientName), m.Internal)
}
