package config

import (
	"errors"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// maxNested is how deep the value of an output may be nested. Readers of JSON
// have limits: some of 512 levels, and Go's, which prints it, of 10,000.
const maxNested = 256

// deeper says whether a value is nested deeper than most.
func deeper(v cty.Value, most int) bool {
	found := errors.New("found")
	return cty.Walk(v, func(path cty.Path, _ cty.Value) (bool, error) {
		if len(path) > most {
			return false, found
		}
		return true, nil
	}) != nil
}

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
		if deeper(plain, maxNested) {
			l.fail(attr.Expr.Range(), "Output nested too deep", "The value of output.%s has more than %d lists or objects within each other, which few programs can read.", name, maxNested)
			return
		}
		out.Value = plain
		l.cfg.Outputs = append(l.cfg.Outputs, out)
	}
	l.add(n)
}
