package hostfw

import (
	"context"
	"errors"
	"fmt"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
)

// newDevice opens the firewall of one machine.
func newDevice(k kind, s providers.Settings) *device {
	d := &device{
		kind: k, project: s.Project, addr: s.Addr,
		guarded: guarded.Device{Runner: s.Runner, Name: unitName(s.Project), Noun: noun},
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
	kind    kind
	project string
	addr    plan.Addr
	guarded guarded.Device
	last    *state // what is known to be there: by the latest Read, or by reading back
}

// unitName is what a project's files on a machine are named by. It may be a
// gateway too, and no project's name has a dot.
func unitName(project string) string { return project + ".host" }

// noun is what a machine is called in messages of packages that don't know.
const noun = "machine"

// state is what one read came to.
type state struct {
	*holding
	login   guarded.Login
	canLock bool // as far as the programs go
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
	return &providers.Reading{Rules: d.last.rules, Found: d.last.found, Problems: d.last.problems, DropsOutbound: d.last.dropsOutbound}
}

// Close leaves the runner to its owner.
func (d *device) Close() error { return nil }

// sections spells the commands that print what parse reads.
func (d *device) sections(whole bool) string {
	return d.kind.script(d.project, whole) + script.LockSection + guarded.LoginSection
}

func (d *device) parse(out []byte) (*state, error) {
	p := script.Parse(out)
	if _, whole := p["login"]; !whole {
		return nil, errors.New("the machine's answer is incomplete: it has no section \"login\"")
	}
	h, err := d.kind.read(d.project, p)
	if err == nil && h == nil {
		err = fmt.Errorf("there is no %s on the machine: install it there, or name another firewall in the machine's block", d.kind.name)
	}
	if err != nil {
		return nil, err
	}
	for i := range h.rules {
		h.rules[i].Device = d.addr
	}
	return &state{holding: h, login: guarded.ParseLogin(p["login"]), canLock: script.CanLock(p["lock"])}, nil
}
