package view

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// ValueText is a value as HCL would write it. What is marked in it, it shows as
// a sensitive value; the rest has to be known.
func ValueText(v cty.Value) string {
	return string(hclwrite.Format(valueTokens(v).Bytes()))
}

// sensitiveValue stands for what must not be shown.
var sensitiveValue = hclwrite.Tokens{{Type: hclsyntax.TokenIdent, Bytes: []byte("(sensitive value)")}}

// valueTokens are those of HCL, but for the marked parts of v.
func valueTokens(v cty.Value) hclwrite.Tokens {
	switch {
	case v.IsMarked():
		return sensitiveValue
	case !v.ContainsMarked():
		return hclwrite.TokensForValue(v)
	case v.Type().IsMapType(), v.Type().IsObjectType():
		var attrs []hclwrite.ObjectAttrTokens
		for it := v.ElementIterator(); it.Next(); {
			key, e := it.Element()
			name := hclwrite.TokensForValue(key)
			if hclsyntax.ValidIdentifier(key.AsString()) {
				name = hclwrite.TokensForIdentifier(key.AsString())
			}
			attrs = append(attrs, hclwrite.ObjectAttrTokens{Name: name, Value: valueTokens(e)})
		}
		return hclwrite.TokensForObject(attrs)
	}
	var elements []hclwrite.Tokens
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		elements = append(elements, valueTokens(e))
	}
	return hclwrite.TokensForTuple(elements)
}
