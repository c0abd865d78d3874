package cli

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// closers are the tokens that end what others begin. Strings are among them
// because brackets in the text of one are not tokens of their own.
var closers = map[hclsyntax.TokenType]hclsyntax.TokenType{
	hclsyntax.TokenOBrace:          hclsyntax.TokenCBrace,
	hclsyntax.TokenOBrack:          hclsyntax.TokenCBrack,
	hclsyntax.TokenOParen:          hclsyntax.TokenCParen,
	hclsyntax.TokenOQuote:          hclsyntax.TokenCQuote,
	hclsyntax.TokenOHeredoc:        hclsyntax.TokenCHeredoc,
	hclsyntax.TokenTemplateInterp:  hclsyntax.TokenTemplateSeqEnd,
	hclsyntax.TokenTemplateControl: hclsyntax.TokenTemplateSeqEnd,
}

// unfinished says whether more lines can make an expression of text: it has
// brackets open, and none that are closed by the wrong one. A string, which
// can't go on in the next line, is never finished by one.
func unfinished(text string) bool {
	tokens, _ := hclsyntax.LexExpression([]byte(text+"\n"), consoleInput, hcl.InitialPos)
	var open []hclsyntax.TokenType // what would close them, the innermost last
	for _, t := range tokens {
		closer, opens := closers[t.Type]
		switch {
		case opens:
			open = append(open, closer)
		case !isCloser(t.Type):
		case len(open) == 0 || open[len(open)-1] != t.Type:
			return false
		default:
			open = open[:len(open)-1]
		}
	}
	return len(open) > 0 && open[len(open)-1] != hclsyntax.TokenCQuote
}

func isCloser(t hclsyntax.TokenType) bool {
	for _, closer := range closers {
		if t == closer {
			return true
		}
	}
	return false
}

// isBlank says whether there is nothing in text but space and comments.
func isBlank(text string) bool {
	tokens, _ := hclsyntax.LexExpression([]byte(text), consoleInput, hcl.InitialPos)
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenComment, hclsyntax.TokenNewline, hclsyntax.TokenEOF:
		default:
			return false
		}
	}
	return true
}
