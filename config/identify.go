package config

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// machine finds the machine that the attribute of that name refers to.
func (f *fields) machine() *Machine {
	v, attr, ok := f.need("machine")
	if !ok {
		return nil
	}
	id, isBlock, known := identify(v)
	if !known {
		f.unclear = true
		return nil
	}
	if m := f.l.machineByID[id]; isBlock && m != nil {
		return m
	}
	var detail string
	switch {
	case isBlock:
		detail = fmt.Sprintf("This is %s, not a machine.", id)
	case v.Type() == cty.String:
		detail = "This is a string, not a machine. Refer to the block, without quotes: machine.NAME."
		if name := v.AsString(); f.l.byName["machine."+name] != nil {
			detail = fmt.Sprintf("This is a string, not a machine. Write machine.%s, without quotes.", name)
		}
	case several(v):
		detail = "These are several machines, but a port_range belongs to one. Name one of them, as in machine.NAME[each.key]."
	default:
		detail = fmt.Sprintf("This is %s, not a machine. Refer to one: machine.NAME.", friendly(v))
	}
	f.fail(attr, attr.Expr.Range(), "Not a machine", "%s", detail)
	return nil
}

// gateways finds the gateways that the attribute of that name refers to: a
// list of them, or a whole block with for_each or count, or a list of such.
func (f *fields) gateways() []*Gateway {
	v, attr, ok := f.get("gateways")
	if !ok {
		return nil
	}
	var out []*Gateway
	var collect func(v cty.Value, index int)
	collect = func(v cty.Value, index int) {
		e := element{f, attr, index, v}
		if v.IsNull() {
			f.fail(attr, e.at(), "Not a gateway", "This is null, not a gateway.")
			return
		}
		id, isBlock, known := identify(v)
		g := f.l.gatewayByID[id]
		switch {
		case !known:
			f.unclear = true
		case isBlock && g != nil:
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		case isBlock:
			f.fail(attr, e.at(), "Not a gateway", "This is %s, not a gateway.", id)
		case v.CanIterateElements():
			for it, i := v.ElementIterator(), 0; it.Next(); i++ {
				_, inner := it.Element()
				if index < 0 {
					collect(inner, i)
				} else {
					collect(inner, index)
				}
			}
		default:
			f.fail(attr, e.at(), "Not a gateway", "This is %s, not a gateway. Refer to one, without quotes: gateway.NAME.", friendly(v))
		}
	}
	collect(v, -1)
	slices.SortFunc(out, func(a, b *Gateway) int { return a.Addr.Compare(b.Addr) })
	return out
}

// identify gives the address of the block whose object v is. It is not known
// after an earlier mistake.
func identify(v cty.Value) (id string, isBlock, known bool) {
	if !v.IsKnown() {
		return "", false, false
	}
	if v.IsNull() || !v.Type().IsObjectType() || !v.Type().HasAttribute("id") || !v.Type().HasAttribute("key") {
		return "", false, true
	}
	attr := v.GetAttr("id")
	if !attr.IsKnown() {
		return "", false, false
	}
	if attr.IsNull() || attr.Type() != cty.String {
		return "", false, true
	}
	return attr.AsString(), true, true
}

// several says whether v is a collection with a block's objects in it.
func several(v cty.Value) bool {
	if !v.CanIterateElements() {
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		_, isBlock, _ := identify(e)
		return isBlock
	}
	return false
}

// upperFirst makes a sentence of an error's text.
func upperFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}
