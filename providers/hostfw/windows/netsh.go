package windows

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/remote"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// What netsh prints is in the language of the machine, and meant for people.
// Names, numbers, addresses and the order of lines are the same in all: what is
// read rests on these. Words are known in English only; where they are others,
// rules that somebody has turned off, or that block, are not seen as such.

// netsh runs netsh.
func (w *windows) netsh(ctx context.Context, args ...string) (string, error) {
	out, err := w.run(ctx, nil, append([]string{"netsh"}, args...)...)
	return string(out), err
}

// netshLogin finds out, once, about the connection by which btplan is there.
func (w *windows) netshLogin(ctx context.Context) (guarded.Login, error) {
	if w.login != nil {
		return *w.login, nil
	}
	out, err := w.run(ctx, nil, "cmd.exe", "/d", "/c", "set SSH_CONNECTION")
	var exit *remote.ExitError
	if errors.As(err, &exit) {
		out, err = nil, nil // there is no such variable
	}
	if err != nil {
		return guarded.Login{}, err
	}
	_, value, _ := strings.Cut(string(out), "=")
	login := guarded.ParseLogin([]byte(value))
	w.login = &login
	return login, nil
}

// asciiMark is a mark in characters that every shell and code page leaves as
// they are: all but some become + and two hexadecimal digits.
func asciiMark(project string, owner plan.Addr) string {
	var b strings.Builder
	for _, c := range []byte(plan.Mark(project, owner)) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._:/[]", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "+%02X", c)
		}
	}
	return b.String()
}

var asciiEscape = regexp.MustCompile(`\+[0-9A-F]{2}`)

// parseASCIIMark reads what asciiMark wrote, and nothing else.
func parseASCIIMark(s string) (project string, owner plan.Addr, ok bool) {
	mark := asciiEscape.ReplaceAllStringFunc(s, func(code string) string {
		n, err := strconv.ParseUint(code[1:], 16, 8)
		if err != nil {
			panic("two hexadecimal digits: " + err.Error())
		}
		return string([]byte{byte(n)})
	})
	project, owner, ok = plan.ParseMark(mark)
	return project, owner, ok && asciiMark(project, owner) == s
}

// advFirewall is what `netsh advfirewall firewall show rule` lists, as far as it
// is ours. Windows 7 keeps no lock for us: between the comparing and the end of
// a change somebody else's may come in, which the reading back finds.
type advFirewall struct {
	ours []advRule
}

// advRule is a rule of ours. Its name is its owner's mark and the generation
// that wrote it: netsh deletes all the rules that have one name.
type advRule struct {
	rule
	owner plan.Addr
	is    []plan.Rule
	drift string
	other bool // it is for another program than the block says
}

func readAdvFirewall(ctx context.Context, w *windows) (*state, error) {
	var printed advAnswer
	for _, part := range []struct {
		into *string
		args []string
	}{
		// The word for a rule's direction is in the language of the machine:
		// each is asked for by itself.
		{&printed.in, []string{"firewall", "show", "rule", "name=all", "dir=in", "verbose"}},
		{&printed.out, []string{"firewall", "show", "rule", "name=all", "dir=out", "verbose"}},
		{&printed.profiles, []string{"show", "currentprofile"}},
	} {
		var err error
		var exit *remote.ExitError
		*part.into, err = w.netsh(ctx, append([]string{"advfirewall"}, part.args...)...)
		if part.into == &printed.out && errors.As(err, &exit) {
			err = nil // that is how netsh says that there are none
		}
		if err != nil {
			return nil, err
		}
	}
	s, err := w.parseAdvFirewall(printed)
	if err != nil {
		return nil, err
	}
	s.login, err = w.netshLogin(ctx)
	return s, err
}

// advAnswer is what netsh prints: the rules of each direction, and the settings
// of the profiles that count in the networks that the machine is in. Whoever has
// a Windows drop what it sends may have deleted all rules that let something out:
// then out is empty.
type advAnswer struct{ in, out, profiles string }

func (w *windows) parseAdvFirewall(printed advAnswer) (*state, error) {
	in, errIn := parseAdvRules(printed.in, dirIn)
	var out []rule
	var errOut error
	if printed.out != "" {
		out, errOut = parseAdvRules(printed.out, dirOut)
	}
	profiles, errProfiles := parseAdvProfiles(printed.profiles)
	err := errors.Join(errIn, errOut, errProfiles)
	if err != nil {
		return nil, fmt.Errorf("what netsh says of the firewall can't be made sense of: %w", err)
	}
	a := &advFirewall{}
	s := &state{
		way: a, problems: problemsOf(profiles),
		dropsOutbound: slices.ContainsFunc(profiles, profile.dropsOutbound),
	}
	for _, r := range slices.Concat(in, out) {
		name, _, _ := cutLast(r.Display, ":")
		project, owner, marked := parseASCIIMark(name)
		if !marked || project != w.project {
			for _, l := range w.foreign(r) {
				l.Project = project
				s.rules = append(s.rules, l)
			}
			if b, blocks := w.block(r); blocks {
				s.blocks = append(s.blocks, b)
			}
			continue
		}
		if r.Action == "" {
			r.Action = "Allow" // a word of another language, for what we wrote
		}
		o := advRule{rule: r, owner: owner, drift: r.flaw()}
		o.other = !strings.EqualFold(r.Program, w.program) && (w.program != "" || !isAny(r.Program))
		if o.is, err = r.rules(); err != nil {
			return nil, fmt.Errorf("the rule %s of the Windows firewall, which has our mark, can't be made sense of: %w. If nothing else is of use, delete it by hand and apply again", r.Display, err)
		}
		a.ours = append(a.ours, o)
		for _, rule := range o.is {
			l := plan.Live{Rule: rule, Owner: owner, Handle: "rule " + r.Display, Drift: o.drift}
			if o.other {
				l.Outdated = "it is for another program"
			}
			s.rules = append(s.rules, l)
		}
	}
	return s, nil
}

// cutLast is strings.Cut at the last separator.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// apply makes what is missing, then deletes what is too much.
func (a *advFirewall) apply(ctx context.Context, w *windows, after host.Owned) (*state, error) {
	now, err := readAdvFirewall(ctx, w)
	if err != nil {
		return nil, err
	}
	there := now.way.(*advFirewall)
	if !slices.Equal(there.names(), a.names()) {
		return nil, errWindowsChanged
	}
	kept := map[string]bool{}
	for owner, rules := range after {
		for _, add := range w.windowsRules(rules) {
			is, err := add.rule().rules()
			if err != nil {
				return nil, err
			}
			i := slices.IndexFunc(a.ours, func(o advRule) bool {
				return o.owner == owner && !kept[o.Display] && o.drift == "" && !o.other && slices.EqualFunc(o.is, is, plan.Rule.Equal)
			})
			if i >= 0 {
				kept[a.ours[i].Display] = true
				continue
			}
			if _, err := w.netsh(ctx, add.netsh(asciiMark(w.project, owner)+":"+guarded.NewGeneration())...); err != nil {
				return nil, err
			}
		}
	}
	for _, o := range a.ours {
		if kept[o.Display] {
			continue
		}
		if _, err := w.netsh(ctx, "advfirewall", "firewall", "delete", "rule", "name="+o.Display, o.dir()); err != nil {
			return nil, err
		}
	}
	return readAdvFirewall(ctx, w)
}

// netsh spells the arguments that add a, under a name.
func (a addedRule) netsh(name string) []string {
	ports := "localport="
	if a.rule().kind() == plan.Outbound {
		ports = "remoteport="
	}
	args := []string{
		"advfirewall", "firewall", "add", "rule", "name=" + name, a.rule().dir(), "action=allow", "profile=any", "protocol=" + a.Protocol,
		ports + strings.Join(a.Ports, ","), "remoteip=" + strings.Join(a.Sources, ","),
	}
	if a.Program != "" {
		args = append(args, "program="+a.Program)
	}
	return args
}

// dir spells a rule's direction for netsh.
func (r rule) dir() string {
	if r.kind() == plan.Outbound {
		return "dir=out"
	}
	return "dir=in"
}

// names tells our rules with all that is in them.
func (a *advFirewall) names() []string {
	var out []string
	for _, o := range a.ours {
		out = append(out, fmt.Sprint(o.rule))
	}
	slices.Sort(out)
	return out
}
