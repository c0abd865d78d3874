package config

import (
	"slices"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// element is one element of an attribute that takes a list, or the attribute's
// value itself where a single one will do.
type element struct {
	f     *fields
	attr  *hcl.Attribute
	index int // in the list; -1: the value itself
	value cty.Value
}

// at is where the element is written, as closely as can be told.
func (e element) at() hcl.Range {
	if exprs, diags := hcl.ExprList(e.attr.Expr); !diags.HasErrors() && e.index >= 0 && e.index < len(exprs) {
		return exprs[e.index].Range()
	}
	return e.attr.Expr.Range()
}

// text is an element that has to be a string. Any other is noted.
func (e element) text() (string, bool) {
	switch {
	case !e.value.IsKnown():
		e.f.unclear = true
		return "", false
	case e.value.IsNull() || e.value.Type() != cty.String:
		e.f.fail(e.attr, e.at(), "Wrong type", "%s takes strings, but this is %s.", e.attr.Name, friendly(e.value))
		return "", false
	}
	return e.value.AsString(), true
}

// list gives the elements of an attribute. It is not ok if the attribute is
// absent, unknown, or mistaken, which is then noted.
func (f *fields) list(name string) ([]element, bool) {
	v, attr, ok := f.get(name)
	if !ok {
		return nil, false
	}
	if ty := v.Type(); !ty.IsListType() && !ty.IsTupleType() && !ty.IsSetType() {
		f.fail(attr, attr.Expr.Range(), "Wrong type", "%s takes a list, but this is %s. For a single element, put it in brackets: [...].", name, friendly(v))
		return nil, false
	}
	return f.elements(v, attr)
}

// elements takes a list apart. That it is empty is a mistake: an attribute
// that is left out has a default, and an empty list would be none of it.
func (f *fields) elements(v cty.Value, attr *hcl.Attribute) ([]element, bool) {
	var out []element
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		out = append(out, element{f, attr, len(out), e})
	}
	if len(out) == 0 {
		f.fail(attr, attr.Expr.Range(), "Empty list", "%s", emptyList(attr.Name))
		return nil, false
	}
	return out, true
}

func emptyList(name string) string {
	switch name {
	case "sources":
		return "sources is empty, which would let nobody in. Leave it out to let anyone connect."
	case "trackers":
		return "trackers is empty, which would let the machine out to nothing. Leave it out if its clients need none."
	case "protocols":
		return "protocols is empty, which would open nothing. Leave it out for TCP."
	}
	return name + " is empty: it has to hold at least one port."
}

// ports reads an attribute that takes a port, a range, or a list of these, and
// says where it is written. Absent or after a mistake, there are none.
func (f *fields) ports(v cty.Value, attr *hcl.Attribute, ok bool) ([]plan.PortRange, hcl.Range) {
	if !ok {
		return nil, hcl.Range{}
	}
	at := attr.Expr.Range()
	list, isSet := []element{{f, attr, -1, v}}, false
	if ty := v.Type(); ty.IsListType() || ty.IsTupleType() || ty.IsSetType() {
		isSet = ty.IsSetType()
		if list, ok = f.elements(v, attr); !ok {
			return nil, at
		}
	}
	var out []plan.PortRange
	for _, e := range list {
		if r, ok := e.port(); ok {
			out = append(out, r)
		}
	}
	if len(out) < len(list) {
		return nil, at
	}
	sorted := slices.Clone(out)
	slices.SortFunc(sorted, func(a, b plan.PortRange) int { return int(a.First) - int(b.First) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i-1].Overlaps(sorted[i]) {
			f.fail(attr, at, "Overlapping ports", "%s and %s in %s share ports. Each port can be named once.", sorted[i-1], sorted[i], attr.Name)
			return nil, at
		}
	}
	if isSet {
		// A set has no order of its own, and its order as text is nobody's.
		out = sorted
	}
	return out, at
}

// port reads one port or range of ports.
func (e element) port() (plan.PortRange, bool) {
	v := e.value
	var err error
	var r plan.PortRange
	switch {
	case !v.IsKnown():
		e.f.unclear = true
		return r, false
	case v.IsNull():
		e.f.fail(e.attr, e.at(), "Wrong type", "%s takes ports, but this is null.", e.attr.Name)
		return r, false
	case v.Type() == cty.Number:
		n, whole := wholeNumber(v)
		if !whole || n < 1 || n > 65535 {
			e.f.fail(e.attr, e.at(), "Invalid port", "%s is not a port: ports are the whole numbers from 1 to 65535.", number(v))
			return r, false
		}
		r = plan.PortRange{First: uint16(n), Last: uint16(n)}
	case v.Type() == cty.String:
		r, err = plan.ParsePortRange(v.AsString())
	default:
		e.f.fail(e.attr, e.at(), "Wrong type", "%s takes a port, a range such as \"6881-6889\", or a list of these, but this is %s.", e.attr.Name, friendly(v))
		return r, false
	}
	if err != nil {
		e.f.fail(e.attr, e.at(), "Invalid port", "%s.", upperFirst(err.Error()))
		return r, false
	}
	return r, true
}
