// Package hostfw is the firewalls that computers run for themselves: what
// opens a port on the machine that a client listens on, in the terms of
// whatever firewall is there. One file is one back end; see kind.
package hostfw

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/hashicorp/hcl/v2/hcldec"
)

// kinds are the back ends. The type auto takes the first of them that is
// active, so those that write other people's rules for them come first.
var kinds = []kind{ufwKind, firewalldKind, nftablesKind, iptablesKind}

// autoKinds are those among which auto looks: of the last two it takes what is
// there.
var autoKinds = []kind{ufwKind, firewalldKind, anyFilter}

// Types are the types that a machine's firewall block may name.
func Types() []providers.Type {
	types := []providers.Type{typeOf(autoName, autoKinds)}
	for _, k := range kinds {
		types = append(types, typeOf(k.name, []kind{k}))
	}
	return append(types, macosType(), windowsType())
}

func typeOf(name string, among []kind) providers.Type {
	return providers.Type{
		Name:   name,
		Remote: true,
		Spec:   hcldec.ObjectSpec{"revert_after": guarded.RevertAfter(noun), "program": noProgram(name)},
		Open: func(s providers.Settings) (providers.Device, error) {
			return newDevice(name, among, s), nil
		},
	}
}

func newDevice(name string, among []kind, s providers.Settings) *device {
	d := &device{
		name: name, among: among, project: s.Project, addr: s.Addr,
		guarded: guarded.Device{Runner: s.Runner, Name: bootScript(s.Project).Name, Noun: noun},
	}
	// A change made here can't cut the way to the machine; nor is one waited
	// for where the block has no word for how long.
	if !s.Local && s.Body.Type().HasAttribute("revert_after") {
		d.guarded.RevertAfter = guarded.ParseRevertAfter(s.Body.GetAttr("revert_after"))
	}
	return d
}

// device is the firewall of one machine.
type device struct {
	name    string // its type
	among   []kind // the back ends that it may be; with auto, all
	project string
	addr    plan.Addr
	guarded guarded.Device
	last    *state // what is known to be there: by the latest Read, or by reading back
}

// noun is what a machine is called in messages of packages that don't know.
const noun = "machine"

// state is what one read came to.
type state struct {
	*holding
	login guarded.Login
}

// Shape joins what can be joined: a firewall holds ranges.
func (d *device) Shape(rules []plan.Rule) ([]plan.Rule, error) {
	return plan.Coalesce(rules), nil
}

// Read gives our rules, and as foreign all others by which the firewall lets
// packets in to a port.
func (d *device) Read(ctx context.Context) (*providers.Reading, error) {
	s, err := d.read(ctx, false)
	if err != nil {
		return nil, err
	}
	d.last = s
	return d.ReadBack(), nil
}

func (d *device) read(ctx context.Context, whole bool) (*state, error) {
	out, err := d.guarded.Runner.Run(ctx, script.FromStdin, []byte(script.Head+script.SectionHead+script.SharedLock+d.sections(whole)+"exit 0\n"))
	if err != nil {
		return nil, d.guarded.Explain(err)
	}
	return d.parse(out)
}

// ReadBack gives what was seen by the latest Read or successful Apply.
func (d *device) ReadBack() *providers.Reading {
	r := &providers.Reading{Rules: d.last.rules, Problems: d.last.problems, DropsOutbound: d.last.dropsOutbound}
	if d.name == autoName {
		r.Found = d.last.String()
	}
	return r
}

// Close leaves the runner to its owner.
func (d *device) Close() error { return nil }

// sections spells the commands that print what parse reads.
func (d *device) sections(whole bool) string {
	var b strings.Builder
	for _, k := range d.among {
		b.WriteString(k.script(d.project, whole))
	}
	b.WriteString(guarded.LoginSection)
	return b.String()
}

func (d *device) parse(out []byte) (*state, error) {
	p := script.Parse(out)
	if _, whole := p["login"]; !whole {
		return nil, errors.New("the machine's answer is incomplete: it has no section \"login\"")
	}
	h, err := d.find(p)
	if err != nil {
		return nil, err
	}
	for i := range h.rules {
		h.rules[i].Device = d.addr
	}
	return &state{holding: h, login: guarded.ParseLogin(p["login"])}, nil
}

// find reads the back end that was asked for, or finds out which one it is.
func (d *device) find(p script.Printed) (*holding, error) {
	if d.name == autoName {
		return detect(d.among, d.project, p)
	}
	k := d.among[0]
	h, err := k.read(d.project, p)
	if err == nil && h == nil {
		err = fmt.Errorf("there is no %s on the machine: install it there, or name another firewall in the machine's block", k.name)
	}
	return h, err
}
