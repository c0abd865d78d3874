package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// declareOutput takes in an output block.
func (l *loader) declareOutput(hb *hcl.Block) {
	name, at := hb.Labels[0], headline(hb)
	if !hclsyntax.ValidIdentifier(name) {
		l.failName(hb.LabelRanges[0], name)
		return
	}
	content, diags := hb.Body.Content(outputSchema)
	l.diags = append(l.diags, diags...)
	constants := &fields{l: l, attrs: content.Attributes}
	out := &Output{Name: name, Sensitive: constants.flag("sensitive"), DeclRange: at}
	out.Description, _, _ = constants.text("description")
	attr := content.Attributes["value"]
	if attr == nil {
		return
	}
	n := &node{name: "output." + name, rng: at, exprs: []hcl.Expression{attr.Expr}}
	n.eval = func() {
		v, ok := l.value(attr.Expr, l.scope(n))
		if !ok {
			return
		}
		plain, marks := v.UnmarkDeep()
		if len(marks) > 0 && !out.Sensitive {
			l.fail(attr.Expr.Range(), "Sensitive output", "The value of output.%s comes from a sensitive one. Add sensitive = true to the output, which hides its value, or wrap the value in nonsensitive(...).", name)
			return
		}
		out.Value = plain
		l.cfg.Outputs = append(l.cfg.Outputs, out)
	}
	l.add(n)
}
