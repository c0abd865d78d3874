package netfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/nft"
)

// Set is a set or a map of our table.
type Set struct {
	Name  string
	IsMap bool
	// Header declares it: its type and flags. When it changes, so must the name
	// of a rule that uses the set, by which a reader sees it.
	Header   string
	Elements []Element
}

// Element is one element of a set or map.
type Element struct {
	Key     string
	Value   string // what the key leads to; empty in a set
	Comment string // empty: none
}

// String is e as nft spells it.
func (e Element) String() string {
	s := e.Key
	if e.Comment != "" {
		s += " comment " + nft.Quote(e.Comment)
	}
	if e.Value != "" {
		s += " : " + e.Value
	}
	return s
}

func (s Set) keyword() string {
	if s.IsMap {
		return "map"
	}
	return "set"
}

// declare spells the set for the block of its table.
func (s Set) declare(b *strings.Builder) {
	fmt.Fprintf(b, " %s %s { %s;", s.keyword(), s.Name, s.Header)
	if len(s.Elements) > 0 {
		b.WriteString(" elements = {\n  ")
		for i, e := range s.Elements {
			if i > 0 {
				b.WriteString(",\n  ")
			}
			b.WriteString(e.String())
		}
		b.WriteString("\n };")
	}
	b.WriteString(" }\n")
}

// without gives the elements of s that are not, just so, among others.
func (s Set) without(others []Element) []Element {
	there := make(map[Element]bool, len(others))
	for _, e := range others {
		there[e] = true
	}
	return slices.DeleteFunc(slices.Clone(s.Elements), func(e Element) bool { return there[e] })
}

// isHeld says whether a set that was read holds the elements of s.
func (s Set) isHeld(has nft.Set) bool {
	elements, err := has.Elements()
	if err != nil || has.IsMap != s.IsMap || len(elements) != len(s.Elements) {
		return false
	}
	there := make(map[Element]bool, len(elements))
	for _, e := range elements {
		there[Element{Key: spellData(e.Key), Value: spellData(e.Value), Comment: e.Comment}] = true
	}
	for _, e := range s.Elements {
		if !there[Element{Key: inFull(e.Key), Value: inFull(e.Value), Comment: e.Comment}] {
			return false
		}
	}
	return len(there) == len(elements)
}

// between is what nft puts between the parts of a concatenation.
const between = " . "

// spellData spells what was read as inFull does.
func spellData(data []nft.Datum) string {
	parts := make([]string, len(data))
	for i, d := range data {
		if p, err := d.Prefix(); err == nil {
			parts[i] = p.String()
		} else {
			parts[i] = d.String()
		}
	}
	return strings.Join(parts, between)
}

// inFull spells a key or value so that what is the same looks the same: an
// address as the prefix that holds it alone, a name without quotes.
func inFull(data string) string {
	parts := strings.Split(data, between)
	for i, part := range parts {
		if addr, err := netip.ParseAddr(part); err == nil {
			parts[i] = netip.PrefixFrom(addr, addr.BitLen()).String()
		} else {
			parts[i] = strings.Trim(part, `"`)
		}
	}
	return strings.Join(parts, between)
}
