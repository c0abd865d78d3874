package windows

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/powershell"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

//go:embed windows.ps1
var script string

// How windows.ps1 ends where there is no module NetSecurity: EX_UNAVAILABLE of
// sysexits.h. It has exitChanged too.
const exitNoModule = 69

// netSecurity is what windows.ps1 prints.
type netSecurity struct {
	Login    string    `json:"login"`
	Digest   string    `json:"digest"`   // of the rules named btplan-*, of whatever project
	Networks []string  `json:"networks"` // the categories of those that the machine is in
	Profiles []profile `json:"profiles"`
	Rules    []rule    `json:"rules"`
	Policy   []rule    `json:"policy"` // from Group Policy or device management

	ours []ours
}

// ours is one rule of ours.
type ours struct {
	rule
	owner plan.Addr
	is    []plan.Rule
	seal  string // as its description has it; "": none
	drift string // how it is not as btplan left it; empty: it is
	other bool   // it is for another program than the block says
}

// rulePrefix begins the names of our rules, which nobody can change.
const rulePrefix = "btplan-"

func readNetSecurity(ctx context.Context, w *windows) (*state, error) {
	return w.netSecurity(ctx, change{})
}

// netSecurity runs windows.ps1.
func (w *windows) netSecurity(ctx context.Context, change change) (*state, error) {
	out, err := w.run(ctx, powershell.Input(script, change), powershell.Command()...)
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		switch exit.Code {
		case host.ExitChanged:
			return nil, errWindowsChanged
		case exitNoModule:
			return nil, providers.Flag(errors.New("PowerShell has no module NetSecurity on the machine: write mode = \"advfirewall\" in the firewall block"), errNoModule)
		}
	}
	if err != nil {
		return nil, err
	}
	return w.parseNetSecurity(out)
}

func (w *windows) parseNetSecurity(out []byte) (*state, error) {
	n := &netSecurity{}
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(n); err != nil {
		return nil, fmt.Errorf("what PowerShell says of the firewall can't be made sense of: %w", err)
	}
	if n.Digest == "" || d.More() {
		return nil, errors.New("what PowerShell says of the firewall can't be made sense of: it is not one whole answer")
	}
	active := activeProfiles(n.Profiles, n.Networks)
	s := &state{
		way: n, login: guarded.ParseLogin([]byte(n.Login)),
		problems: problemsOf(active), dropsOutbound: slices.ContainsFunc(active, profile.dropsOutbound),
	}
	for _, r := range n.Rules {
		o, found, err := w.own(r)
		if err != nil {
			return nil, fmt.Errorf("the rule %s of the Windows firewall, which has our mark, can't be made sense of: %w. If nothing else is of use, delete it by hand and apply again", r.Name, err)
		}
		if found {
			n.ours = append(n.ours, o)
			continue
		}
		s.rules = append(s.rules, w.foreign(r)...)
	}
	s.rules = append(n.live(), s.rules...)
	for _, r := range slices.Concat(n.Rules, n.Policy) {
		if b, blocks := w.block(r); blocks {
			s.blocks = append(s.blocks, b)
		}
	}
	return s, nil
}

// own says whether a rule is one of this project's. It has its mark twice: by
// whichever is left, it is still known.
func (w *windows) own(r rule) (o ours, found bool, err error) {
	if !strings.HasPrefix(r.Name, rulePrefix) {
		return o, false, nil
	}
	mark, seal, _ := strings.Cut(r.Description, " ")
	project, owner, described := plan.ParseMark(mark)
	displayed, displayOwner, named := plan.ParseMark(r.Display)
	switch {
	case !described && named:
		project, owner, o.drift = displayed, displayOwner, "its mark was taken off its description"
	case described && (!named || displayed != project || displayOwner != owner):
		o.drift = "it was given another name"
	}
	if project != w.project {
		return o, false, nil
	}
	o.rule, o.owner, o.seal = r, owner, seal
	o.other = !strings.EqualFold(r.Program, w.program) && (w.program != "" || !isAny(r.Program))
	if flaw := r.flaw(); flaw != "" {
		o.drift = flaw
	}
	o.is, err = r.rules()
	return o, true, err
}

// live gives our rules. The seal stands for all of an owner's rules: if one of
// them is gone or was changed, none fits any more.
func (n *netSecurity) live() []plan.Live {
	byOwner := host.Owned{}
	for _, o := range n.ours {
		byOwner[o.owner] = append(byOwner[o.owner], o.is...)
	}
	var out []plan.Live
	for _, o := range n.ours {
		l := plan.Live{Owner: o.owner, Handle: "rule " + o.Name, Drift: o.drift}
		if o.other {
			l.Outdated = "it is for another program"
		}
		if l.Drift == "" && o.seal != "" && o.seal != plan.Seal(byOwner[o.owner]) {
			l.Drift = "changed on the machine since btplan wrote it"
		}
		for _, r := range o.is {
			l.Rule = r
			out = append(out, l)
		}
	}
	return out
}

// foreign gives what a rule of others lets in, if it opens a port to all that
// listen on it, or to our program, in every network; or lets out, to everyone.
// One that lets in to every port is about no port in particular; one that lets
// out to every port makes ours needless.
func (w *windows) foreign(r rule) []plan.Live {
	if r.flaw() != "" || r.kind() == plan.Allow && isAny(r.LocalPort...) || !isAny(r.Program) && !strings.EqualFold(r.Program, w.program) {
		return nil
	}
	rules, err := r.rules()
	if err != nil {
		return nil // words of Windows' own, such as RPC and LocalSubnet
	}
	project, _, _ := plan.ParseMark(r.Display)
	if project == w.project {
		project = "" // a copy of one of ours is somebody's
	}
	var out []plan.Live
	for _, rule := range rules {
		out = append(out, plan.Live{Rule: rule, Project: project, Handle: fmt.Sprintf("rule %q", r.Display)})
	}
	return out
}

// block says whether a rule drops packets that our rules let in or out.
func (w *windows) block(r rule) (block, bool) {
	ports, err := r.ports()
	if !strings.EqualFold(r.Enabled, "True") || !strings.EqualFold(r.Action, "Block") || err != nil ||
		!isAny(r.Package, r.Service) || !isAny(r.Program) && !strings.EqualFold(r.Program, w.program) {
		return block{}, false
	}
	sources, err := r.sources()
	b := block{name: r.Display, vague: err != nil || isAny(r.Protocol) || r.kind() == plan.Outbound && !isAny(r.narrowing()...)}
	for _, protocol := range r.protocols() {
		for _, p := range ports {
			b.rules = append(b.rules, plan.Rule{Kind: r.kind(), Protocol: protocol, Ports: p, Sources: sources})
		}
	}
	return b, true
}
