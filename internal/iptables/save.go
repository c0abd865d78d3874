// Package iptables reads what iptables-save prints, and spells what
// iptables-restore takes.
//
// The text is that of iptables-save(8) of both variants, legacy and nft. It
// comes from a device, so it is hostile input: bounded before it gets here, and
// read without an idea of what the rules mean, which is for the caller to say.
package iptables

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Save is what a kernel holds, as iptables-save lists it.
type Save struct {
	Tables []Table
	// Incompatible are the tables that the nft variant can't list, since
	// nft has put something in them that iptables has no words for.
	Incompatible []string
}

// Table is one table: "filter", "nat", "mangle".
type Table struct {
	Name   string
	Chains []Chain
}

// Chain is one chain of a table with its rules in order.
type Chain struct {
	Name   string
	Policy string // "ACCEPT", "DROP"; empty for a chain that is not built in
	Rules  []Rule
}

// incompatible is the remark that iptables-nft-save makes in place of a table.
// (There is another one, of chains that it leaves out of a table; those are
// nobody's that uses iptables.)
var incompatible = regexp.MustCompile("^# Table `([^']+)' is incompatible")

// Parse reads the output of one iptables-save, or of several one after the
// other.
func Parse(data []byte) (*Save, error) {
	s := &Save{}
	var table *Table
	rest, number := string(data), 0
	for rest != "" {
		line, words, tail, err := cutLine(rest)
		number++
		if err == nil {
			table, err = s.add(table, line, words)
		}
		if err != nil {
			return nil, fmt.Errorf("the output of iptables-save can't be read: line %d: %w", number, err)
		}
		rest = tail
	}
	if table != nil {
		return nil, fmt.Errorf("the output of iptables-save is cut off: table %s has no COMMIT", table.Name)
	}
	return s, nil
}

// add takes in one line. It gives the table that the next line is in.
func (s *Save) add(table *Table, line string, words []word) (*Table, error) {
	switch {
	case strings.HasPrefix(line, "#"):
		if m := incompatible.FindStringSubmatch(line); m != nil {
			s.Incompatible = append(s.Incompatible, m[1])
		}
		return table, nil
	case len(words) == 0:
		return table, nil
	case strings.HasPrefix(line, "*"):
		if table != nil || len(words) != 1 || len(line) == 1 {
			return nil, fmt.Errorf("%q begins no table here", line)
		}
		s.Tables = append(s.Tables, Table{Name: words[0].text[1:]})
		return &s.Tables[len(s.Tables)-1], nil
	case table == nil:
		return nil, fmt.Errorf("%q is in no table", line)
	case line == "COMMIT":
		return nil, nil
	case strings.HasPrefix(line, ":"):
		if len(words) < 2 || len(words[0].text) == 1 {
			return nil, fmt.Errorf("%q declares no chain", line)
		}
		c := Chain{Name: words[0].text[1:], Policy: words[1].text}
		if c.Policy == "-" {
			c.Policy = ""
		}
		table.Chains = append(table.Chains, c)
		return table, nil
	}
	r, err := parseRule(words)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(table.Chains, func(c Chain) bool { return c.Name == r.Chain })
	if i < 0 {
		return nil, fmt.Errorf("a rule is in chain %q, which table %s has not", r.Chain, table.Name)
	}
	table.Chains[i].Rules = append(table.Chains[i].Rules, r)
	return table, nil
}

// Table finds a table by its name; without one it gives an empty table.
func (s *Save) Table(name string) Table {
	for _, t := range s.Tables {
		if t.Name == name {
			return t
		}
	}
	return Table{Name: name}
}

// Chain finds a chain by its name.
func (t Table) Chain(name string) (Chain, bool) {
	for _, c := range t.Chains {
		if c.Name == name {
			return c, true
		}
	}
	return Chain{}, false
}

// From gives the chain of this name and all that its rules lead to by jump or
// goto, each once, in the order in which they are come upon.
func (t Table) From(name string) []Chain {
	var out []Chain
	seen := map[string]bool{}
	for todo := []string{name}; len(todo) > 0; {
		next := todo[0]
		todo = todo[1:]
		c, found := t.Chain(next)
		if !found || seen[next] {
			continue
		}
		seen[next] = true
		out = append(out, c)
		for _, r := range c.Rules {
			todo = append(todo, r.Target())
		}
	}
	return out
}
