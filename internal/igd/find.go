package igd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/btplan/btplan/internal/plain"
)

// How many hosts, and how many descriptions of each, one search looks at. Those
// of a hostile host don't take the place of others'.
const (
	maxHosts  = 64
	maxOfHost = 8
)

// Finder finds routers. The zero Finder finds all that answer on the networks
// of this machine.
type Finder struct {
	// Interface is the network interface to search on. Empty: the one that
	// leads to Gateway, or all that are up and can multicast.
	Interface string
	// Gateway is the only address, an IPv4 one, from which answers count, and
	// the only one that is dialled; it is also asked by unicast. Find is done
	// when a router is found there. Zero: any on-link.
	Gateway netip.Addr
	// UDN is the router that is sought: Find is done when it is found, and
	// returns no other. Empty: any.
	UDN string
	// Dial makes the connections for HTTP, through SSH for example. Nil: this
	// machine does. SSDP is always spoken by this machine.
	Dial Dial
	// OnCall is told of each SOAP call when it begins, for counting. May be nil.
	OnCall func(action string)
	// AllowLoopback lets routers be on loopback addresses, which tests need.
	AllowLoopback bool
	// SearchPort is the UDP port at which Gateway is asked by unicast, for
	// tests. 0: 1900.
	SearchPort uint16
}

func (f *Finder) searchPort() uint16 { return cmp.Or(f.SearchPort, multicastAll.Port()) }

// Fetch gets the description at url, whose host must be an IP address: that of
// Gateway, if it is set. The router is then spoken to at that address, whatever
// it calls itself.
func (f *Finder) Fetch(ctx context.Context, url string) (*Router, error) {
	host, t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	a, isLiteral := literal(host)
	if !isLiteral {
		return nil, fmt.Errorf("%s names a host by name, to which many routers give no answer: write its IP address", plain.Line(url))
	}
	if err := checkAddress(a, f.AllowLoopback); err != nil {
		return nil, err
	}
	if f.Gateway.IsValid() && a != f.Gateway.Unmap() {
		return nil, fmt.Errorf("%s is not at the router's address, %s", plain.Line(url), f.Gateway)
	}
	t.addr = netip.AddrPortFrom(a, t.addr.Port())
	return newClient(origin{a, true}, f.Dial, f.OnCall).fetch(ctx, t)
}

// Find searches with SSDP, and fetches the descriptions of all that answer,
// side by side. It takes 0.9 s, less if it knows whom it seeks, and up to 3 s if
// nobody answers. It returns the routers, sorted by address and UDN, each once,
// and notes of what answered and was left out, and why. To find none is no
// error; an error means that the search could not be made.
func (f *Finder) Find(ctx context.Context) (routers []*Router, notes []error, err error) {
	sought := *f
	sought.Gateway = f.Gateway.Unmap()
	s, err := sought.newSearcher()
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	h := &hunt{finder: &sought, answers: make(chan found), fetched: make(chan fetched), seen: map[netip.Addr][]string{}}
	h.workers.Go(func() { s.receive(ctx, h.answers) })
	err = h.run(ctx, s)
	stop()
	_ = s.socket.Close() // which ends receive
	h.workers.Wait()
	if err != nil {
		return nil, nil, err
	}
	routers, doubles := routersOf(h.routers, f)
	return routers, append(h.notes, doubles...), nil
}

// hunt is a search under way.
type hunt struct {
	finder  *Finder
	answers chan found
	fetched chan fetched
	workers sync.WaitGroup
	seen    map[netip.Addr][]string // locations, by who named them
	pending int                     // descriptions under way
	routers []*Router
	notes   []error
}

// fetched is what came of a candidate.
type fetched struct {
	from   netip.Addr
	router *Router
	err    error
}

// steps are what a search does when, from its beginning. A device answers
// within the second that MX gives it; that a datagram gets lost is normal.
var steps = []struct {
	at   time.Duration
	next []string // what is searched for then, if anything is still to be found
}{
	{300 * time.Millisecond, targets},
	{searchEnd, allTargets},
	{2 * searchEnd, allTargets},
	{3 * time.Second, nil},
}

// searchEnd is when a search ends that has found a router.
const searchEnd = 900 * time.Millisecond

// run searches until the one that is sought is found, or time is up and all
// descriptions are in.
func (h *hunt) run(ctx context.Context, s *searcher) error {
	if err := s.send(targets); err != nil {
		return err
	}
	began := time.Now()
	for _, step := range steps {
		if err := h.collect(ctx, time.Until(began.Add(step.at))); err != nil || h.done() {
			return err
		}
		if step.at >= searchEnd && len(h.routers) > 0 {
			break
		}
		if step.next != nil {
			// The first search went out: a network that has just gone is no
			// reason to lose its answers.
			_ = s.send(step.next)
		}
	}
	return h.finish(ctx)
}

// collect takes what comes in for a time, or until what is sought is found.
func (h *hunt) collect(ctx context.Context, wait time.Duration) error {
	clock := time.NewTimer(wait)
	defer clock.Stop()
	for !h.done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-clock.C:
			return nil
		case a := <-h.answers:
			h.consider(ctx, a)
		case f := <-h.fetched:
			h.take(f)
		}
	}
	return nil
}

// finish waits for the descriptions that are under way.
func (h *hunt) finish(ctx context.Context) error {
	for h.pending > 0 && !h.done() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case f := <-h.fetched:
			h.take(f)
		}
	}
	return nil
}

// done reports whether the router that is sought is found. What has answered
// at the same time may be a better description of it.
func (h *hunt) done() bool {
	if h.finder.UDN != "" {
		return slices.ContainsFunc(h.routers, h.finder.sought)
	}
	return h.finder.Gateway.IsValid() && len(h.routers) > 0 && h.pending == 0
}

// consider has the description fetched that an answer names, unless it was
// named before.
func (h *hunt) consider(ctx context.Context, a found) {
	known := h.seen[a.from]
	if slices.Contains(known, a.location) || len(known) >= maxOfHost || len(known) == 0 && len(h.seen) >= maxHosts {
		return
	}
	h.seen[a.from] = append(known, a.location)
	o := origin{a.from, h.finder.Gateway.IsValid()}
	t, err := o.pin(a.location)
	if err != nil {
		h.note(a.from, err)
		return
	}
	h.pending++
	h.workers.Go(func() {
		r, err := newClient(o, h.finder.Dial, h.finder.OnCall).fetch(ctx, t)
		select {
		case h.fetched <- fetched{a.from, r, err}:
		case <-ctx.Done():
		}
	})
}

// take takes in what came of a candidate.
func (h *hunt) take(f fetched) {
	h.pending--
	switch {
	case f.err == nil:
		h.routers = append(h.routers, f.router)
	case !errors.Is(f.err, ErrNoService): // printers answer as well
		h.note(f.from, f.err)
	}
}

func (h *hunt) note(from netip.Addr, err error) {
	h.notes = append(h.notes, fmt.Errorf("%s answered the search and is left out: %w", from, err))
}
