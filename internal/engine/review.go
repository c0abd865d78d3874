package engine

import (
	"fmt"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
)

// review asks the devices about their part of a plan: first what must not be
// done, then what may go wrong.
func (e *Engine) review(p *plan.Plan) hcl.Diagnostics {
	pending := p.Pending()
	var errs, warnings hcl.Diagnostics
	for _, d := range e.devices {
		if d.readErr != nil {
			continue
		}
		for _, r := range pending {
			if r.Device == d.addr {
				errs = append(errs, refuse(d, r)...)
			}
		}
		changes := changesOn(d.addr, pending)
		if advising, can := d.Device.(providers.Advising); can && len(changes) > 0 {
			d.advised = advising.Advise(changes)
			warnings = append(warnings, e.problemDiagnostics(d, d.advised, d.reading.Problems)...)
		}
	}
	return append(errs, warnings...)
}

// refuse refuses what the device finds must not be done.
func refuse(d *device, r plan.Resource) hcl.Diagnostics {
	refusing, can := d.Device.(providers.Refusing)
	if !can {
		return nil
	}
	if why := refusing.Refuse(r.Changes); why != nil {
		// Whoever asks for r is told; where nobody does any more, it is the
		// device's affair.
		subject := r.DeclRange
		if subject.Empty() {
			subject = d.declRange
		}
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: fmt.Sprintf("%s: %s", d.addr, why.Summary), Detail: why.Detail, Subject: subject.Ptr()}}
	}
	return nil
}

// changesOn are the changes of some resources that are to be made on a device.
func changesOn(device plan.Addr, resources []plan.Resource) []plan.Change {
	var out []plan.Change
	for _, r := range resources {
		for _, c := range r.Changes {
			if r.Device == device && c.Action != plan.NoOp {
				out = append(out, c)
			}
		}
	}
	return out
}
