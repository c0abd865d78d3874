// Package nft reads what `nft -j` prints, and spells what `nft -f` takes.
//
// The JSON is that of libnftables-json(5), schema version 1. A ruleset comes
// from a device, so it is hostile input: bounded before it gets here, decoded
// strictly where btplan acts on it, kept raw where it doesn't.
package nft

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Ruleset is what a kernel holds, in the order in which nft lists it.
type Ruleset struct {
	Tables []Table
	Chains []Chain
	Rules  []Rule
	Sets   []Set // sets and maps
}

// Table is a table's identity: family ("inet", "ip", …) and name.
type Table struct {
	Family string `json:"family"`
	Name   string `json:"name"`
}

// String is the table as people name it: "table inet filter".
func (t Table) String() string { return "table " + t.Family + " " + t.Name }

// Chain is one chain. Hook is empty for one that only jumps lead to.
type Chain struct {
	Family   string `json:"family"`
	Table    string `json:"table"`
	Name     string `json:"name"`
	Type     string `json:"type"` // "filter", "nat", "route"
	Hook     string `json:"hook"` // "prerouting", "forward", …
	Priority int    `json:"prio"`
	Policy   string `json:"policy"` // "accept", "drop"
}

// In is the chain's table.
func (c Chain) In() Table { return Table{c.Family, c.Table} }

// String is the chain as people name it: "chain forward of table inet filter".
func (c Chain) String() string { return "chain " + c.Name + " of " + c.In().String() }

// Rule is one rule of a chain.
type Rule struct {
	Family     string      `json:"family"`
	Table      string      `json:"table"`
	Chain      string      `json:"chain"`
	Handle     uint64      `json:"handle"` // names the rule within its table
	Comment    string      `json:"comment"`
	Statements []Statement `json:"expr"`
}

// In is the rule's table.
func (r Rule) In() Table { return Table{r.Family, r.Table} }

// String is the rule as people find it in `nft -a list ruleset`.
func (r Rule) String() string {
	return fmt.Sprintf("%s, chain %s, handle %d", r.In(), r.Chain, r.Handle)
}

// Statement is one step of a rule, "match", "accept", "dnat", with its
// undecoded argument.
type Statement struct {
	Name string
	Body json.RawMessage
}

// UnmarshalJSON reads {"name": body}. A bare string is a statement without
// an argument, as some versions print them.
func (s *Statement) UnmarshalJSON(data []byte) error {
	var name string
	if json.Unmarshal(data, &name) == nil {
		s.Name = name
		return nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return err
	}
	if len(object) != 1 {
		return fmt.Errorf("a statement has one name, not %d", len(object))
	}
	for s.Name, s.Body = range object {
	}
	return nil
}

// Set is a set or a map. Its elements stay undecoded until Elements is
// called: most are other people's, and may be of any type.
type Set struct {
	Family string          `json:"family"`
	Table  string          `json:"table"`
	Name   string          `json:"name"`
	IsMap  bool            `json:"-"`
	Elem   json.RawMessage `json:"elem"`
}

// In is the set's table.
func (s Set) In() Table { return Table{s.Family, s.Table} }

// Parse reads the output of one `nft -j list …`. Objects of other kinds
// (counters, flow tables, …) are passed over. No output at all is an empty
// rule set: so some versions list one.
func Parse(data []byte) (*Ruleset, error) {
	rs := &Ruleset{}
	if len(data) == 0 {
		return rs, nil
	}
	var document struct {
		Objects []map[string]json.RawMessage `json:"nftables"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("the output of nft is not the JSON that was expected: %w", err)
	}
	if document.Objects == nil {
		return nil, errors.New("the output of nft is not the JSON that was expected: it has no member nftables")
	}
	for _, object := range document.Objects {
		for kind, body := range object {
			if err := rs.add(kind, body); err != nil {
				return nil, fmt.Errorf("the output of nft has a %s that can't be read: %w", kind, err)
			}
		}
	}
	return rs, nil
}

func (rs *Ruleset) add(kind string, body json.RawMessage) error {
	switch kind {
	case "table":
		return appendDecoded(&rs.Tables, body)
	case "chain":
		return appendDecoded(&rs.Chains, body)
	case "rule":
		return appendDecoded(&rs.Rules, body)
	case "set", "map":
		if err := appendDecoded(&rs.Sets, body); err != nil {
			return err
		}
		rs.Sets[len(rs.Sets)-1].IsMap = kind == "map"
	}
	return nil
}

func appendDecoded[T any](list *[]T, body json.RawMessage) error {
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	*list = append(*list, v)
	return nil
}

// HasTable says whether the rule set holds table t.
func (rs *Ruleset) HasTable(t Table) bool {
	for _, has := range rs.Tables {
		if has == t {
			return true
		}
	}
	return false
}

// ChainsOf gives the chains of one table.
func (rs *Ruleset) ChainsOf(t Table) []Chain { return of(t, rs.Chains) }

// SetsOf gives the sets and maps of one table.
func (rs *Ruleset) SetsOf(t Table) []Set { return of(t, rs.Sets) }

func of[T interface{ In() Table }](t Table, all []T) []T {
	var out []T
	for _, one := range all {
		if one.In() == t {
			out = append(out, one)
		}
	}
	return out
}

// RulesOf gives the rules of one chain in order.
func (rs *Ruleset) RulesOf(c Chain) []Rule {
	var out []Rule
	for _, r := range rs.Rules {
		if r.In() == c.In() && r.Chain == c.Name {
			out = append(out, r)
		}
	}
	return out
}

// Set finds a set or map by its table and name.
func (rs *Ruleset) Set(t Table, name string) (Set, bool) {
	for _, s := range rs.Sets {
		if s.In() == t && s.Name == name {
			return s, true
		}
	}
	return Set{}, false
}
