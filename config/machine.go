package config

import (
	"net/netip"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// machineObject is what a reference to a machine gets, but for the type of
// the key.
var machineObject = cty.Object(map[string]cty.Type{
	"id":       cty.String,
	"name":     cty.String,
	"key":      cty.DynamicPseudoType,
	"address":  cty.String,
	"address6": cty.String,           // null: none
	"firewall": cty.String,           // its type; null: not managed
	"trackers": cty.List(cty.String), // null: none
})

// machines works out the instances of a machine block.
func (l *loader) machines(n *node) {
	list, known := l.instances(n)
	machines := make([]*Machine, len(list))
	for i, inst := range list {
		machines[i] = l.machine(n.block, inst)
		if !inst.dry {
			l.cfg.Machines = append(l.cfg.Machines, machines[i])
			l.machineByID[inst.addr.String()] = machines[i]
		}
	}
	n.build(list, known, func(i int) map[string]cty.Value {
		address, address6, firewall := cty.UnknownVal(cty.String), cty.NullVal(cty.String), cty.NullVal(cty.String)
		if a := machines[i].Address; a.IsValid() {
			address = cty.StringVal(a.String())
		}
		if a := machines[i].Address6; a.IsValid() {
			address6 = cty.StringVal(a.String())
		}
		if f := machines[i].Firewall; f != nil {
			firewall = cty.StringVal(f.Type)
		}
		return map[string]cty.Value{"address": address, "address6": address6, "firewall": firewall, "trackers": machines[i].trackerObject()}
	})
}

func (l *loader) machine(b *block, inst instance) *Machine {
	m := &Machine{Addr: inst.addr, DeclRange: b.rng}
	f := newFields(l, b.attrs, inst)
	if text, attr, ok := f.needText("address"); ok {
		m.Address = f.address(text, attr)
	}
	if text, attr, ok := f.text("address6"); ok {
		m.Address6 = f.address6(text, attr, m.Address)
	}
	m.Trackers, m.TrackersRange = f.trackers()
	host := ""
	if m.Address.IsValid() {
		host = m.Address.String()
	}
	m.SSH, m.Local = l.reach(b, inst, host)
	if b.firewall != nil {
		m.Firewall = &Firewall{Type: b.firewall.name, DeclRange: b.firewall.rng}
		m.Firewall.Body = l.typedBody(b.firewall, inst)
	}
	return m
}

// address reads the address of a machine.
func (f *fields) address(text string, attr *hcl.Attribute) netip.Addr {
	const summary = "Invalid address"
	at := attr.Expr.Range()
	a, err := netip.ParseAddr(text)
	if err != nil {
		hint := ""
		if p, err := netip.ParsePrefix(text); err == nil {
			hint = " Leave out the prefix length: " + p.Addr().String() + "."
		}
		f.fail(attr, at, summary, "%q is not an IP address.%s", text, hint)
		return netip.Addr{}
	}
	switch {
	case a.Zone() != "":
		f.fail(attr, at, summary, "%q has a zone, which means something on one computer only. Use an address without one.", text)
	case a.Is4In6():
		f.fail(attr, at, summary, "%q is an IPv4 address in IPv6 notation. Write %s.", text, a.Unmap())
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		f.fail(attr, at, summary, "%q is not the address of one machine.", text)
	default:
		return a
	}
	return netip.Addr{}
}

// address6 reads the IPv6 address of a machine that has an IPv4 address too.
func (f *fields) address6(text string, attr *hcl.Attribute, address netip.Addr) netip.Addr {
	a := f.address(text, attr)
	switch {
	case !a.IsValid():
	case a.Is4():
		f.fail(attr, attr.Expr.Range(), "Invalid address", "%q is an IPv4 address, and address6 is for an IPv6 one.", text)
	case address.Is6():
		f.fail(attr, attr.Expr.Range(), "Two IPv6 addresses", "The machine's address is %s already. address6 is for a machine whose address is an IPv4 one.", address)
	default:
		return a
	}
	return netip.Addr{}
}

// addresses are those of m that there are.
func (m *Machine) addresses() []netip.Addr {
	var out []netip.Addr
	for _, a := range []netip.Addr{m.Address, m.Address6} {
		if a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}

// typedBody decodes what a type of gateway or firewall adds to a block.
// After a mistake the result is unknown in whole or in part.
func (l *loader) typedBody(t *typed, inst instance) cty.Value {
	if t.spec == nil {
		return cty.DynamicVal
	}
	// A type's own validations expect values that are known and unmarked.
	whole := true
	for _, expr := range t.exprs {
		v, ok := l.value(expr, inst.ctx)
		switch {
		case !ok:
			whole = false
		case v.ContainsMarked():
			l.failSensitive(expr, "This attribute")
			whole = false
		case !v.IsWhollyKnown():
			whole = false
		}
	}
	if !whole {
		return cty.UnknownVal(hcldec.ImpliedType(t.spec))
	}
	var v cty.Value
	var diags hcl.Diagnostics
	if t.partial {
		v, _, diags = hcldec.PartialDecode(t.body, t.spec, inst.ctx)
	} else {
		v, diags = hcldec.Decode(t.body, t.spec, inst.ctx)
	}
	l.diags = append(l.diags, diags...)
	return v
}
