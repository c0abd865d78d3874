package config

import (
	"bytes"
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// boundless says whether a number is too large or too small to be written: with
// 1e999999999 that takes minutes, even in short.
func boundless(f *big.Float) bool {
	exp := f.MantExp(nil)
	return f.IsInf() || exp > 1<<10 || exp < -1<<10
}

// boundlessLiteral says whether digits are a number that is boundless, or has so
// many digits that reading it takes its time.
func boundlessLiteral(digits []byte) bool {
	if len(digits) < 300 && !bytes.ContainsAny(digits, "eE") {
		return false
	}
	if len(digits) > 1000 {
		return true
	}
	n, err := cty.ParseNumberVal(string(digits))
	return err != nil || boundless(n.AsBigFloat())
}

// checkLiterals says where numbers are beyond all bounds, before anything
// evaluates them.
func checkLiterals(tokens hclsyntax.Tokens) (diags hcl.Diagnostics) {
	for _, t := range tokens {
		if t.Type == hclsyntax.TokenNumberLit && boundlessLiteral(t.Bytes) {
			diags = append(diags, boundlessAt(t.Range))
		}
	}
	return diags
}

// holdsBoundless says whether a number in v is beyond all bounds.
func holdsBoundless(v cty.Value) bool {
	ty := v.Type()
	if !holdsNumbers(ty) {
		return false
	}
	if v, _ = v.Unmark(); v.IsNull() || !v.IsKnown() {
		return false
	}
	switch {
	case ty == cty.Number:
		return boundless(v.AsBigFloat())
	case ty.IsObjectType():
		for name, of := range ty.AttributeTypes() {
			if holdsNumbers(of) && holdsBoundless(v.GetAttr(name)) {
				return true
			}
		}
		return false
	}
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); holdsBoundless(e) {
			return true
		}
	}
	return false
}

// holdsNumbers says whether values of a type may hold numbers. It doesn't look
// into tuples and objects: their elements have types of their own.
func holdsNumbers(ty cty.Type) bool {
	for ty.IsCollectionType() {
		ty = ty.ElementType()
	}
	return ty == cty.Number || ty.IsTupleType() || ty.IsObjectType()
}

func boundlessAt(at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Number beyond all bounds",
		Detail:   "This is or holds a number that is too large, or too close to zero, to be written out. Numbers of up to 308 digits can be.",
		Subject:  at.Ptr(),
	}
}
