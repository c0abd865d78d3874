// Package igdtest is UPnP routers that exist only in tests. Each is a whole
// Internet Gateway Device: it answers searches, describes itself, and keeps a
// table of port mappings. What real routers do that the documents don't say is
// a switch of [Quirks].
//
//	router := igdtest.New(igdtest.Quirks{Table: 32})
//	defer router.Close()
//	url := router.Serve()
//
// A router of the lab is served at an address of one of its hosts, by
// [Router.ServeOn] and [Router.ServeSearches].
package igdtest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Router is one router. Its methods may be called while it serves.
type Router struct {
	Quirks

	mu       sync.Mutex
	mappings []Mapping
	calls    []string
	closers  []func() error
}

// Mapping is one row of a router's table.
type Mapping struct {
	Protocol    string // "TCP" or "UDP"
	External    uint16
	Client      string
	Internal    uint16
	Description string
	Lease       time.Duration // what is left; 0: permanent
	// Static is a forward that was made on the router's own pages.
	Static bool
}

// String is the mapping in one line, without what is left of its lease.
func (m Mapping) String() string {
	s := fmt.Sprintf("%s %d to %s:%d %q", m.Protocol, m.External, m.Client, m.Internal, m.Description)
	if m.Lease == 0 {
		s += " permanent"
	}
	return s
}

// Quirks is what is special about a router. The zero Quirks is an IGD v1 with
// a public address and room for every mapping, in which any host may map ports
// to any other.
type Quirks struct {
	UDN      string // by default "uuid:6bf54d2c-3c7d-4b0f-9c3a-77a1c0de0042"
	Maker    string // by default "Example Networks"
	Model    string // by default "HomeBox 3000"
	Version  int    // of the IGD: 1, which is also 0, or 2
	External string // its outside address, by default "11.22.33.44"; "none": it has none
	// ExternalFault is the code with which it refuses to tell that; 0: it tells.
	ExternalFault int

	// Table is how many mappings it holds; 0: all. To more it says yes and
	// does nothing, or says 728 with TableFault.
	Table      int
	TableFault bool
	// RefusesFinite and RefusesPermanent are the codes (725, 402) with which
	// it refuses mappings with a lease, and without; 0: it takes them.
	RefusesFinite, RefusesPermanent int
	// MaxLease is the most that it grants, and what it makes of a permanent
	// mapping; 0: what was asked for.
	MaxLease time.Duration
	// RefusesOthers is the code (718, 606) with which it refuses a mapping for
	// another host than Requester; 0: it takes them.
	RefusesOthers int
	Requester     string // who is taken to ask
	// RefusesAll is the code with which it refuses every mapping; 0: none.
	RefusesAll int
	// SamePort refuses mappings to another port than the outside one, by 724.
	SamePort bool

	// ListsNothing leaves its list empty, and HidesStatic its static mappings
	// out of it. It knows them all the same, one by one.
	ListsNothing, HidesStatic bool
	// Repeats lists one entry twice.
	Repeats bool
	// OnIndex is called before the entry i of the list is given, without the
	// router's lock: whatever it does to the table shifts the rest.
	OnIndex func(r *Router, i int)
	// CutsDescription is how many bytes it keeps of a description; 0: all.
	// FixedDescription takes the place of every description.
	CutsDescription  int
	FixedDescription string
	// KeepsDescription and KeepsLease are what it leaves as it is when a
	// mapping is made again.
	KeepsDescription, KeepsLease bool
	// SilentDelete says that a mapping was deleted that wasn't there.
	SilentDelete bool
	// OnCall is called before each action, without the router's lock. A code
	// other than 0 refuses it, and Hangup ends the connection.
	OnCall func(r *Router, action string) (code int)
}

// Hangup is a fault's code that ends the connection without an answer.
const Hangup = -1

// New makes a router. It answers once it is served.
func New(q Quirks) *Router {
	q.UDN = cmp.Or(q.UDN, "uuid:6bf54d2c-3c7d-4b0f-9c3a-77a1c0de0042")
	q.Maker = cmp.Or(q.Maker, "Example Networks")
	q.Model = cmp.Or(q.Model, "HomeBox 3000")
	q.Version = max(1, q.Version)
	q.External = cmp.Or(q.External, "11.22.33.44")
	return &Router{Quirks: q}
}

// DescriptionPath is where the router describes itself.
const DescriptionPath = "/igd/desc.xml"

// Serve serves the router on a port of the loopback interface that is free, and
// gives the URL of its description. Serving it again gives it another port, as
// a router has after a reboot; the old one answers no more.
func (r *Router) Serve() string {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		panic("igdtest: no port on the loopback interface: " + err.Error())
	}
	r.Close()
	return r.ServeOn(listener)
}

// ServeOn serves the router on a listener, whose address is an IP address, and
// gives the URL of its description.
func (r *Router) ServeOn(l net.Listener) string {
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }() // it ends by Close
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closers = append(r.closers, server.Close)
	return "http://" + l.Addr().String() + DescriptionPath
}

// Close ends serving. The table stays.
func (r *Router) Close() {
	r.mu.Lock()
	closers := r.closers
	r.closers = nil
	r.mu.Unlock()
	for _, c := range closers {
		_ = c() // what matters is that it answers no more
	}
}

// Edit changes the router's nature while it serves.
func (r *Router) Edit(edit func(*Quirks)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	edit(&r.Quirks)
}

// Put makes a mapping as its owner would on the router's pages, or another
// program by UPnP, in place of one that is there.
func (r *Router) Put(m Mapping) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := r.index(m.Protocol, m.External); i >= 0 {
		r.mappings[i] = m
		return
	}
	r.mappings = append(r.mappings, m)
}

// Remove takes a mapping away, and tells whether it was there.
func (r *Router) Remove(protocol string, external uint16) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.index(protocol, external)
	if i >= 0 {
		r.mappings = slices.Delete(r.mappings, i, i+1)
	}
	return i >= 0
}

// Reboot empties the table, but for what was made on the router's pages.
func (r *Router) Reboot() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mappings = slices.DeleteFunc(r.mappings, func(m Mapping) bool { return !m.Static })
}

// Pass lets time pass: leases get shorter, and mappings end.
func (r *Router) Pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mappings = slices.DeleteFunc(r.mappings, func(m Mapping) bool { return m.Lease > 0 && m.Lease <= d })
	for i := range r.mappings {
		if r.mappings[i].Lease > 0 {
			r.mappings[i].Lease -= d
		}
	}
}

// Mappings is the table, in the order in which it was filled.
func (r *Router) Mappings() []Mapping {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.mappings)
}

// Dump is the table as text: one mapping a line, sorted, without what is left
// of the leases.
func (r *Router) Dump() string {
	var lines []string
	for _, m := range r.Mappings() {
		lines = append(lines, m.String()+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// Calls are the actions that were asked for since the last call of Calls.
func (r *Router) Calls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// index is where in the table a mapping is; -1: it isn't.
func (r *Router) index(protocol string, external uint16) int {
	return slices.IndexFunc(r.mappings, func(m Mapping) bool { return m.Protocol == protocol && m.External == external })
}

// isAddress says whether s is an IP address and a port, as the Host of a
// request must be: routers know no names of themselves.
func isAddress(s string) bool {
	_, err := netip.ParseAddrPort(s)
	return err == nil
}
