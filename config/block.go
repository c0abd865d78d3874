package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
)

// block is a machine, gateway or port_range block as it is written, checked
// against its schema.
type block struct {
	addr     plan.Addr // without a key
	rng      hcl.Range
	attrs    hcl.Attributes // those that every block of its kind may have
	ssh      *section
	firewall *typed // of a machine
	typed    *typed // of a gateway: what its type adds
}

// section is a nested block with nothing but attributes.
type section struct {
	attrs hcl.Attributes
	rng   hcl.Range
}

// typed is the part of a body that belongs to a type of gateway or firewall.
type typed struct {
	name  string
	rng   hcl.Range
	body  hcl.Body
	spec  hcldec.ObjectSpec // nil: there is no such type
	exprs []hcl.Expression
	// partial: the body holds more than the type's own part.
	partial bool
}

// repetition is "for_each", "count" or nothing.
func (b *block) repetition() string {
	for _, name := range []string{"for_each", "count"} {
		if b.attrs[name] != nil {
			return name
		}
	}
	return ""
}

// attributes are the names that references to b may go on with.
func (b *block) attributes() []string {
	switch b.addr.Block {
	case plan.BlockMachine:
		return sortedKeys(machineObject.AttributeTypes())
	case plan.BlockPortRange:
		return sortedKeys(portRangeObject.AttributeTypes())
	}
	names := slices.Clone(gatewayAttributes)
	if b.typed.spec != nil {
		names = append(names, sortedKeys(hcldec.ImpliedType(b.typed.spec).AttributeTypes())...)
	}
	slices.Sort(names)
	return names
}

// exprs are all the expressions in b, in a fixed order.
func (b *block) exprs() []hcl.Expression {
	out := attrExprs(b.attrs)
	if b.ssh != nil {
		out = append(out, attrExprs(b.ssh.attrs)...)
	}
	for _, t := range []*typed{b.firewall, b.typed} {
		if t != nil {
			out = append(out, t.exprs...)
		}
	}
	return out
}

func attrExprs(attrs hcl.Attributes) []hcl.Expression {
	var out []hcl.Expression
	for _, name := range sortedKeys(attrs) {
		out = append(out, attrs[name].Expr)
	}
	return out
}

// specExprs are the expressions in body that a spec speaks of.
func specExprs(body hcl.Body, spec hcldec.Spec) []hcl.Expression {
	// Decoding the body gives the diagnostics.
	content, _, _ := body.PartialContent(hcldec.ImpliedSchema(spec))
	out := attrExprs(content.Attributes)
	nested := hcldec.ChildBlockTypes(spec)
	for _, b := range content.Blocks {
		if inner := nested[b.Type]; inner != nil {
			out = append(out, specExprs(b.Body, inner)...)
			continue
		}
		attrs, _ := b.Body.JustAttributes()
		out = append(out, attrExprs(attrs)...)
	}
	return out
}

// headline is the range of a block's first line: its type and labels. In
// JSON syntax, where that is not one place, it is the last label.
func headline(b *hcl.Block) hcl.Range {
	if n := len(b.LabelRanges); n > 0 && strings.HasSuffix(b.DefRange.Filename, ".json") {
		return b.LabelRanges[n-1]
	}
	return b.DefRange
}

// declareMachine takes in a machine block.
func (l *loader) declareMachine(hb *hcl.Block) {
	b := &block{addr: plan.Addr{Block: plan.BlockMachine, Name: hb.Labels[0]}, rng: headline(hb)}
	content, diags := hb.Body.Content(machineSchema)
	l.diags = append(l.diags, diags...)
	b.attrs = content.Attributes
	b.ssh = l.sshSection(content.Blocks.OfType("ssh"))
	for i, f := range content.Blocks.OfType("firewall") {
		if i > 0 {
			l.fail(headline(f), "Duplicate firewall block", "A machine has one firewall. The other block is at %s.", place(b.firewall.rng))
			break
		}
		b.firewall = l.typedPart(f.Body, f.Labels[0], f.LabelRanges[0], "firewall", l.opts.Firewalls)
		b.firewall.rng = headline(f)
		if b.firewall.spec != nil {
			_, diags := f.Body.Content(hcldec.ImpliedSchema(b.firewall.spec))
			l.diags = append(l.diags, diags...)
		}
	}
	l.addBlock(b, hb, l.machines)
}

// declareGateway takes in a gateway block.
func (l *loader) declareGateway(hb *hcl.Block) {
	b := &block{addr: plan.Addr{Block: plan.BlockGateway, Name: hb.Labels[1]}, rng: headline(hb)}
	b.typed = l.typedPart(hb.Body, hb.Labels[0], hb.LabelRanges[0], "gateway", l.opts.Gateways)
	b.typed.rng, b.typed.partial = b.rng, true
	var content *hcl.BodyContent
	var diags hcl.Diagnostics
	if b.typed.spec == nil {
		// What else may stand in the block is unknown, with its type.
		content, _, diags = hb.Body.PartialContent(gatewaySchema)
	} else {
		// Both schemas at once, so that HCL can suggest names from both: the
		// first that is near, which had better be the type's own.
		own := hcldec.ImpliedSchema(b.typed.spec)
		content, diags = hb.Body.Content(&hcl.BodySchema{
			Attributes: slices.Concat(own.Attributes, gatewaySchema.Attributes),
			Blocks:     slices.Concat(own.Blocks, gatewaySchema.Blocks),
		})
	}
	l.diags = append(l.diags, diags...)
	b.attrs = hcl.Attributes{}
	for _, common := range gatewaySchema.Attributes {
		if attr := content.Attributes[common.Name]; attr != nil {
			b.attrs[common.Name] = attr
		}
	}
	b.ssh = l.sshSection(content.Blocks.OfType("ssh"))
	l.addBlock(b, hb, l.gateways)
}

// declarePortRange takes in a port_range block.
func (l *loader) declarePortRange(hb *hcl.Block) {
	b := &block{addr: plan.Addr{Block: plan.BlockPortRange, Name: hb.Labels[0]}, rng: headline(hb)}
	content, diags := hb.Body.Content(portRangeSchema)
	l.diags = append(l.diags, diags...)
	b.attrs = content.Attributes
	l.addBlock(b, hb, l.portRanges)
}

// addBlock makes a node of b; eval works out its instances.
func (l *loader) addBlock(b *block, hb *hcl.Block, eval func(*node)) {
	label := hb.LabelRanges[len(hb.LabelRanges)-1]
	// What a device's mark or -target can't spell is no name.
	if addr, err := plan.ParseAddr(b.addr.String()); err != nil || addr != b.addr {
		l.failName(label, b.addr.Name)
		return
	}
	if first, second := b.attrs["for_each"], b.attrs["count"]; first != nil && second != nil {
		l.fail(second.NameRange, "Both for_each and count", "%s can be repeated by for_each or by count, not by both.", b.addr)
	}
	n := &node{name: b.addr.String(), rng: b.rng, block: b, exprs: b.exprs()}
	n.eval = func() { eval(n) }
	l.add(n)
}

func (l *loader) failName(at hcl.Range, name string) {
	l.fail(at, "Invalid name", "%q can't be a name: a name begins with a letter or _, and holds letters, digits, _ and -.", name)
}

// typedPart takes in what a type of gateway or firewall adds to a block.
func (l *loader) typedPart(body hcl.Body, name string, label hcl.Range, kind string, types map[string]hcldec.ObjectSpec) *typed {
	t := &typed{name: name, body: body}
	spec, known := types[name]
	if !known {
		names := sortedKeys(types)
		l.fail(label, fmt.Sprintf("Unknown %s type", kind), "There is no %s type %q.%s The types are: %s.",
			kind, name, didYouMean(name, names), strings.Join(names, ", "))
		return t
	}
	if spec == nil {
		spec = hcldec.ObjectSpec{} // a type with nothing of its own
	}
	t.spec, t.exprs = spec, specExprs(body, spec)
	return t
}

// sshSection takes in the ssh block, of which there may be one.
func (l *loader) sshSection(blocks hcl.Blocks) *section {
	if len(blocks) == 0 {
		return nil
	}
	if len(blocks) > 1 {
		l.fail(blocks[1].DefRange, "Duplicate ssh block", "There is one way by SSH. The other block is at %s.", place(blocks[0].DefRange))
	}
	content, diags := blocks[0].Body.Content(sshSchema)
	l.diags = append(l.diags, diags...)
	return &section{attrs: content.Attributes, rng: blocks[0].DefRange}
}
