package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable is a variable block, and the value that was given for it.
type variable struct {
	name        string
	rng         hcl.Range
	node        *node
	description string
	typ         cty.Type
	optional    *typeexpr.Defaults // for the optional attributes of typ; may be nil
	// literal: a value on the command line or in the environment is the text
	// itself, not an expression.
	literal     bool
	sensitive   bool
	fallback    *hcl.Attribute // the default; may be nil
	validations []validation
	given       *given // nil: nothing was given
}

// validation is a validation block.
type validation struct {
	rng                hcl.Range
	condition, message *hcl.Attribute
}

// MissingVariable is the Extra of the diagnostic for a variable that has no
// value, for callers that can ask for one; [hcl.DiagnosticExtra] finds it.
type MissingVariable struct {
	Name, Description string
	Sensitive         bool
}

// declareVariable takes in a variable block.
func (l *loader) declareVariable(hb *hcl.Block) {
	v := &variable{name: hb.Labels[0], rng: headline(hb), typ: cty.DynamicPseudoType, literal: true}
	if !hclsyntax.ValidIdentifier(v.name) {
		l.failName(hb.LabelRanges[0], v.name)
		return
	}
	content, diags := hb.Body.Content(variableSchema)
	l.diags = append(l.diags, diags...)
	f := &fields{l: l, attrs: content.Attributes}
	v.description, _, _ = f.text("description")
	v.sensitive = f.flag("sensitive")
	v.fallback = content.Attributes["default"]
	if attr := content.Attributes["type"]; attr != nil {
		diags := checkType(attr.Expr)
		if !diags.HasErrors() {
			v.typ, v.optional, diags = typeexpr.TypeConstraintWithDefaults(attr.Expr)
		}
		l.diags = append(l.diags, diags...)
		v.literal = v.typ.IsPrimitiveType()
	}
	n := &node{name: rootVar + "." + v.name, rng: v.rng}
	for _, b := range content.Blocks {
		content, diags := b.Body.Content(validationSchema)
		l.diags = append(l.diags, diags...)
		condition, message := content.Attributes["condition"], content.Attributes["error_message"]
		if condition == nil || message == nil {
			continue
		}
		v.validations = append(v.validations, validation{b.DefRange, condition, message})
		n.exprs = append(n.exprs, condition.Expr, message.Expr)
	}
	v.node = n
	n.eval = func() { l.evalVariable(v) }
	l.add(n)
	if l.byName[n.name] == n {
		l.variables[v.name] = v
	}
}

// evalVariable gives a variable its value.
func (l *loader) evalVariable(v *variable) {
	val, at, ok := l.rawValue(v)
	if !ok {
		return
	}
	converted, err := v.convert(val)
	if err != nil {
		detail := fmt.Sprintf("The value of var.%s is not what its type says: %s.", v.name, convertError(err))
		if v.sensitive {
			detail = fmt.Sprintf("The value of var.%s, which is sensitive, is not what its type says.", v.name)
		}
		l.fail(at, "Wrong type", "%s", detail)
		return
	}
	if holdsBoundless(converted) { // a text was converted
		l.diags = append(l.diags, boundlessAt(at))
		return
	}
	if v.sensitive {
		converted = converted.Mark(sensitive)
	}
	// The value has to be there for its own validations, but for nobody else
	// if they fail.
	v.node.value = converted
	if !l.validate(v, at) {
		v.node.value = cty.DynamicVal
		return
	}
	plain, _ := converted.UnmarkDeep()
	l.cfg.Variables = append(l.cfg.Variables, &Variable{Name: v.name, Value: plain, Sensitive: v.sensitive, DeclRange: v.rng})
}

func (v *variable) convert(val cty.Value) (cty.Value, error) {
	if v.optional != nil && !val.IsNull() {
		val = v.optional.Apply(val)
	}
	return convert.Convert(val, v.typ)
}

// convertError is cty's words with the path to the part that they are about.
func convertError(err error) string {
	var pathErr cty.PathError
	if !errors.As(err, &pathErr) || len(pathErr.Path) == 0 {
		return err.Error()
	}
	var path strings.Builder
	for _, step := range pathErr.Path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			path.WriteString("." + step.Name)
		case cty.IndexStep:
			if step.Key.Type() == cty.Number {
				fmt.Fprintf(&path, "[%s]", number(step.Key))
			} else if step.Key.Type() == cty.String {
				fmt.Fprintf(&path, "[%q]", step.Key.AsString())
			}
		}
	}
	return fmt.Sprintf("at %s, %s", path.String(), err)
}

// rawValue is a variable's value before conversion, and the place to blame
// for it. A sensitive value's place is its block, because diagnostics print
// the line that they are about.
func (l *loader) rawValue(v *variable) (cty.Value, hcl.Range, bool) {
	switch {
	case v.given != nil:
		return l.givenValue(v)
	case v.fallback != nil:
		at := v.fallback.Expr.Range()
		if v.sensitive {
			at = v.rng
		}
		val, ok := l.constant(v, v.fallback.Expr, at)
		return val, at, ok
	}
	if !l.valuesUnread {
		l.fail(v.rng, "No value for variable", "var.%s has no default, and no value was given for it. Give one with -var '%s=...', with the environment variable %s%s, or in the file btplan.btpvars.hcl.",
			v.name, v.name, envPrefix, v.name)
		l.diags[len(l.diags)-1].Extra = MissingVariable{v.name, v.description, v.sensitive}
	}
	return cty.NilVal, v.rng, false
}

// constant evaluates an expression that can't refer to anything.
func (l *loader) constant(v *variable, expr hcl.Expression, at hcl.Range) (cty.Value, bool) {
	val, diags := expr.Value(nil)
	if diags.HasErrors() && v.sensitive {
		l.fail(at, "Invalid value", "The value of var.%s, which is sensitive, is not a constant.", v.name)
		return val, false
	}
	l.diags = append(l.diags, diags...)
	if !diags.HasErrors() && holdsBoundless(val) {
		l.diags = append(l.diags, boundlessAt(at))
		return val, false
	}
	return val, !diags.HasErrors()
}

// validate checks a variable's value against its validation blocks.
func (l *loader) validate(v *variable, at hcl.Range) bool {
	valid := true
	for _, rule := range v.validations {
		ctx := l.scope(v.node)
		cond, ok := l.value(rule.condition.Expr, ctx)
		if !ok {
			valid = false
			continue
		}
		cond, _ = cond.Unmark()
		if !cond.IsKnown() {
			continue
		}
		isTrue, err := convert.Convert(cond, cty.Bool)
		if err != nil || isTrue.IsNull() {
			l.fail(rule.condition.Expr.Range(), "Wrong type", "The condition of a validation must be true or false, but this is %s.", friendly(cond))
			valid = false
			continue
		}
		if isTrue.True() {
			continue
		}
		valid = false
		l.diags = append(l.diags, &hcl.Diagnostic{
			Severity:    hcl.DiagError,
			Summary:     "Invalid value for variable",
			Detail:      fmt.Sprintf("%s\n\nThis comes from the validation at %s.", l.validationMessage(rule, ctx), place(rule.rng)),
			Subject:     at.Ptr(),
			Expression:  rule.condition.Expr,
			EvalContext: ctx,
		})
	}
	return valid
}

// validationMessage is the author's own word on a value that is not valid.
func (l *loader) validationMessage(rule validation, ctx *hcl.EvalContext) string {
	v, ok := l.value(rule.message.Expr, ctx)
	if ok && v.ContainsMarked() {
		return "The message is not shown because it contains a sensitive value."
	}
	if ok {
		if text, err := convert.Convert(v, cty.String); err == nil && text.IsKnown() && !text.IsNull() {
			return text.AsString()
		}
	}
	return "The message can't be worked out: it must be a string."
}
