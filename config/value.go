package config

import (
	"fmt"
	"math/big"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// value evaluates an expression. It is not ok if that failed, which is then
// noted. A value that is ok may still be unknown, because of an earlier
// mistake: whoever gets it keeps silent about that.
func (l *loader) value(expr hcl.Expression, ctx *hcl.EvalContext) (cty.Value, bool) {
	v, diags := expr.Value(ctx)
	l.diags = append(l.diags, l.reword(diags, expr, ctx)...)
	if !diags.HasErrors() && holdsBoundless(v) {
		l.diags = append(l.diags, boundlessAt(expr.Range()))
		return v, false
	}
	return v, !diags.HasErrors()
}

// fields are the attributes of one instance of a block.
type fields struct {
	l     *loader
	attrs hcl.Attributes
	ctx   *hcl.EvalContext // nil: constants only
	addr  plan.Addr        // of the instance, zero if there is none
	// unclear: some value was mistaken, or unknown because of a mistake.
	unclear bool
}

func newFields(l *loader, attrs hcl.Attributes, inst instance) *fields {
	return &fields{l: l, attrs: attrs, ctx: inst.ctx, addr: inst.addr}
}

// fail notes a mistake in the value of an attribute, at the given part of its
// expression.
func (f *fields) fail(attr *hcl.Attribute, at hcl.Range, summary, detail string, args ...any) {
	f.unclear = true
	text := fmt.Sprintf(detail, args...)
	if f.addr.Key != plan.NoKey && varies(attr.Expr) {
		text = f.addr.String() + ": " + text
	}
	f.l.diags = append(f.l.diags, &hcl.Diagnostic{
		Severity:    hcl.DiagError,
		Summary:     summary,
		Detail:      text,
		Subject:     at.Ptr(),
		Expression:  attr.Expr,
		EvalContext: f.ctx,
	})
}

// varies says whether an expression differs from instance to instance.
func varies(expr hcl.Expression) bool {
	for _, t := range expr.Variables() {
		if root := t.RootName(); root == rootEach || root == rootCount {
			return true
		}
	}
	return false
}

// get is the value of an attribute. It is not ok if the attribute is absent,
// null, unknown, or mistaken, which is then noted.
func (f *fields) get(name string) (v cty.Value, attr *hcl.Attribute, ok bool) {
	attr = f.attrs[name]
	if attr == nil {
		return cty.NilVal, nil, false
	}
	v, ok = f.l.value(attr.Expr, f.ctx)
	if ok && v.ContainsMarked() {
		f.l.failSensitive(attr.Expr, name)
		ok = false
	}
	if !ok {
		f.unclear = true
		return cty.NilVal, nil, false
	}
	if !v.IsKnown() {
		f.unclear = true
		return v, attr, false
	}
	return v, attr, !v.IsNull()
}

// need is get for an attribute that has to have a value. That it is there at
// all, the schema has seen to.
func (f *fields) need(name string) (v cty.Value, attr *hcl.Attribute, ok bool) {
	v, attr, ok = f.get(name)
	if attr != nil && v.IsNull() {
		f.fail(attr, attr.Expr.Range(), "Missing value", "%s must not be null.", name)
	}
	return v, attr, ok
}

// failSensitive notes that a sensitive value is where plans and devices would
// show it.
func (l *loader) failSensitive(expr hcl.Expression, what string) {
	l.fail(expr.Range(), "Sensitive value", "%s would be shown in plans and written to devices, but its value is sensitive. If it may be shown, wrap it: nonsensitive(...).", what)
}

// convert gives the value of an attribute the type that it has to have.
func (f *fields) convert(v cty.Value, attr *hcl.Attribute, to cty.Type) (cty.Value, bool) {
	out, err := convert.Convert(v, to)
	if err != nil {
		kind := "a " + to.FriendlyName()
		if to == cty.Bool {
			kind = "true or false"
		}
		f.fail(attr, attr.Expr.Range(), "Wrong type", "%s must be %s, but this is %s.", attr.Name, kind, friendly(v))
		return cty.NilVal, false
	}
	return out, out.IsKnown() && !out.IsNull()
}

// text is the value of an attribute that is a string.
func (f *fields) text(name string) (string, *hcl.Attribute, bool) { return f.asText(f.get(name)) }

// needText is text for an attribute that has to have a value.
func (f *fields) needText(name string) (string, *hcl.Attribute, bool) { return f.asText(f.need(name)) }

func (f *fields) asText(v cty.Value, attr *hcl.Attribute, ok bool) (string, *hcl.Attribute, bool) {
	if ok {
		v, ok = f.convert(v, attr, cty.String)
	}
	if !ok {
		return "", attr, false
	}
	return v.AsString(), attr, true
}

// flag is the value of an attribute that is true or false; absent is false.
func (f *fields) flag(name string) bool {
	v, attr, ok := f.get(name)
	if ok {
		v, ok = f.convert(v, attr, cty.Bool)
	}
	return ok && v.True()
}

// whole is the value of an attribute that is a whole number.
func (f *fields) whole(name string) (int, *hcl.Attribute, bool) {
	v, attr, ok := f.get(name)
	if ok {
		v, ok = f.convert(v, attr, cty.Number)
	}
	if !ok {
		return 0, attr, false
	}
	n, exact := wholeNumber(v)
	if !exact {
		f.fail(attr, attr.Expr.Range(), "Not a whole number", "%s must be a whole number, but this is %s.", name, number(v))
		return 0, attr, false
	}
	return n, attr, true
}

// wholeNumber is a number as an int, if it is one.
func wholeNumber(v cty.Value) (int, bool) {
	n, accuracy := v.AsBigFloat().Int64()
	return int(n), accuracy == big.Exact
}

// number is a number as the author would write it.
func number(v cty.Value) string {
	f := v.AsBigFloat()
	if boundless(f) {
		return "a number beyond all bounds"
	}
	return f.Text('g', 12)
}
