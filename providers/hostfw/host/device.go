package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// NewDevice opens the firewall of one machine.
func NewDevice(k Kind, s providers.Settings) *Device {
	d := &Device{
		kind: k, project: s.Project, Addr: s.Addr,
		Guarded: guarded.Device{Runner: s.Runner, Name: UnitName(s.Project), Noun: Noun, LockWait: s.LockWait},
	}
	// A change made here can't cut the way to the machine; nor is one waited
	// for where the block has no word for how long.
	if !s.Local && s.Body.Type().HasAttribute("revert_after") {
		d.Guarded.RevertAfter = guarded.ParseRevertAfter(s.Body.GetAttr("revert_after"))
	}
	return d
}

// Device is the firewall of one machine.
type Device struct {
	kind    Kind
	project string
	Addr    plan.Addr
	Guarded guarded.Device
	Last    *State // what is known to be there: by the latest Read, or by reading back
}

// UnitName is what a project's files on a machine are named by. It may be a
// gateway too, and no project's name has a dot.
func UnitName(project string) string { return project + ".host" }

// Noun is what a machine is called in messages of packages that don't know.
const Noun = "machine"

// State is what one read came to.
type State struct {
	*Holding
	Login   guarded.Login
	canLock bool // as far as the programs go
}

// Shape joins what can be joined: a firewall holds ranges.
func (d *Device) Shape(rules []plan.Rule) ([]plan.Rule, error) {
	return plan.Coalesce(rules), nil
}

// Read gives our rules, and as foreign all others by which the firewall lets
// packets in to a port.
func (d *Device) Read(ctx context.Context) (*providers.Reading, error) {
	s, err := d.read(ctx, false)
	if err != nil {
		return nil, err
	}
	d.Last = s
	return d.ReadBack(), nil
}

func (d *Device) read(ctx context.Context, whole bool) (*State, error) {
	out, err := d.Guarded.Read(ctx, script.FromStdin, []byte(script.Head+script.SectionHead+script.SharedLock+d.Sections(whole)+"exit 0\n"))
	if err != nil {
		return nil, d.Guarded.Explain(err)
	}
	return d.Parse(out)
}

// ReadBack gives what was seen by the latest Read or successful Apply.
func (d *Device) ReadBack() *providers.Reading {
	return &providers.Reading{Rules: d.Last.Rules, Found: d.Last.Found, Problems: d.Last.Problems, DropsOutbound: d.Last.DropsOutbound}
}

// Close leaves the runner to its owner.
func (d *Device) Close() error { return nil }

// Sections spells the commands that print what Parse reads.
func (d *Device) Sections(whole bool) string {
	return d.kind.Script(d.project, whole) + script.LockSection + guarded.LoginSection
}

// Parse reads what the commands of Sections printed.
func (d *Device) Parse(out []byte) (*State, error) {
	p := script.Parse(out)
	if _, whole := p["login"]; !whole {
		return nil, errors.New("the machine's answer is incomplete: it has no section \"login\"")
	}
	h, err := d.kind.Read(d.project, p)
	if err == nil && h == nil {
		err = fmt.Errorf("there is no %s on the machine: install it there, or name another firewall in the machine's block", d.kind.Name)
	}
	if err != nil {
		return nil, err
	}
	for i := range h.Rules {
		h.Rules[i].Device = d.Addr
	}
	return &State{Holding: h, Login: guarded.ParseLogin(p["login"]), canLock: script.CanLock(p["lock"])}, nil
}
