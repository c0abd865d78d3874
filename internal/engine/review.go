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
				errs = append(errs, guard(d, r)...)
				errs = append(errs, refuse(d, r)...)
			}
		}
		changes := changesOn(d.addr, pending)
		if advising, can := d.Device.(providers.Advising); can && len(changes) > 0 {
			warnings = append(warnings, e.problemDiagnostics(d, advising.Advise(changes), d.reading.Problems)...)
		}
	}
	return append(errs, warnings...)
}

// guard refuses what would shut btplan itself out.
func guard(d *device, r plan.Resource) hcl.Diagnostics {
	guarding, can := d.Device.(providers.Guarding)
	if !can {
		return nil
	}
	for _, c := range r.Changes {
		if c.Action == plan.NoOp || c.After == nil {
			continue
		}
		if err := guarding.Guard(*c.After); err != nil {
			return refusal(d, r, fmt.Sprintf("%s would not be reached any more", d.addr), sentence(err))
		}
	}
	return nil
}

// refuse refuses what the device finds must not be done.
func refuse(d *device, r plan.Resource) hcl.Diagnostics {
	refusing, can := d.Device.(providers.Refusing)
	if !can {
		return nil
	}
	if why := refusing.Refuse(r.Changes); why != nil {
		return refusal(d, r, fmt.Sprintf("%s: %s", d.addr, why.Summary), why.Detail)
	}
	return nil
}

// refusal tells whoever asks for r why it can't be done; where nobody asks for
// it any more, it is told at the device.
func refusal(d *device, r plan.Resource, summary, detail string) hcl.Diagnostics {
	subject := r.DeclRange
	if subject.Empty() {
		subject = d.declRange
	}
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: subject.Ptr()}}
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
