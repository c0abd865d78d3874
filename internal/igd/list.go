package igd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	upnp "github.com/huin/goupnp/dcps/internetgateway2"

	"github.com/btplan/btplan/plan"
)

const (
	// maxMappings is how many mappings a router may list.
	maxMappings = 2000
	// maxWindow is how many mappings one GetListOfPortMappings may find.
	// miniupnpd before 2.3.4 writes over its own memory and dies beyond 128.
	maxWindow = 128
	// fewMappings is how many mappings a router may have for its whole list to
	// be asked for at once. What is below maxWindow is for mappings that others
	// add between the question of how many there are and the list.
	fewMappings = 112
	// maxRepeats is how many entries in a row a router may repeat before the
	// list is given up.
	maxRepeats = 64
)

// List reads all mappings, sorted by protocol and port, each once. It is
// complete or an error: an empty list means that the router lists nothing.
//
// Where the service can (WANIPConnection:2), windows of the list are read
// instead of its entries one by one: all of it if it is short, else the ports
// of near, where the caller expects what there is. The windows count only if
// the list proves to hold no more than they did.
func (c *Connection) List(ctx context.Context, near ...plan.PortRange) ([]Mapping, error) {
	if c.Service.Type == upnp.URN_WANIPConnection_2 {
		list, complete, err := c.listWindows(ctx, near)
		if err != nil {
			return nil, err
		}
		if complete {
			return list.sorted(), nil
		}
	}
	list, repeated, err := c.listEntries(ctx, false)
	if repeated {
		// Someone changed the list meanwhile, which moved the entries.
		list, _, err = c.listEntries(ctx, true)
	}
	if err != nil {
		return nil, err
	}
	return list.sorted(), nil
}

// listing is the mappings of a list so far.
type listing map[listKey]Mapping

type listKey struct {
	protocol plan.Protocol
	external uint16
}

// add takes m in, and reports whether it is new.
func (l listing) add(m Mapping) bool {
	key := listKey{m.Protocol, m.External}
	if _, known := l[key]; known {
		return false
	}
	l[key] = m
	return true
}

func (l listing) sorted() []Mapping {
	sorted := make([]Mapping, 0, len(l))
	for _, m := range l {
		sorted = append(sorted, m)
	}
	slices.SortFunc(sorted, func(a, b Mapping) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.External, b.External))
	})
	return sorted
}

// listEntries reads the list entry by entry, with GetGenericPortMappingEntry.
// An entry that was there before is left out, or, if that isn't all right,
// ends the reading.
func (c *Connection) listEntries(ctx context.Context, repeatsAllowed bool) (list listing, repeated bool, err error) {
	list = listing{}
	for index, repeats := 0, 0; ; index++ {
		m, end, err := c.entry(ctx, index)
		switch {
		case err != nil:
			return nil, false, err
		case end:
			return list, false, nil
		case len(list) == maxMappings:
			return nil, false, fmt.Errorf("the router at %s lists more than %d mappings: what it holds can't be known", c.Router.client.addr, maxMappings)
		case list.add(m):
			repeats = 0
			continue
		case !repeatsAllowed:
			return nil, true, nil
		}
		if repeats++; repeats > maxRepeats {
			return nil, false, fmt.Errorf("the router at %s lists %d mappings and then the same ones without end", c.Router.client.addr, len(list))
		}
	}
}

// entry reads one entry of the list. end: there is none at index.
func (c *Connection) entry(ctx context.Context, index int) (m Mapping, end bool, err error) {
	result, err := c.call(ctx, "GetGenericPortMappingEntry", argument{"NewPortMappingIndex", fmt.Sprint(index)})
	// InvalidIndex is how it should say so; some take an index beyond the end
	// for a wrong argument. ActionFailed can mean anything, also that it could
	// not read.
	if isFault(err, InvalidIndex, NoSuchEntry) || index > 0 && isFault(err, InvalidArgs) {
		return Mapping{}, true, nil
	}
	if err != nil {
		return Mapping{}, false, err
	}
	values := result.values()
	if port(values["NewExternalPort"]) == 0 && values["NewInternalClient"] == "" {
		return Mapping{}, true, nil // how others say so
	}
	m, err = parseEntry(values)
	return m, false, err
}

// listWindows reads the list by windows. complete is false, without an error,
// where that can't be done or isn't shown to be all.
func (c *Connection) listWindows(ctx context.Context, near []plan.PortRange) (list listing, complete bool, err error) {
	_, few, err := c.entry(ctx, fewMappings)
	if err != nil {
		return nil, false, notOffered(err)
	}
	windows := []plan.PortRange{{First: 1, Last: 65535}}
	if !few {
		windows = split(near)
	}
	list = listing{}
	for _, w := range windows {
		for _, p := range []plan.Protocol{plan.TCP, plan.UDP} {
			if err := c.window(ctx, list, p, w); err != nil {
				return nil, false, notOffered(err)
			}
		}
	}
	if len(windows) == 0 || len(list) > maxMappings {
		return nil, false, nil
	}
	_, complete, err = c.entry(ctx, len(list))
	return list, complete, notOffered(err)
}

// notOffered leaves out a router's refusal, and an answer that is none, after
// which the list is read entry by entry.
func notOffered(err error) error {
	var f *Fault
	if errors.As(err, &f) || errors.Is(err, ErrAnswer) {
		return nil
	}
	return err
}

// split cuts port ranges into windows of at most maxWindow ports, which can
// hold no more mappings than that.
func split(ranges []plan.PortRange) []plan.PortRange {
	var windows []plan.PortRange
	for _, r := range ranges {
		for from := int(r.First); from <= int(r.Last); from += maxWindow {
			windows = append(windows, plan.PortRange{First: uint16(from), Last: uint16(min(from+maxWindow-1, int(r.Last)))})
		}
	}
	return windows
}

// window adds the mappings of w to list, with GetListOfPortMappings. NewManage
// asks for those of other clients too.
func (c *Connection) window(ctx context.Context, list listing, p plan.Protocol, w plan.PortRange) error {
	result, err := c.call(ctx, "GetListOfPortMappings",
		argument{"NewStartPort", number(w.First)},
		argument{"NewEndPort", number(w.Last)},
		argument{"NewProtocol", upper(p)},
		argument{"NewManage", "1"},
		argument{"NewNumberOfPorts", fmt.Sprint(maxWindow)},
	)
	if isFault(err, PortMappingNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := parseListing(result)
	if err != nil {
		return fmt.Errorf("the router at %s lists its mappings as no UPnP list: %w (%w)", c.Router.client.addr, err, ErrAnswer)
	}
	for _, m := range entries {
		list.add(m)
	}
	return nil
}

// parseListing reads a PortMappingList (WANIPConnection:2, section 2.3.28): a
// document in a text, and from some routers just elements.
func parseListing(result *element) ([]Mapping, error) {
	listing := result.find("NewPortListing")
	if listing == nil {
		return nil, errors.New("it has no NewPortListing")
	}
	if listing.text != "" {
		document, err := parseElement([]byte(listing.text))
		if err != nil {
			return nil, err
		}
		listing = document
	}
	if top := listing.find("PortMappingList"); top != nil {
		listing = top
	}
	var entries []Mapping
	for _, e := range listing.kids {
		if e.name != "PortMappingEntry" {
			continue
		}
		m, err := parseEntry(e.values())
		if err != nil {
			return nil, err
		}
		entries = append(entries, m)
	}
	return entries, nil
}
