package hostfw

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/macos"
	"github.com/btplan/btplan/providers/hostfw/windows"
	"github.com/zclconf/go-cty/cty"
)

// auto is the firewall of a machine that may run any system. It is taken for a
// Linux, and what is asked of that one is asked at no further cost; that it is
// another system shows in the answer.
type auto struct {
	*host.Device
	settings providers.Settings
	// elsewhere is the firewall of another system; nil: it is none, or nobody
	// knows yet.
	elsewhere anyFirewall
	system    otherSystem // which system it is then
}

// anyFirewall is what all firewalls of this package are.
type anyFirewall interface {
	providers.Device
	providers.ReadingBack
	providers.Refusing
	providers.Advising
}

// otherSystem is the error of a machine that turns out not to be a Linux. Its
// text is the type of the firewall that it has.
type otherSystem string

func (s otherSystem) Error() string { return string(s) }

func autoType() providers.Type {
	t := host.TypeOf(autoKind)
	t.Open = func(s providers.Settings) (providers.Device, error) {
		a := &auto{Device: host.NewDevice(autoKind, s), settings: s}
		if s.Local {
			return a, a.move(map[string]otherSystem{"windows": windows.Name, "darwin": macos.Name}[runtime.GOOS])
		}
		return a, nil
	}
	return t
}

// move takes the machine for one of another system.
func (a *auto) move(to otherSystem) (err error) {
	var t providers.Type
	switch to {
	case macos.Name:
		t = macos.Type()
	case windows.Name:
		t = windows.Type()
	default:
		return nil
	}
	s := a.settings
	body := map[string]cty.Value{}
	for name := range t.Spec {
		body[name] = cty.NullVal(cty.String)
	}
	s.Body = cty.ObjectVal(body)
	d, err := t.Open(s)
	if err == nil {
		a.elsewhere, a.system = d.(anyFirewall), to
	}
	return err
}

// there is the firewall of the system that the machine has turned out to have.
func (a *auto) there() anyFirewall {
	if a.elsewhere != nil {
		return a.elsewhere
	}
	return a.Device
}

// Read finds out what the machine is, and reads its firewall.
func (a *auto) Read(ctx context.Context) (*providers.Reading, error) {
	if a.elsewhere == nil {
		r, err := a.Device.Read(ctx)
		if err == nil {
			return r, nil
		}
		if moveErr := a.move(a.otherSystem(ctx, err)); moveErr != nil {
			return nil, moveErr
		}
		if a.elsewhere == nil {
			return nil, err
		}
	}
	r, err := a.elsewhere.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("the machine is %s: %w", map[string]string{windows.Name: "a Windows", macos.Name: "a Mac"}[string(a.system)], err)
	}
	r.Found = string(a.system)
	return r, nil
}

// otherSystem says what a machine is on which Linux's script has failed; empty:
// a Linux, or something that nobody knows.
func (a *auto) otherSystem(ctx context.Context, err error) otherSystem {
	var is otherSystem
	if errors.As(err, &is) {
		return is
	}
	// Where there is no sh, there is no output of it either.
	var exit *remote.ExitError
	if !errors.As(err, &exit) || exit.Stdout != "" {
		return ""
	}
	says, err := a.settings.Runner.Command(ctx, []string{"cmd.exe", "/d", "/c", "ver"}, nil)
	if err != nil || !bytes.Contains(says, []byte("Microsoft Windows")) {
		return ""
	}
	return windows.Name
}

// ReadBack gives what was seen by the latest Read or successful Apply.
func (a *auto) ReadBack() *providers.Reading {
	r := a.there().ReadBack()
	if a.elsewhere != nil {
		r.Found = string(a.system)
	}
	return r
}

// Apply is that of the firewall that was found.
func (a *auto) Apply(ctx context.Context, changes []plan.Change, done func(plan.Change, error)) error {
	return a.there().Apply(ctx, changes, done)
}

// Refuse is that of the firewall that was found.
func (a *auto) Refuse(changes []plan.Change) *providers.Problem { return a.there().Refuse(changes) }

// Advise is that of the firewall that was found.
func (a *auto) Advise(changes []plan.Change) []providers.Problem { return a.there().Advise(changes) }

// anotherSystem is no firewall: it ends the script for Linux on machines that
// are not for it, a Mac, and the Unix that some SSH servers for Windows come with.
// It starts no program to tell them.
var anotherSystem = host.Kind{
	Name: "another system",
	Script: func(string, bool) string {
		return `system=
if command -v sw_vers >/dev/null && command -v pfctl >/dev/null; then system=` + macos.Name + `; fi
[ "${OS:-}" != Windows_NT ] || system=` + windows.Name + `
if [ "$system" ]; then
	section system
	echo "$system"
	section login
	exit 0
fi
`
	},
	Read: func(_ string, p script.Printed) (*host.Holding, error) {
		switch s := otherSystem(bytes.TrimSpace(p["system"])); s {
		case macos.Name, windows.Name:
			return nil, s
		}
		return nil, nil
	},
}
