package view

import "github.com/btplan/btplan/plan"

// leases tells for each device how many of our rules it forgets by itself, and
// when the first of them.
func leases(pl *plan.Plan) []string {
	var lines []string
	for _, r := range byDevice(pl.Resources) {
		if text := leasesText(r.Changes); text != "" {
			lines = append(lines, r.Device.String()+" holds "+text+".\n")
		}
	}
	return lines
}

// leasesText says how many live rules have a lease, and when the first ends;
// nothing if none has one.
func leasesText(changes []plan.Change) string {
	n, first := expiring(changes)
	switch n {
	case 0:
		return ""
	case 1:
		return "1 lease, which ends in " + plan.Lasting(first)
	}
	return count(n, "lease") + ", the first of which ends in " + plan.Lasting(first)
}

// byDevice joins the resources of each device, which follow each other.
func byDevice(resources []plan.Resource) []plan.Resource {
	var out []plan.Resource
	for _, r := range resources {
		if n := len(out); n > 0 && out[n-1].Device == r.Device {
			out[n-1].Changes = append(out[n-1].Changes[:len(out[n-1].Changes):len(out[n-1].Changes)], r.Changes...)
			continue
		}
		out = append(out, r)
	}
	return out
}

// expiring is how many live rules have a lease, and in how many seconds the
// first of those ends.
func expiring(changes []plan.Change) (n int, first uint32) {
	for _, c := range changes {
		if c.Expires == 0 {
			continue
		}
		if n++; n == 1 || c.Expires < first {
			first = c.Expires
		}
	}
	return n, first
}

// dueFirst is why the lease of r is renewed that ends first. Those that were
// written together differ by seconds. The words are the device's.
func dueFirst(r plan.Resource) string {
	var first plan.Change
	for _, c := range r.Changes {
		if c.Action == plan.Renew && (first.Action != plan.Renew || c.Expires < first.Expires) {
			first = c
		}
	}
	return Printable(first.Because)
}
