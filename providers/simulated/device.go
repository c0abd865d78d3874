package simulated

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// device is a simulated gateway or firewall, open.
type device struct {
	is      role
	addr    plan.Addr
	project string
	file    file
	lease   uint32 // of the rules that it writes, in seconds; 0: for good
	wait    *providers.LockWait

	// seen is the file as the latest Read found it, or as the latest Apply
	// left it; nil when there was none.
	seen []byte
	read bool
}

// Shape joins what follows each other: the file holds ranges.
func (d *device) Shape(rules []plan.Rule) ([]plan.Rule, error) {
	for _, r := range rules {
		if err := d.is.check(r); err != nil {
			return nil, d.errorf("%w: %w", providers.ErrUnsupported, err)
		}
	}
	return plan.Coalesce(rules), nil
}

// Read gives the rules in the file, in its order. A file that isn't there is
// a device that holds none.
func (d *device) Read(ctx context.Context) (*providers.Reading, error) {
	if err := ctx.Err(); err != nil {
		return nil, d.errorf("%w", err)
	}
	data, err := d.file.load()
	if err != nil {
		return nil, d.errorf("%w: %w", providers.ErrUnreachable, err)
	}
	c, err := d.parse(data)
	if err != nil {
		return nil, err
	}
	d.seen, d.read = data, true

	reading := &providers.Reading{DropsOutbound: c.outbound == dropOutbound}
	want := seals(c.entries, d.project)
	for i, e := range c.entries {
		live := plan.Live{Rule: e.rule, Device: d.addr}
		live.Handle = fmt.Sprintf("rule %d of %s", i+1, d.file.name)
		owner, seal := e.owner(d.project)
		switch {
		case owner.IsZero() && e.comment != "":
			live.Handle += " (" + e.comment + ")"
		case owner.IsZero() && e.mark != "":
			live.Handle += " (" + e.mark + ")"
		case !owner.IsZero() && seal != want[owner]:
			live.Drift = drifted
		}
		if owner.IsZero() {
			live.Project = e.project()
		}
		live.Owner, live.Expires = owner, e.lease
		if !owner.IsZero() {
			live.Renew = renew(e.lease, d.lease)
		}
		reading.Rules = append(reading.Rules, live)
	}
	return reading, nil
}

// parse reads what is in data; nil is the file that isn't there.
func (d *device) parse(data []byte) (content, error) {
	if data == nil {
		return content{}, nil
	}
	c, err := parse(data, d.is)
	if err != nil {
		return content{}, d.errorf("%w. Mend the file, or delete it to begin with a device that holds no rules", err)
	}
	return c, nil
}

// Apply makes all the changes in one write, or none of them.
func (d *device) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if !d.read {
		panic("simulated: Apply without a Read before it")
	}
	err := d.apply(ctx, changes)
	for _, c := range changes {
		if c.Action == plan.NoOp {
			done(c, nil)
		} else {
			done(c, err)
		}
	}
	return err
}

func (d *device) apply(ctx context.Context, changes []plan.Change) error {
	if !pending(changes) {
		return nil
	}
	unlock, err := d.file.lock(ctx, d.wait)
	if err != nil {
		return d.errorf("%w", err)
	}
	defer unlock()
	data, err := d.file.load()
	if err != nil {
		return d.errorf("%w", err)
	}
	if !same(data, d.seen) {
		return d.errorf("%w: someone else wrote to the file after it was read for this plan, so nothing was written. Plan again", providers.ErrConflict)
	}
	c, err := d.parse(data)
	if err != nil {
		return err
	}
	c.entries, err = d.edit(c.entries, changes)
	if err != nil {
		return d.errorf("%w", err)
	}
	// The last moment to turn back: from here on the write is carried through.
	if err := ctx.Err(); err != nil {
		return d.errorf("nothing was written: %w", err)
	}
	if c.empty() {
		if err := d.file.remove(); err != nil {
			return d.errorf("%w", err)
		}
		d.seen = nil
		return nil
	}
	data = render(c)
	if err := d.file.save(data); err != nil {
		return d.errorf("%w", err)
	}
	d.seen = data
	return nil
}

// Close has nothing to end: the file is open only while it is read or written.
func (d *device) Close() error { return nil }

// errorf says on which device something went wrong.
func (d *device) errorf(message string, args ...any) error {
	return fmt.Errorf("%s (%s): %w", d.addr, d.file.name, fmt.Errorf(message, args...))
}

// pending says whether there is anything to do.
func pending(changes []plan.Change) bool {
	for _, c := range changes {
		if c.Action != plan.NoOp {
			return true
		}
	}
	return false
}

// same says whether two loads found the same: an empty file is not the same
// as none.
func same(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}

// Identity is the file, which may be named in several ways.
func (d *device) Identity() string {
	path, err := filepath.Abs(d.file.path)
	if err != nil {
		return d.file.path
	}
	return path
}
