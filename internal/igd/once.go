package igd

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/btplan/btplan/internal/plain"
)

// sought reports whether r is a router that f seeks.
func (f *Finder) sought(r *Router) bool { return f.UDN == "" || r.UDN == f.UDN }

// routersOf gives the routers that f seeks, each once, sorted by address and
// UDN. One router can have several descriptions: it answers with each of its
// names for itself, and FRITZ!Boxes describe themselves as an IGD v1 and as
// another v2 device, with different UDNs. The better one stands for both.
// doubles says which claim to be another that is elsewhere.
func routersOf(found []*Router, f *Finder) (routers []*Router, doubles []error) {
	found = slices.DeleteFunc(slices.Clone(found), func(r *Router) bool { return !f.sought(r) })
	slices.SortFunc(found, func(a, b *Router) int {
		return cmp.Or(
			a.Addr.Addr().Compare(b.Addr.Addr()),
			cmp.Compare(slices.Index(services, a.Services[0].Type), slices.Index(services, b.Services[0].Type)),
			cmp.Compare(a.UDN, b.UDN),
			cmp.Compare(a.Location, b.Location),
		)
	})
	for _, r := range found {
		i := slices.IndexFunc(routers, func(known *Router) bool { return isSame(known, r) })
		if i < 0 {
			routers = append(routers, r)
			continue
		}
		if at := routers[i].Addr.Addr(); at != r.Addr.Addr() {
			doubles = append(doubles, fmt.Errorf("%s is left out: it says that it is %s, which is also at %s", r.Addr.Addr(), plain.Line(r.UDN), at))
		}
	}
	return routers, doubles
}

// isSame reports whether two descriptions are of one router: it says so itself,
// or they are of the same make at the same address.
func isSame(a, b *Router) bool {
	if a.UDN != "" && a.UDN == b.UDN {
		return true
	}
	return a.Addr.Addr() == b.Addr.Addr() &&
		(a.Location == b.Location || a.Manufacturer == b.Manufacturer && a.ModelName == b.ModelName)
}
