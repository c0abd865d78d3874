package config

import "github.com/zclconf/go-cty/cty"

// via reads from which machine a gateway is to be talked to.
func (f *fields) via(g *Gateway) {
	v, attr, ok := f.get("via")
	if !ok {
		return
	}
	const summary = "Invalid via"
	at := attr.Expr.Range()
	id, isBlock, known := identify(v)
	m := f.l.machineByID[id]
	switch {
	case !known:
		f.unclear = true
	case isBlock && m == nil:
		f.fail(attr, at, summary, "This is %s, not a machine. A gateway can be talked to from a machine: machine.NAME.", id)
	case isBlock && m.SSH == nil && !m.Local:
		f.fail(attr, at, summary, "%s has no ssh block, so that nobody knows how to talk to %s from there. Add one to it, or local = true if it is this computer.", id, g.Addr)
	case isBlock:
		g.Via, g.ViaRange = m, at
	case v.Type() == cty.String && f.l.byName[v.AsString()] != nil:
		f.fail(attr, at, summary, "This is a string, not the block. Write %s, without quotes.", v.AsString())
	case v.Type() == cty.String:
		f.fail(attr, at, summary, "This is a string, not a machine. Refer to the block, without quotes: machine.NAME.")
	case several(v):
		f.fail(attr, at, summary, "These are several, but a gateway is talked to from one machine. Name one of them, as in machine.NAME[each.key].")
	default:
		f.fail(attr, at, summary, "via takes a machine, but this is %s.", friendly(v))
	}
}
