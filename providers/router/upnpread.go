package router

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/btplan/btplan/internal/igd"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// Read gives all that the router lists, and what it doesn't list but was made
// by btplan as far as that is remembered.
func (d *upnp) Read(ctx context.Context) (*providers.Reading, error) {
	d.recall()
	t, err := d.read(ctx)
	if err != nil {
		return nil, err
	}
	d.udnBefore = d.note.UDN
	d.note = d.note.of(d.conn.Router.UDN)
	problems := d.problems(t)
	if d.added != nil {
		problems = append(problems, d.look(t)...)
	}
	d.last = t
	return &providers.Reading{Rules: t.live(d.addr, d.note, d.lease), Problems: problems}, nil
}

// recall takes the note from the memory. What can't be loaded was told to the
// user, and can be done without.
func (d *upnp) recall() {
	var n note
	if err := d.memory.Load(&n); err == nil && !d.unsaved {
		d.note = n
	}
}

// keep puts the note into the memory. What can't be kept was told to the user.
func (d *upnp) keep() { d.unsaved = d.memory.Store(d.note) != nil }

// read reads the router. One that was found before may have got another port
// meanwhile, and is then searched for again.
func (d *upnp) read(ctx context.Context) (*table, error) {
	again := d.conn != nil
	t, err := d.readOnce(ctx)
	if again && errors.Is(err, providers.ErrUnreachable) && ctx.Err() == nil {
		d.conn = nil
		t, err = d.readOnce(ctx)
	}
	return t, err
}

func (d *upnp) readOnce(ctx context.Context) (*table, error) {
	if d.conn == nil {
		conn, err := d.find(ctx)
		if err != nil {
			return nil, err
		}
		d.conn = conn
	}
	n := d.note.of(d.conn.Router.UDN)
	outside, err := d.conn.ExternalAddress(ctx)
	noneOutside := isOutsideNone(err)
	var fault *igd.Fault
	if err != nil && !noneOutside && !errors.As(err, &fault) {
		return nil, explain(err)
	}
	made := n.mappings()
	list, err := d.conn.List(ctx, d.near(made)...)
	if err != nil {
		return nil, explain(err)
	}
	t := newTable(list, d.marks(), made, n)
	t.outside, t.noneOutside = outside, noneOutside
	return t, d.readHidden(ctx, t, made, n)
}

// near is where mappings are expected, by runs of ports that can be asked for
// at once: those that are wanted, and those that were made.
func (d *upnp) near(made map[port]owned) []plan.PortRange {
	const atOnce = 128 // as igd asks
	var numbers []uint16
	for p := range made {
		numbers = append(numbers, p.number)
	}
	for _, r := range d.wanted {
		numbers = append(numbers, r.Ports.First)
	}
	slices.Sort(numbers)
	var runs []plan.PortRange
	for _, n := range numbers {
		if last := len(runs) - 1; last >= 0 && int(n) < int(runs[last].First)+atOnce {
			runs[last].Last = n
		} else {
			runs = append(runs, plan.PortRange{First: n, Last: n})
		}
	}
	return runs
}

// marks are those of the port ranges that are configured or remembered.
func (d *upnp) marks() *marks { return newMarks(d.project, d.configured, d.note.owners()) }

// readHidden asks for the mappings that should be there and aren't listed: some
// routers leave some out, or all.
func (d *upnp) readHidden(ctx context.Context, t *table, made map[port]owned, n note) error {
	missing := slices.Collect(maps.Keys(made))
	if t.listed == 0 && len(d.wanted) > 0 {
		// It may list nothing though it holds something. One question tells, if
		// what is wanted is there.
		first := portOf(d.wanted[0])
		_, found, err := d.specific(ctx, first)
		if err != nil {
			return err
		}
		if found {
			for _, r := range d.wanted {
				missing = append(missing, portOf(r))
			}
		}
	}
	slices.SortFunc(missing, port.compare)
	m := d.marks()
	for _, p := range slices.Compact(missing) {
		if _, listed := t.rows[p]; listed {
			continue
		}
		mapping, found, err := d.specific(ctx, p)
		if err != nil {
			return err
		}
		if found {
			t.add(mapping, m, made, n)
			t.hidden++
		}
	}
	return nil
}

// specific asks for one mapping. A router that refuses to say says that there
// is none: some do that by other codes than 714.
func (d *upnp) specific(ctx context.Context, p port) (igd.Mapping, bool, error) {
	mapping, found, err := d.conn.Specific(ctx, p.protocol, p.number)
	var fault *igd.Fault
	if errors.As(err, &fault) {
		return igd.Mapping{}, false, nil
	}
	if err != nil {
		return igd.Mapping{}, false, explain(err)
	}
	return mapping, found, nil
}
