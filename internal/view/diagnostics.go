package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
)

// Diagnostics prints errors and warnings as text, to o.Err.
func Diagnostics(o Options, diags hcl.Diagnostics, files Files) {
	diags = gathered(prepared(diags))
	if o.CompactWarnings && !diags.HasErrors() {
		writeCompactWarnings(o, diags)
		return
	}
	writer := hcl.NewDiagnosticTextWriter(o.Err, files, uint(max(0, o.Width)), o.ErrColor)
	// As in say, there is nobody to tell of a stream that is gone.
	_ = writer.WriteDiagnostics(diags)
}

// writeCompactWarnings prints warnings as Terraform's -compact-warnings does.
func writeCompactWarnings(o Options, diags hcl.Diagnostics) {
	if len(diags) == 0 {
		return
	}
	say(o.Err, "%s\n\n", palette(o.ErrColor).yellow("Warnings:"))
	for _, d := range diags {
		say(o.Err, "- %s\n", d.Summary)
		if d.Subject != nil {
			say(o.Err, "  on %s line %d\n", d.Subject.Filename, d.Subject.Start.Line)
		}
	}
	say(o.Err, "\nTo see the full warning notes, run btplan without -compact-warnings.\n\n")
}

// prepared gives diagnostics the order in which they are printed, each once:
// first those without a place, then by file and line; an error before a
// warning. Their texts may hold what a device said, and are made printable.
func prepared(diags hcl.Diagnostics) hcl.Diagnostics {
	var out hcl.Diagnostics
	for _, d := range diags {
		safe := *d
		safe.Summary, safe.Detail = Printable(d.Summary), Printable(d.Detail)
		out = append(out, &safe)
	}
	slices.SortStableFunc(out, compareDiagnostics)
	return slices.CompactFunc(out, func(a, b *hcl.Diagnostic) bool {
		return compareDiagnostics(a, b) == 0 && a.Severity == b.Severity
	})
}

// gathered tells a warning that goes for several devices once, at the place of
// the first.
func gathered(diags hcl.Diagnostics) hcl.Diagnostics {
	type warning struct{ says, detail string } // as of any device
	told := map[warning]*hcl.Diagnostic{}
	devices := map[warning][]plan.Addr{}
	var out hcl.Diagnostics
	for _, d := range diags {
		if device, is := d.Extra.(plan.Addr); is && d.Severity == hcl.DiagWarning {
			w := warning{strings.TrimPrefix(d.Summary, Printable(device.String())), d.Detail}
			// One device with the same warning twice has it from two blocks.
			if !slices.Contains(devices[w], device) {
				devices[w] = append(devices[w], device)
				if told[w] != nil {
					continue
				}
				told[w] = d
			}
		}
		out = append(out, d)
	}
	for w, d := range told {
		first, others := devices[w][0], devices[w][1:]
		if len(others) == 0 {
			continue
		}
		slices.SortFunc(others, plan.Addr.Compare)
		d.Summary = fmt.Sprintf("%s and %d more%s", Printable(first.String()), len(others), w.says)
		d.Detail += "\n\nThe same goes for " + Printable(listed(others)) + "."
	}
	return out
}

func compareDiagnostics(a, b *hcl.Diagnostic) int {
	return cmp.Or(
		comparePlace(a.Subject, b.Subject),
		cmp.Compare(a.Severity, b.Severity),
		strings.Compare(a.Summary, b.Summary),
		strings.Compare(a.Detail, b.Detail),
	)
}

func comparePlace(a, b *hcl.Range) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return cmp.Or(
		strings.Compare(a.Filename, b.Filename),
		cmp.Compare(a.Start.Byte, b.Start.Byte),
		cmp.Compare(a.End.Byte, b.End.Byte),
	)
}
