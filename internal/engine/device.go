package engine

import (
	"fmt"
	"slices"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// device is one open device and what is known of it.
type device struct {
	providers.Device
	addr      plan.Addr
	typeName  string
	declRange hcl.Range
	runner    *remote.Runner // on the device; nil: it needs none
	via       *remote.Runner // on the machine from which it is talked to; nil: from here
	lockWait  *providers.LockWait

	wanted  []plan.Wanted // in the device's own shape
	reading *providers.Reading
	readErr error
	advised []providers.Problem // what it said of the plan
}

func (d *device) close() {
	// What was applied stays whatever Close says, and nothing else is left to
	// be done with the device.
	_ = d.Device.Close()
	for _, r := range []*remote.Runner{d.runner, d.via} {
		if r != nil {
			_ = r.Close()
		}
	}
}

// waiting says what the device waits for at this moment; "" if that isn't known.
func (d *device) waiting() string {
	if what := d.lockWait.Waiting(); what != "" {
		return what
	}
	for _, r := range []*remote.Runner{d.runner, d.via} {
		if r != nil && r.Waiting() != "" {
			return r.Waiting()
		}
	}
	return ""
}

// block is a gateway's block, or a machine's with a firewall, as far as
// opening a device needs it.
type block struct {
	addr      plan.Addr
	typeName  string
	body      cty.Value
	ssh       *config.SSH
	local     bool
	via       *config.Machine
	viaRange  hcl.Range
	declRange hcl.Range
	types     map[string]providers.Type
	noun      string
}

func (e *Engine) blocks() []block {
	var out []block
	for _, m := range e.Config.Machines {
		if f := m.Firewall; f != nil {
			out = append(out, block{
				addr: m.Addr, typeName: f.Type, body: f.Body, ssh: m.SSH, local: m.Local,
				declRange: f.DeclRange, types: e.Firewalls, noun: "firewall",
			})
		}
	}
	for _, g := range e.Config.Gateways {
		out = append(out, block{
			addr: g.Addr, typeName: g.Type, body: g.Body, ssh: g.SSH, local: g.Local,
			via: g.Via, viaRange: g.ViaRange, declRange: g.DeclRange, types: e.Gateways, noun: "gateway",
		})
	}
	return slices.DeleteFunc(out, func(b block) bool { return !e.mayTouch(b.addr) })
}

// Check opens the devices without touching them, and asks each whether it can
// hold what is wanted of it: all that can be found out about a configuration
// without a network.
func (e *Engine) Check() hcl.Diagnostics {
	var diags hcl.Diagnostics
	if e.devices != nil {
		return nil
	}
	for _, b := range e.blocks() {
		d, diag := e.open(b)
		if diag != nil {
			diags = append(diags, diag)
			continue
		}
		e.devices = append(e.devices, d)
	}
	diags = append(diags, e.twice()...)
	return append(diags, e.shape()...)
}

// twice finds blocks that stand for one device. A device holds the rules of a
// project, whichever block wants them: two blocks would each take away what
// the other one makes.
func (e *Engine) twice() hcl.Diagnostics {
	var diags hcl.Diagnostics
	first := map[string]*device{}
	for _, d := range e.devices {
		id := ""
		if self, ok := d.Device.(providers.Identified); ok {
			id = self.Identity()
		} else if d.runner != nil {
			id = d.runner.Place()
		}
		if id == "" {
			continue
		}
		id = d.typeName + " " + id
		other, taken := first[id]
		if !taken {
			first[id] = d
			continue
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "One device twice",
			Detail: fmt.Sprintf("%s and %s (%s, line %d) are the same device. Each would take away the rules that the other one makes. Keep one of the blocks, and name it in all the port ranges.",
				d.addr, other.addr, other.declRange.Filename, other.declRange.Start.Line),
			Subject: d.declRange.Ptr(),
		})
	}
	return diags
}

func (e *Engine) open(b block) (*device, *hcl.Diagnostic) {
	t, known := b.types[b.typeName]
	if !known {
		panic("config let a type pass that it was not given: " + b.typeName)
	}
	s := providers.Settings{
		Project: e.Config.Project, Addr: b.addr, Dir: e.Config.Dir, Body: b.body,
		Memory: e.notes(b.addr), Owners: e.owners(b.addr), LockWait: providers.NewLockWait(e.LockTimeout),
	}
	if b.via != nil && !t.Via {
		return nil, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  fmt.Sprintf("%s can't be talked to from a machine", b.addr),
			Detail:   fmt.Sprintf("A gateway of type %q takes no via: %s. Remove it.", b.typeName, withoutVia(t)),
			Subject:  b.viaRange.Ptr(),
		}
	}
	if b.via != nil && !b.via.Local {
		s.Via = e.runner(sshTarget(b.via.SSH))
	}
	if t.Remote {
		if b.ssh == nil && !b.local {
			return nil, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  fmt.Sprintf("No way to reach %s", b.addr),
				Detail:   fmt.Sprintf("A %s of type %q is changed by running commands on it. Add an ssh block that says where it is, or local = true if it is this computer.", b.noun, b.typeName),
				Subject:  b.declRange.Ptr(),
			}
		}
		s.Runner, s.Local = e.runner(target(b)), b.local
	}
	opened, err := t.Open(s)
	if err != nil {
		return nil, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  fmt.Sprintf("%s can't be used", b.addr),
			Detail:   sentence(err),
			Subject:  b.declRange.Ptr(),
		}
	}
	return &device{Device: opened, addr: b.addr, typeName: b.typeName, declRange: b.declRange, runner: s.Runner, via: s.Via, lockWait: s.LockWait}, nil
}

// withoutVia says how a device that takes no via is talked to.
func withoutVia(t providers.Type) string {
	if t.Remote {
		return "commands are run on it, and jump in its ssh block says by way of which machine it is reached"
	}
	return "it is talked to from this computer"
}

// runner gives a way to run commands somewhere. No connection is made yet.
func (e *Engine) runner(t remote.Target) *remote.Runner {
	if e.pool == nil {
		e.pool = remote.NewPool()
	}
	return e.pool.Open(t)
}

func target(b block) remote.Target {
	if b.local {
		return remote.Target{Local: true}
	}
	return sshTarget(b.ssh)
}

func sshTarget(s *config.SSH) remote.Target {
	t := remote.Target{
		Host:           s.Host,
		Port:           s.Port,
		User:           s.User,
		IdentityFile:   s.IdentityFile,
		KnownHostsFile: s.KnownHostsFile,
		Timeout:        s.Timeout,
		Direct:         s.Direct,
		Sudo:           s.Sudo,
	}
	if s.Jump != nil {
		jump := sshTarget(s.Jump)
		t.Jump = &jump
	}
	return t
}

// shape gives each device the rules that are wanted of it.
func (e *Engine) shape() hcl.Diagnostics {
	type owned struct{ device, owner plan.Addr }
	var order []owned
	wanted := map[owned][]plan.Wanted{}
	for _, w := range e.Config.Wanted() {
		k := owned{w.Device, w.Owner}
		if wanted[k] == nil {
			order = append(order, k)
		}
		wanted[k] = append(wanted[k], w)
	}
	byAddr := map[plan.Addr]*device{}
	for _, d := range e.devices {
		byAddr[d.addr] = d
	}
	var diags hcl.Diagnostics
	for _, k := range order {
		d := byAddr[k.device]
		if d == nil {
			continue // not targeted, or not opened, which a diagnostic tells
		}
		first := wanted[k][0]
		rules := make([]plan.Rule, 0, len(wanted[k]))
		for _, w := range wanted[k] {
			rules = append(rules, w.Rule)
		}
		shaped, err := d.Shape(rules)
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  fmt.Sprintf("%s can't do what %s asks", k.device, k.owner),
				Detail:   sentence(err),
				Subject:  first.DeclRange.Ptr(),
			})
			continue
		}
		for _, r := range shaped {
			d.wanted = append(d.wanted, plan.Wanted{Rule: r, Device: k.device, Owner: k.owner, DeclRange: first.DeclRange})
		}
	}
	return diags
}
