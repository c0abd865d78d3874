package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/plan"
)

// Target is one -target option: a device and an owner, where either may be
// zero for any; or a machine, in Device, which stands for its firewall and
// for all of its port ranges.
type Target struct{ Device, Owner plan.Addr }

// ParseTarget reads "machine.seedbox", "gateway.edge", "port_range.bt",
// "gateway.edge: port_range.bt" or "machine.seedbox: trackers". An address
// without a key covers all the instances of its block.
func ParseTarget(s string) (Target, error) {
	addr, err := plan.ParseAddr(s)
	switch {
	case err == nil && addr.Block == plan.BlockPortRange:
		return Target{Owner: addr}, nil
	case err == nil:
		return Target{Device: addr}, nil
	case !strings.Contains(s, ": "):
		return Target{}, err
	}
	if machine, is := strings.CutSuffix(s, ": "+plan.Trackers); is {
		addr, err := plan.ParseAddr(machine)
		if err == nil && addr.Block != plan.BlockMachine {
			err = fmt.Errorf("%q is not a target: expected a machine before the colon", s)
		}
		if err != nil {
			return Target{}, err
		}
		return Target{Device: addr, Owner: addr}, nil
	}
	t, err := parsePair(s)
	if err != nil {
		return Target{}, err
	}
	if t.Device.Block == plan.BlockPortRange || t.Owner.Block == plan.BlockGateway {
		return Target{}, fmt.Errorf("%q is not a target: expected a gateway or a machine before the colon and a port_range after it", s)
	}
	return t, nil
}

// parsePair reads two addresses with ": " between them. A key may hold that
// too: the pair is parted where both halves are addresses.
func parsePair(s string) (Target, error) {
	var first error // what is wrong if the first place is the right one
	for at := 0; ; {
		next := strings.Index(s[at:], ": ")
		if next < 0 {
			return Target{}, first
		}
		at += next
		device, err := plan.ParseAddr(s[:at])
		var owner plan.Addr
		if err == nil {
			owner, err = plan.ParseAddr(strings.TrimSpace(s[at+len(": "):]))
		}
		if err == nil {
			return Target{Device: device, Owner: owner}, nil
		}
		if first == nil {
			first = err
		}
		at++
	}
}

// String is the target as it is written after -target=.
func (t Target) String() string {
	switch {
	case t.Owner.IsZero():
		return t.Device.String()
	case t.Device.IsZero():
		return t.Owner.String()
	}
	return plan.Resource{Device: t.Device, Owner: t.Owner}.String()
}

// covers says whether the targets cover what owner asks of device.
func (e *Engine) covers(device, owner plan.Addr) bool {
	return len(e.Targets) == 0 || slices.ContainsFunc(e.Targets, func(t Target) bool {
		return t.covers(e, device, owner)
	})
}

func (t Target) covers(e *Engine, device, owner plan.Addr) bool {
	if t.Owner.IsZero() && t.Device.Block == plan.BlockMachine {
		return t.Device.Covers(device) || t.Device.Covers(e.machineOf(owner))
	}
	return (t.Device.IsZero() || t.Device.Covers(device)) && (t.Owner.IsZero() || t.Owner.Covers(owner))
}

// machineOf is the machine of an owner, which is its own, or a port range's;
// zero for one that is no longer in the configuration.
func (e *Engine) machineOf(owner plan.Addr) plan.Addr {
	if owner.Block == plan.BlockMachine {
		return owner
	}
	i := slices.IndexFunc(e.Config.PortRanges, func(r *config.PortRange) bool { return r.Addr == owner })
	if i < 0 {
		return plan.Addr{}
	}
	return e.Config.PortRanges[i].Machine.Addr
}

// mayTouch says whether the targets leave anything to do with this device.
// An owner alone may have left its rules on any device.
func (e *Engine) mayTouch(device plan.Addr) bool {
	return len(e.Targets) == 0 || slices.ContainsFunc(e.Targets, func(t Target) bool {
		isMachine := t.Owner.IsZero() && t.Device.Block == plan.BlockMachine
		return t.Device.IsZero() || isMachine || t.Device.Covers(device)
	})
}

// configured says whether the block that t names is in the configuration; of a
// pair, whether the configuration wants anything of that device for that owner.
func (e *Engine) configured(t Target) bool {
	if !t.Device.IsZero() && !t.Owner.IsZero() {
		return slices.ContainsFunc(e.Config.Wanted(), func(w plan.Wanted) bool {
			return t.Device.Covers(w.Device) && t.Owner.Covers(w.Owner)
		})
	}
	var addrs []plan.Addr
	for _, m := range e.Config.Machines {
		addrs = append(addrs, m.Addr)
	}
	for _, g := range e.Config.Gateways {
		addrs = append(addrs, g.Addr)
	}
	for _, r := range e.Config.PortRanges {
		addrs = append(addrs, r.Addr)
	}
	return slices.ContainsFunc(addrs, t.Device.Covers) || slices.ContainsFunc(addrs, t.Owner.Covers)
}
