// Package windows is the firewall of Windows, by PowerShell or netsh: see
// New-NetFirewallRule and "netsh advfirewall" in Microsoft's documentation, and
// for Windows XP "netsh firewall".
package windows

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/powershell"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// The ways to talk to a Windows, as mode names them.
const (
	modeNetSecurity = "netsecurity" // PowerShell's module: Windows 8, Server 2012 and later
	modeAdvFirewall = "advfirewall" // netsh advfirewall: Windows 7
	modeICF         = "icf"         // netsh firewall: Windows XP with SP2, Server 2003
)

// Name is the type's.
const Name = "windows"

// Type is the firewall of Windows. Its rules add up, except that one
// that blocks wins over all that allow: an allow of ours can neither shut a
// port nor lock anybody out, so that there is nothing for a revert timer to
// take back.
func Type() providers.Type {
	return providers.Type{
		Name:   Name,
		Remote: true,
		Spec: hcldec.ObjectSpec{
			"mode": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "mode", Type: cty.String},
				Func:    checkWindowsMode,
			},
			"program": &hcldec.ValidateSpec{
				Wrapped: &hcldec.AttrSpec{Name: "program", Type: cty.String},
				Func:    checkWindowsProgram,
			},
		},
		Open: openWindows,
	}
}

func checkWindowsMode(v cty.Value) hcl.Diagnostics {
	mode := host.OptionalText(v)
	if mode == "" || slices.Contains([]string{modeNetSecurity, modeAdvFirewall, modeICF}, mode) {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Unknown mode",
		Detail:   fmt.Sprintf("There is no mode %q of the Windows firewall. Write \"icf\" for Windows XP and Server 2003; leave mode out for later ones, or name the way to talk to them: \"netsecurity\" or \"advfirewall\".", mode),
	}}
}

func checkWindowsProgram(v cty.Value) hcl.Diagnostics {
	program := host.OptionalText(v)
	letter := len(program) > 3 && unicode.IsLetter(rune(program[0])) && program[1:3] == `:\`
	hostile := strings.ContainsFunc(program, func(c rune) bool {
		return !unicode.IsPrint(c) || strings.ContainsRune("\"\u201c\u201d\u201e%!^$`<>|*?/", c)
	})
	if program == "" || letter && !hostile && !strings.HasSuffix(program, `\`) && !strings.Contains(program, `\\`) {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Invalid program",
		Detail:   fmt.Sprintf("%q is not the whole path of a program on Windows, such as \"C:\\\\Program Files\\\\Azureus\\\\Azureus.exe\". Variables such as %%ProgramFiles%% have to be written out.", program),
	}}
}

func openWindows(s providers.Settings) (providers.Device, error) {
	w := &windows{project: s.Project, addr: s.Addr, mode: host.OptionalText(s.Body.GetAttr("mode")), program: host.OptionalText(s.Body.GetAttr("program"))}
	w.run = func(ctx context.Context, stdin []byte, argv ...string) ([]byte, error) {
		return s.Runner.Command(ctx, argv, stdin)
	}
	return w, nil
}

// windows is the firewall of one Windows machine.
type windows struct {
	project string
	addr    plan.Addr
	mode    string
	program string // our rules are for it alone; "": for any
	run     func(ctx context.Context, stdin []byte, argv ...string) ([]byte, error)

	last  *state         // by the latest Read, or by reading back
	login *guarded.Login // once netshLogin has found it out
}

// state is what one read came to.
type state struct {
	rules    []plan.Live
	blocks   []block // the rules that drop packets, whatever allows them
	problems []providers.Problem
	login    guarded.Login
	way      way // what was read, by the way it was
	// dropsOutbound is providers.Reading's.
	dropsOutbound bool
}

// way is one way to talk to a Windows, together with what it read.
type way interface {
	// apply makes the firewall hold these rules of ours in place of those that
	// were read, and gives what it holds then.
	apply(ctx context.Context, w *windows, after host.Owned) (*state, error)
}

// errNoModule is a Windows without the module NetSecurity.
var errNoModule = errors.New("PowerShell has no module NetSecurity there")

// Shape joins what can be joined, or takes ports one by one where Windows does.
func (w *windows) Shape(rules []plan.Rule) ([]plan.Rule, error) {
	for _, r := range rules {
		six := slices.ContainsFunc(r.Sources, func(p netip.Prefix) bool { return p.Addr().Is6() })
		switch {
		case w.mode != modeICF || r.Sources == nil:
		case w.program == "":
			return nil, providers.Flag(errors.New("in mode \"icf\" btplan opens a port for everyone, since Windows XP does not list for whom one is open: take sources out of the port_range, or name the program in the firewall block, whose entry keeps account of them"), providers.ErrUnsupported)
		case six:
			return nil, providers.Flag(errors.New("in mode \"icf\" the Windows firewall takes sources of IPv4 only: take those of IPv6 out of the port_range"), providers.ErrUnsupported)
		}
	}
	if w.mode == modeICF && w.program == "" {
		return plan.Split(rules), nil
	}
	return plan.Coalesce(rules), nil
}

// Read gives our rules, and others that let packets in to a port from anywhere
// in the network.
func (w *windows) Read(ctx context.Context) (*providers.Reading, error) {
	s, err := w.read(ctx)
	if err != nil {
		return nil, explainWindows(err)
	}
	w.last = s
	return w.ReadBack(), nil
}

func (w *windows) read(ctx context.Context) (*state, error) {
	switch w.mode {
	case modeICF:
		return readICF(ctx, w)
	case modeAdvFirewall:
		return readAdvFirewall(ctx, w)
	}
	s, err := readNetSecurity(ctx, w)
	if errors.Is(err, errNoModule) && w.mode == "" {
		return readAdvFirewall(ctx, w)
	}
	return s, err
}

// ReadBack gives what was seen by the latest Read or successful Apply.
func (w *windows) ReadBack() *providers.Reading {
	rules := slices.Clone(w.last.rules)
	for i := range rules {
		rules[i].Device = w.addr
	}
	return &providers.Reading{Rules: rules, DropsOutbound: w.last.dropsOutbound, Problems: w.last.problems}
}

// Apply makes the firewall hold our rules as they are to be. New rules are made
// before old ones go; where it is cut short, the next one completes it.
func (w *windows) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	if w.last == nil {
		panic("Apply without Read")
	}
	return host.Together(changes, done, func() error { return w.apply(ctx, changes) })
}

func (w *windows) apply(ctx context.Context, changes []plan.Change) error {
	after, err := w.last.seen().Changed(changes)
	if err != nil {
		return err
	}
	s, err := w.last.way.apply(ctx, w, after)
	if err != nil {
		return explainWindows(err)
	}
	for _, l := range s.rules {
		if !l.Owner.IsZero() && l.Drift != "" {
			return fmt.Errorf("the Windows firewall took the change, but %s: %s", l.Rule, l.Drift)
		}
	}
	if got, want := s.seen().Ours().Sorted(), after.Sorted(); !slices.Equal(got, want) {
		return fmt.Errorf("the Windows firewall took the change, but holds [%s], not [%s]", strings.Join(got, "; "), strings.Join(want, "; "))
	}
	w.last = s
	return nil
}

// Close leaves the runner to its owner.
func (w *windows) Close() error { return nil }

// seen is s as the other back ends have it, without what is for scripts of sh.
func (s *state) seen() *host.State {
	return &host.State{Holding: &host.Holding{Active: true, Rules: s.rules, Problems: s.problems}, Login: s.login}
}

// errWindowsChanged is a firewall that isn't what was planned from.
var errWindowsChanged = providers.Flag(
	errors.New("btplan's rules in the Windows firewall were changed by someone else since the plan was made, so nothing was touched: run btplan again to plan from what is there now"),
	providers.ErrConflict)

// explainWindows says what to do about the failures that have a known remedy.
func explainWindows(err error) error {
	var unreachable *remote.UnreachableError
	if errors.As(err, &unreachable) {
		return providers.Flag(err, providers.ErrUnreachable)
	}
	var exit *remote.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	readable := *exit
	readable.Stderr = powershell.Message(exit.Stderr)
	if strings.TrimSpace(readable.Stderr) == "" {
		readable.Stderr = exit.Stdout // where netsh complains
	}
	// A shell that finds no such program names it, in whatever language.
	if exit.Stdout == "" && strings.Contains(readable.Stderr, powershell.Command()[0]) {
		return fmt.Errorf("there seems to be no PowerShell on the machine: for Windows XP and Server 2003, write firewall \"windows\" with mode = \"icf\" in the machine's block: %w", &readable)
	}
	// The message is in the language of the machine, but not its number.
	if strings.Contains(readable.Stderr, "Windows System Error 5,") {
		return fmt.Errorf("only administrators can read and change the firewall, and btplan is none there. Log in as one, by an SSH server that gives elevated sessions. What failed: %w", &readable)
	}
	return &readable
}
