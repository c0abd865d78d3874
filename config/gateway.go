package config

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// gatewayAttributes are what references to a gateway find besides the
// attributes of its type.
var gatewayAttributes = []string{"id", "name", "key", "type"}

// gateways works out the instances of a gateway block.
func (l *loader) gateways(n *node) {
	b := n.block
	list, known := l.instances(n)
	gateways := make([]*Gateway, len(list))
	for i, inst := range list {
		g := &Gateway{Addr: inst.addr, Type: b.typed.name, DeclRange: b.rng}
		g.SSH, g.Local = l.reach(b, inst, "")
		newFields(l, b.attrs, inst).via(g)
		g.Body = l.typedBody(b.typed, inst)
		gateways[i] = g
		if !inst.dry {
			l.cfg.Gateways = append(l.cfg.Gateways, g)
			l.gatewayByID[inst.addr.String()] = g
		}
	}
	if b.typed.spec == nil {
		return // of an unknown type, whose attributes nobody knows
	}
	n.build(list, known, func(i int) map[string]cty.Value {
		attrs := map[string]cty.Value{"type": cty.StringVal(b.typed.name)}
		body := gateways[i].Body
		for name := range body.Type().AttributeTypes() {
			if slices.Contains(gatewayAttributes, name) {
				continue // the block's own words come first
			}
			if body.IsKnown() {
				attrs[name] = body.GetAttr(name)
			} else {
				attrs[name] = cty.UnknownVal(body.Type().AttributeType(name))
			}
		}
		return attrs
	})
}
