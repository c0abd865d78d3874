package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fail notes an author's mistake. The detail says what is the case and what
// to do about it.
func (l *loader) fail(at hcl.Range, summary, detail string, args ...any) {
	l.diags = append(l.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  summary,
		Detail:   fmt.Sprintf(detail, args...),
		Subject:  at.Ptr(),
	})
}

// warn notes something that is no mistake in itself but hardly meant.
func (l *loader) warn(at hcl.Range, summary, detail string, args ...any) {
	l.fail(at, summary, detail, args...)
	l.diags[len(l.diags)-1].Severity = hcl.DiagWarning
}

// place names a range in the text of a diagnostic: "main.btp.hcl:12".
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

// tidy sorts diagnostics by file, line, column and summary, and leaves out
// those that say the same about the same place: a mistake in a block with
// for_each would be told once for each instance.
func tidy(diags hcl.Diagnostics) hcl.Diagnostics {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		ra, rb := subject(a), subject(b)
		return cmp.Or(
			strings.Compare(ra.Filename, rb.Filename),
			cmp.Compare(ra.Start.Line, rb.Start.Line),
			cmp.Compare(ra.Start.Column, rb.Start.Column),
			strings.Compare(a.Summary, b.Summary),
			strings.Compare(a.Detail, b.Detail),
			cmp.Compare(ra.End.Byte, rb.End.Byte),
		)
	})
	return slices.CompactFunc(diags, func(a, b *hcl.Diagnostic) bool {
		return a.Severity == b.Severity && a.Summary == b.Summary && a.Detail == b.Detail && subject(a) == subject(b)
	})
}

func subject(d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{}
	}
	return *d.Subject
}

// didYouMean is a sentence with the name that is nearest to the given one, or
// nothing if none is near.
func didYouMean(given string, names []string) string {
	if name := nearest(given, names); name != "" {
		return fmt.Sprintf(" Did you mean %q?", name)
	}
	return ""
}

// nearest is the name that is nearest to the given one, the first of those
// that are equally near; empty if none is near.
func nearest(given string, names []string) string {
	// As near as in HCL's own suggestions, which are for attributes and blocks,
	// but not so far that most of a short name is another.
	best, least := "", 3
	for _, name := range names {
		if d := levenshtein.Distance(given, name, nil); d < least && 2*d < len(given) {
			best, least = name, d
		}
	}
	return best
}

// reword improves on HCL's diagnostics for one expression: a suggestion for
// an unknown function that doesn't change from run to run, no stack traces,
// and nothing that could give away a sensitive value.
func (l *loader) reword(diags hcl.Diagnostics, expr hcl.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	if len(diags) == 0 {
		return nil
	}
	secret := refersToSensitive(expr, ctx)
	for _, d := range diags {
		if unknown, is := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); is {
			d.Detail = l.unknownFunction(unknown.CalledFunctionNamespace() + unknown.CalledFunctionName())
			continue
		}
		if secret {
			// HCL's details and the values that its text writer shows may
			// stem from inside a sensitive collection without its mark.
			d.Detail = "The cause is not shown because this expression uses a sensitive value."
			d.Expression, d.EvalContext = nil, nil
			continue
		}
		call, is := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
		var panicked function.PanicError
		if is && errors.As(call.FunctionCallError(), &panicked) {
			d.Detail = fmt.Sprintf("Function %q cannot work with these arguments.", call.CalledFunctionName())
		}
	}
	return diags
}

func (l *loader) unknownFunction(name string) string {
	return fmt.Sprintf("There is no function named %q.%s", name, didYouMean(name, sortedKeys(l.funcs)))
}

// refersToSensitive says whether anything that expr names is sensitive, in
// whole or in part.
func refersToSensitive(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	if ctx == nil {
		return false
	}
	return slices.ContainsFunc(expr.Variables(), func(t hcl.Traversal) bool {
		v, diags := t.TraverseAbs(ctx)
		if diags.HasErrors() {
			// What is inside may still be what the message is about.
			v, diags = t[:1].TraverseAbs(ctx)
		}
		return !diags.HasErrors() && v.ContainsMarked()
	})
}

// mark is the type of the one mark that values may carry.
type mark string

// sensitive marks the values that must not be shown.
const sensitive = mark("sensitive")

// friendly names a value's type for the author: "a string", "an object".
func friendly(v cty.Value) string {
	ty := v.Type()
	switch {
	case v.IsNull():
		return "null"
	case ty.IsTupleType():
		return "a list"
	case ty.IsObjectType():
		return "an object"
	}
	return "a " + ty.FriendlyName()
}
