package view

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2"
	tfjson "github.com/hashicorp/terraform-json"
)

// ValidationJSON is what `terraform validate -json` gives: one document.
func ValidationJSON(diags hcl.Diagnostics, files Files) []byte {
	out := tfjson.ValidateOutput{FormatVersion: "1.0", Valid: !diags.HasErrors(), Diagnostics: []tfjson.Diagnostic{}}
	for _, d := range prepared(diags) {
		if d.Severity == hcl.DiagError {
			out.ErrorCount++
		} else {
			out.WarningCount++
		}
		out.Diagnostics = append(out.Diagnostics, diagnosticJSON(d, files))
	}
	return indented(out)
}

// diagnosticJSON is a diagnostic in Terraform's form.
func diagnosticJSON(d *hcl.Diagnostic, files Files) tfjson.Diagnostic {
	out := tfjson.Diagnostic{Severity: tfjson.DiagnosticSeverityWarning, Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagError {
		out.Severity = tfjson.DiagnosticSeverityError
	}
	if d.Subject == nil {
		return out
	}
	out.Range = &tfjson.Range{Filename: d.Subject.Filename, Start: position(d.Subject.Start), End: position(d.Subject.End)}
	if file := files[d.Subject.Filename]; file != nil {
		out.Snippet = snippet(file, *d.Subject)
	}
	return out
}

func position(p hcl.Pos) tfjson.Pos { return tfjson.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }

// snippet is the line on which subject begins, and where on it subject is.
// Nil if the file has no such place.
func snippet(file *hcl.File, subject hcl.Range) *tfjson.DiagnosticSnippet {
	src := file.Bytes
	if subject.Start.Byte > len(src) {
		return nil
	}
	start := bytes.LastIndexByte(src[:subject.Start.Byte], '\n') + 1
	line, _, _ := strings.Cut(string(src[start:]), "\n")
	line = strings.TrimSuffix(line, "\r")
	s := &tfjson.DiagnosticSnippet{
		Code:                 line,
		StartLine:            subject.Start.Line,
		HighlightStartOffset: min(subject.Start.Byte-start, len(line)),
		HighlightEndOffset:   min(max(subject.End.Byte, subject.Start.Byte)-start, len(line)),
		Values:               []tfjson.DiagnosticExpressionValue{},
	}
	if nav, ok := file.Nav.(interface{ ContextString(offset int) string }); ok {
		if context := nav.ContextString(subject.Start.Byte); context != "" {
			s.Context = &context
		}
	}
	return s
}
