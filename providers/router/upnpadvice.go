package router

import (
	"fmt"
	"time"

	"github.com/btplan/btplan/internal/plain"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Limits of what is known beforehand.
const (
	// smallTable is how many mappings the smallest tables of routers hold.
	smallTable = 32
	// usualStep is how long a change of one mapping takes at least.
	usualStep = 10 * time.Millisecond
)

// Advise warns of more mappings than the router may have room for.
func (d *upnp) Advise(changes []plan.Change) []providers.Problem {
	if d.last == nil {
		return nil
	}
	total := len(d.last.rows)
	before := total
	for _, c := range changes {
		switch c.Action {
		case plan.Create:
			total++
		case plan.Delete:
			total--
		}
	}
	n := d.note.of(d.conn.Router.UDN)
	var out []providers.Problem
	switch {
	case total <= before:
	case n.Full > 0 && total > n.Full:
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("%d mappings do not fit", total),
			Detail:  fmt.Sprintf("With these changes the router would hold %d mappings. Last time it was full with %d. Ask for fewer ports, or take away what others have mapped.", total, n.Full),
		})
	case total > smallTable && total > max(n.Held, before):
		out = append(out, providers.Problem{
			Summary: fmt.Sprintf("%d mappings may not fit", total),
			Detail:  fmt.Sprintf("With these changes the router would hold %d mappings. Some routers have room for %d or 160, and say yes to more without making them. btplan reads the router again after an apply and tells which are missing.", total, smallTable),
		})
	}
	if total > before && d.lease == 0 && n.Learned && n.Granted > 0 {
		d.warned = true
		out = append(out, d.forgets())
	}
	return out
}

// Estimate goes by how long the changes of the latest apply took.
func (d *upnp) Estimate(changes []plan.Change) time.Duration {
	steps := 0
	for _, c := range changes {
		switch c.Action {
		case plan.NoOp:
		case plan.Update, plan.Replace:
			steps += 2
		default:
			steps++
		}
	}
	step := time.Duration(d.note.StepMicros) * time.Microsecond
	if step <= 0 {
		step = usualStep
	}
	return time.Duration(steps) * step
}

// problems are what the user should know of the router.
func (d *upnp) problems(t *table) []providers.Problem {
	out := doubleNAT(t.outside)
	if t.noneOutside {
		out = append(out, noPublicAddress)
	}
	router := d.conn.Router
	if before := d.udnBefore; before != "" && before != router.UDN {
		out = append(out, providers.Problem{
			Summary: "Another router than last time",
			Detail:  fmt.Sprintf("The router that was changed last had the UDN %s. This one, %s at %s, has %s. If the router was replaced, reset or got new firmware, all is well: an apply makes what is missing. If not, set udn in its block.", plain.Line(before), named(router), router.Addr.Addr(), plain.Line(router.UDN)),
		})
	}
	if t.listed == 0 && t.hidden > 0 {
		out = append(out, providers.Problem{
			Summary: "The router doesn't list its mappings",
			Detail:  "It gives an empty list, though it has mappings. btplan asks it for each one that it wants or remembers (.btplan/memory.json). What others have mapped can't be seen, and is noticed only when the router refuses a port.",
		})
	}
	for _, m := range t.odd {
		out = append(out, providers.Problem{
			Summary: "A mapping that is no forward of a port",
			Detail:  fmt.Sprintf("The router lists a mapping of protocol %q, port %d, to %s, %s. It is left alone; ports of its own that a port_range gets go before it.", plain.Line(string(m.Protocol)), m.External, client(m), handle(m)),
		})
	}
	return out
}

// look sees what became of the mappings that an apply has made, and remembers
// what that tells of the router.
func (d *upnp) look(t *table) []providers.Problem {
	var missing []port
	for _, p := range d.added {
		if _, there := t.rows[p]; !there {
			missing = append(missing, p)
		}
	}
	asked := len(d.added)
	d.added = nil
	d.note.Held = max(d.note.Held, len(t.rows))
	var out []providers.Problem
	if len(missing) > 0 {
		d.note.Full = len(t.rows)
		out = append(out, providers.Problem{
			Summary: "The router made fewer mappings than it said",
			Detail:  fmt.Sprintf("It said yes to %d mappings, and %d of them are not there, from %s on. It holds %d in all now, and that is probably all that it has room for. Ask for fewer ports, or take away what others have mapped.", asked, len(missing), missing[0], len(t.rows)),
		})
	} else if len(t.rows) > d.note.Full {
		d.note.Full = 0 // it got more room
	}
	if asked > 0 && d.lease == 0 && d.note.Learned && d.note.Granted > 0 && !d.warned {
		out = append(out, d.forgets())
	}
	d.keep()
	return out
}

// forgets tells of a router that makes no permanent mappings.
func (d *upnp) forgets() providers.Problem {
	lease := d.note.lease(d.note.ask(d.lease))
	return providers.Problem{
		Summary: "The router makes no permanent mappings",
		Detail:  fmt.Sprintf("It keeps a mapping for %s. Have `btplan apply -renew` run before half of that is over, each day for example: cron or a systemd timer can.", leaseText(lease)),
	}
}
