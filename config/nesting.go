package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxNesting is how many brackets of a text may be open at once. HCL's parsers,
// and whatever goes over what they make, go down on the stack with each of them,
// and Go ends a program whose stack comes to 1 GB without a diagnostic: with HCL
// 2.25 that is so somewhere between 32,768 and 65,536 brackets.
const maxNesting = 1000

// checkNesting says where a text has too many brackets open to be parsed.
// Strings, interpolations and directives count as brackets.
func checkNesting(tokens hclsyntax.Tokens) hcl.Diagnostics {
	open := 0
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
			hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			open++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
			hclsyntax.TokenTemplateSeqEnd:
			open = max(open-1, 0) // one too many is for the parser to tell
		}
		if open > maxNesting {
			return hcl.Diagnostics{tooDeep(t.Range)}
		}
	}
	return nil
}

func tooDeep(at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Nested too deep",
		Detail:   fmt.Sprintf("Here more than %d brackets are within each other. Look for one that is never closed.", maxNesting),
		Subject:  at.Ptr(),
	}
}

// deepJSON gives the place of the bracket with which a text in JSON is nested
// too deep.
func deepJSON(text []byte) (at int, deep bool) {
	var open []byte // what would close them
	inString, escaped := false, false
	for i, b := range text {
		switch {
		case inString:
			// To HCL a string ends with the line at the latest.
			inString = escaped || b != '"' && b >= ' '
			escaped = b == '\\' && !escaped
		case b == '"':
			inString = true
		case b == '[' || b == '{':
			open = append(open, b+2) // as ASCII has it
		case len(open) > 0 && b == open[len(open)-1]:
			open = open[:len(open)-1]
		}
		if len(open) > maxNesting {
			return i, true
		}
	}
	return 0, false
}
