package config

import (
	"bytes"
	stdjson "encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// ParseFile parses a file of HCL, or of its JSON syntax if its name says so.
// What would take the parser or the evaluation down with it is a diagnostic.
// Like HCL's own, it may give a file as well as errors.
func ParseFile(text []byte, name string) (*hcl.File, hcl.Diagnostics) {
	if strings.HasSuffix(name, ".json") {
		return parseJSON(text, name)
	}
	if diags := checkTokens(hclsyntax.LexConfig(text, name, hcl.InitialPos)); diags.HasErrors() {
		return nil, diags
	}
	return hclsyntax.ParseConfig(text, name, hcl.InitialPos)
}

// ParseExpression parses an expression of HCL as [ParseFile] does a file.
func ParseExpression(text []byte, name string) (hclsyntax.Expression, hcl.Diagnostics) {
	if diags := checkTokens(hclsyntax.LexExpression(text, name, hcl.InitialPos)); diags.HasErrors() {
		return nil, diags
	}
	return hclsyntax.ParseExpression(text, name, hcl.InitialPos)
}

// parseTemplate is ParseExpression for a template without quotes.
func parseTemplate(text []byte, name string) (hclsyntax.Expression, hcl.Diagnostics) {
	if diags := checkTokens(hclsyntax.LexTemplate(text, name, hcl.InitialPos)); diags.HasErrors() {
		return nil, diags
	}
	return hclsyntax.ParseTemplate(text, name, hcl.InitialPos)
}

// checkTokens takes what a lexer gives. What is wrong with single tokens, the
// parser tells as well.
func checkTokens(tokens hclsyntax.Tokens, _ hcl.Diagnostics) hcl.Diagnostics {
	if diags := checkNesting(tokens); diags.HasErrors() {
		return diags
	}
	return checkLiterals(tokens)
}

func parseJSON(text []byte, name string) (*hcl.File, hcl.Diagnostics) {
	if at, deep := deepJSON(text); deep {
		return nil, hcl.Diagnostics{tooDeep(startCursor(text, name).between(at, at+1))}
	}
	if diags := checkJSON(text, name); diags.HasErrors() {
		return nil, diags
	}
	return json.Parse(text, name)
}

// checkJSON is checkTokens for the numbers and templates in HCL's JSON syntax, up
// to the first mistake in it.
func checkJSON(text []byte, name string) (diags hcl.Diagnostics) {
	places := startCursor(text, name)
	decoder := stdjson.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		before := int(decoder.InputOffset())
		token, err := decoder.Token()
		if err != nil {
			return diags // the end, or a mistake that the parser tells
		}
		end := int(decoder.InputOffset())
		switch token := token.(type) {
		case stdjson.Number:
			if boundlessLiteral([]byte(token)) {
				diags = append(diags, boundlessAt(places.between(end-len(token), end)))
			}
		case string:
			if !strings.Contains(token, "${") && !strings.Contains(token, "%{") {
				continue
			}
			for _, d := range checkTokens(hclsyntax.LexTemplate([]byte(token), name, hcl.InitialPos)) {
				// Escapes have made its ranges those of another text.
				d.Subject = places.between(before+bytes.IndexByte(text[before:], '"'), end).Ptr()
				diags = append(diags, d)
			}
		}
	}
}

// checkType is checkTokens for the type of a variable, which in JSON is an
// expression within a string.
func checkType(expr hcl.Expression) hcl.Diagnostics {
	if !json.IsJSONExpression(expr) {
		return nil
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() || v.Type() != cty.String || v.IsNull() {
		return nil // typeexpr tells that
	}
	diags = checkTokens(hclsyntax.LexExpression([]byte(v.AsString()), expr.Range().Filename, hcl.InitialPos))
	for _, d := range diags {
		d.Subject = expr.Range().Ptr()
	}
	return diags
}

// cursor is a place in a text.
type cursor struct {
	text []byte
	name string
	pos  hcl.Pos
}

func startCursor(text []byte, name string) *cursor { return &cursor{text, name, hcl.InitialPos} }

// between gives the range of the bytes from start to end, which are in one line
// and not before those of the last call. Columns are those of an ASCII text.
func (c *cursor) between(start, end int) hcl.Range {
	for ; c.pos.Byte < start; c.pos.Byte++ {
		c.pos.Column++
		if c.text[c.pos.Byte] == '\n' {
			c.pos.Line, c.pos.Column = c.pos.Line+1, 1
		}
	}
	return hcl.Range{Filename: c.name, Start: c.pos, End: hcl.Pos{Byte: end, Line: c.pos.Line, Column: c.pos.Column + end - start}}
}
