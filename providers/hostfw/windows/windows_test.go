package windows

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// readers read what each way to talk to a Windows prints.
var readers = map[string]func(w *windows, out []byte) (*state, error){
	modeNetSecurity: (*windows).parseNetSecurity,
	modeAdvFirewall: func(w *windows, out []byte) (*state, error) {
		p := transcript(out)
		return w.parseAdvFirewall(advAnswer{in: p[0], out: p[1], profiles: p[2]})
	},
	modeICF: func(w *windows, out []byte) (*state, error) {
		p := transcript(out)
		return w.parseICF(icfAnswer{ports: p[0], programs: p[1]})
	},
}

const azureus = `C:\Program Files\Azureus\Azureus.exe`

// transcript gives what the commands printed that a file shows, each below a line
// with the command itself: the first three of them.
func transcript(file []byte) (printed [3]string) {
	for i, part := range strings.Split("\n"+string(file), "\n$ ") {
		if _, out, _ := strings.Cut(part, "\n"); i > 0 && i <= len(printed) {
			printed[i-1] = out
		}
	}
	return printed
}

// The transcripts are written from the vendor's documentation and what people
// have published, in English and in German.
func TestWindowsAnswers(t *testing.T) {
	for name, test := range map[string]struct{ file, mode, program string }{
		"netsecurity":    {"netsecurity", modeNetSecurity, ""},
		"advfirewall":    {"advfirewall", modeAdvFirewall, ""},
		"advfirewall-de": {"advfirewall-de", modeAdvFirewall, ""},
		"icf":            {"icf", modeICF, ""},
		"icf-vista":      {"icf-vista", modeICF, ""},
		"icf-program":    {"icf", modeICF, azureus},
		"icf-taken":      {"icf", modeICF, `C:\Y.exe`},
	} {
		s, err := readers[test.mode](&windows{project: "home", mode: test.mode, program: test.program}, hosttest.Answer(t, "testdata/"+test.file+".answer"))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var b strings.Builder
		b.WriteString(hosttest.InWords(s.seen()))
		for _, l := range s.rules {
			if l.Outdated != "" {
				fmt.Fprintf(&b, "outdated: %s %s: %s\n", l.Owner, l.Rule, l.Outdated)
			}
		}
		for _, block := range s.blocks {
			fmt.Fprintf(&b, "block: %q %v, vague: %t\n", block.name, block.rules, block.vague)
		}
		fmt.Fprintf(&b, "drops what is sent: %t\n", s.dropsOutbound)
		hosttest.Golden(t, "testdata/"+name+".txt", b.String())
	}
}

// A machine whose answer is cut short is not one without rules.
func TestNetSecurityCutShort(t *testing.T) {
	whole := hosttest.Answer(t, "testdata/netsecurity.answer")
	for n := range 20 {
		cut := whole[:len(whole)*n/20]
		if _, err := (&windows{project: "home"}).parseNetSecurity(cut); err == nil {
			t.Errorf("%d bytes of %d: no error", len(cut), len(whole))
		}
	}
	for _, empty := range []string{"", "\r\n", "Ok.\r\n"} {
		w := &windows{project: "home"}
		if _, err := w.parseAdvFirewall(advAnswer{in: empty, out: empty, profiles: empty}); err == nil {
			t.Errorf("netsh advfirewall says %q, and that is no error", empty)
		}
		if _, err := w.parseICF(icfAnswer{empty, empty}); err == nil {
			t.Errorf("netsh firewall says %q, and that is no error", empty)
		}
	}
}

func FuzzWindowsAnswer(f *testing.F) {
	for _, name := range []string{"netsecurity", "advfirewall", "advfirewall-de", "icf", "icf-vista"} {
		f.Add(hosttest.Answer(f, "testdata/"+name+".answer"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for mode, read := range readers {
			w := &windows{project: "home", mode: mode}
			if mode == modeICF && len(data)%2 == 1 {
				w.program = azureus
			}
			s, err := read(w, data)
			if err != nil {
				continue
			}
			for _, l := range s.rules {
				if err := l.Rule.Check(); err != nil {
					t.Errorf("%s gives the rule %s: %v", mode, l.Rule, err)
				}
			}
			after := s.seen().Ours()
			after[hosttest.Other] = []plan.Rule{hosttest.Allow(t, plan.TCP, "6881-6889")}
			if n, ok := s.way.(*netSecurity); ok {
				_ = n.change(w, after)
			}
			if c, ok := s.way.(*icf); ok {
				for _, p := range c.programs {
					parts := p.parts(w.project, p.ours)
					if again, ok := parseICFName(icfName(parts)); len(parts) > 0 && (!ok || icfName(again) != icfName(parts)) {
						t.Errorf("the name %q is read as %v", icfName(parts), again)
					}
					_ = icfScope(parts)
				}
			}
			w.last = s
			changes := []plan.Change{{Action: plan.Create, Owner: hosttest.Other, After: &after[hosttest.Other][0]}}
			_, _ = w.Refuse(changes), w.Advise(changes)
		}
	})
}

func TestWindowsAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.7":                 "203.0.113.7/32",
		"203.0.113.0/24":              "203.0.113.0/24",
		"203.0.113.0/255.255.255.0":   "203.0.113.0/24",
		"203.0.113.9/255.255.255.0":   "203.0.113.0/24",
		"0.0.0.0/0.0.0.0":             "0.0.0.0/0",
		"10.0.0.0-10.255.255.255":     "10.0.0.0/8",
		"10.0.0.7-10.0.0.7":           "10.0.0.7/32",
		"0.0.0.0-255.255.255.255":     "0.0.0.0/0",
		"2001:db8::/32":               "2001:db8::/32",
		"fe80::1":                     "fe80::1/128",
		"10.0.0.0-10.0.0.6":           "",
		"10.0.0.1-10.0.0.8":           "",
		"10.0.0.0/255.0.255.0":        "",
		"LocalSubnet":                 "",
		"fe80::1%eth0":                "",
		"10.0.0.9-10.0.0.1":           "",
		"::-255.255.255.255":          "",
		"10.0.0.0/33":                 "",
		"::ffff:10.0.0.1/255.255.0.0": "",
	} {
		got, err := parseWindowsAddress(text)
		if (err == nil) != (want != "") || err == nil && got != netip.MustParsePrefix(want) {
			t.Errorf("%s: got %s, %v, want %q", text, got, err, want)
		}
	}
	// What is spelled is read as it was meant.
	for _, sources := range [][]string{nil, {"203.0.113.0/24", "2001:db8::/32"}, {"0.0.0.0/0", "2001:db8::/32"}, {"10.0.0.1/32", "::/0"}} {
		want := hosttest.Allow(t, plan.TCP, "1", sources...).Sources
		got, err := rule{RemoteAddress: spelledAddresses(want)}.sources()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v: got %v, %v", want, got, err)
		}
	}
}

// A mark in ASCII is read as it was written, and nothing else is one.
func TestASCIIMark(t *testing.T) {
	for _, owner := range []plan.Addr{hosttest.BT, hosttest.Other, {Block: plan.BlockPortRange, Name: "é", Key: plan.TextKey(`"'$(x);{}#[/:%+`)}, {Block: plan.BlockPortRange, Name: "bt", Key: plan.NumKey(0)}} {
		s := asciiMark("home", owner)
		project, got, ok := parseASCIIMark(s)
		if !ok || project != "home" || got != owner {
			t.Errorf("%s: got %s, %s, %v", s, project, got, ok)
		}
	}
	for _, s := range []string{"", "btplan:home:é", "btplan:home:a+20b", "btplan:home:+C3", "Remote Desktop"} {
		if _, owner, ok := parseASCIIMark(s); ok {
			t.Errorf("%q is the mark of %s", s, owner)
		}
	}
}
