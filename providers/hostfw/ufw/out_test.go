package ufw

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers/hostfw/host"
	"github.com/btplan/btplan/providers/hostfw/hosttest"
)

// strictUFW is an active ufw that drops what goes out, with these tuples in its
// file for IPv4 and the same in that for IPv6, and all that is ours in force.
func strictUFW(t *testing.T, written string, lines ...string) *host.Device {
	t.Helper()
	var rules, chains [2]string
	for six, zero := range []string{"0.0.0.0/0", "::/0"} {
		for _, line := range lines {
			line = tupleHead + " " + strings.ReplaceAll(line, "ALL", zero)
			rules[six] += line + "\n"
			tuples, err := parseTuples([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			if tuples[0].isPlain() {
				chains[six] += tuples[0].spec(six == 1)
			}
		}
		chains[six] += "-N ufw-user-input\n"
	}
	return parsedUFW(t, "\x1eufw-conf\nENABLED=yes\n\x1eufw-defaults\nIPV6=yes\nDEFAULT_OUTPUT_POLICY=\"DROP\"\n"+
		"\x1eufw-rules\n"+rules[0]+"\x1eufw-rules6\n"+rules[1]+"\x1eufw-written\n"+written+
		"\x1eufw-chain\n"+chains[0]+"\x1eufw-chain6\n"+chains[1]+"\x1elock\nflock\n\x1elogin\n198.51.100.9 50000 192.0.2.11 22\n")
}

func parsedUFW(t *testing.T, answer string) *host.Device {
	t.Helper()
	d := hosttest.DeviceOf(Kind)
	var err error
	if d.Last, err = d.Parse([]byte(answer)); err != nil {
		t.Fatal(err)
	}
	return d
}

// A rule of ours that lets out to port 6969, and what we have noted of it.
var (
	ourWayOut  = fmt.Sprintf("allow tcp 6969 ALL any ALL out comment=%x", plan.Mark("home", hosttest.Seedbox))
	noteWayOut = "out tcp 6969 any " + plan.Mark("home", hosttest.Seedbox) + "\n"
)

// What goes out is dropped by ufw's policy, or by a rule against all of it; our
// own rules are no reason to think otherwise.
func TestUFWDropsOutbound(t *testing.T) {
	const everything = "deny any any ALL any ALL out"
	for name, test := range map[string]struct {
		conf, defaults string
		tuples         []string
		want           bool
	}{
		"as installed":          {"ENABLED=yes", `DEFAULT_OUTPUT_POLICY="ACCEPT"`, nil, false},
		"denied":                {"ENABLED=yes", `DEFAULT_OUTPUT_POLICY="DROP"`, nil, true},
		"rejected":              {"ENABLED=yes", `DEFAULT_OUTPUT_POLICY="REJECT"`, nil, true},
		"denied, not active":    {"ENABLED=no", `DEFAULT_OUTPUT_POLICY="DROP"`, nil, false},
		"only what comes in":    {"ENABLED=yes", `DEFAULT_INPUT_POLICY="DROP"`, []string{"deny any any ALL any ALL in"}, false},
		"our rules let out":     {"ENABLED=yes", `DEFAULT_OUTPUT_POLICY="DROP"`, []string{ourWayOut}, true},
		"a rule against all":    {"ENABLED=yes", "", []string{"allow tcp 443 ALL any ALL out", everything}, true},
		"and our rule":          {"ENABLED=yes", "", []string{ourWayOut, everything}, true},
		"a logged reject":       {"ENABLED=yes", "", []string{"reject_log any any ALL any ALL out"}, true},
		"one protocol":          {"ENABLED=yes", "", []string{"deny tcp any ALL any ALL out"}, false},
		"one host":              {"ENABLED=yes", "", []string{"deny any any 203.0.113.9 any ALL out"}, false},
		"one port of ours":      {"ENABLED=yes", "", []string{"deny any any ALL 25 ALL out"}, false},
		"one port":              {"ENABLED=yes", "", []string{"deny any 25 ALL any ALL out"}, false},
		"one interface":         {"ENABLED=yes", "", []string{"deny any any ALL any ALL out_eth0"}, false},
		"what passes through":   {"ENABLED=yes", "", []string{"route:deny any any ALL any ALL out"}, false},
		"everything is allowed": {"ENABLED=yes", "", []string{"allow any any ALL any ALL out"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			rules := "\n"
			for _, line := range test.tuples {
				rules += tupleHead + " " + strings.ReplaceAll(line, "ALL", "0.0.0.0/0") + "\n"
			}
			d := parsedUFW(t, "\x1eufw-conf\n"+test.conf+"\n\x1eufw-defaults\n"+test.defaults+"\n\x1eufw-rules\n"+rules+"\x1elogin\n")
			if got := d.ReadBack().DropsOutbound; got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

// What others let out to everyone is known, so that nothing is made beside it.
func TestUFWForeignOutbound(t *testing.T) {
	for name, test := range map[string]struct {
		tuples []string
		want   string
	}{
		"one port":                  {[]string{"allow tcp 443 ALL any ALL out"}, "tcp 443 outbound"},
		"several, logged":           {[]string{"allow_log udp 53,6969:6970 ALL any ALL out"}, "udp 53 outbound; udp 6969-6970 outbound"},
		"not too many at once":      {[]string{"limit tcp 443 ALL any ALL out"}, "tcp 443 outbound"},
		"an application's":          {[]string{"allow tcp 22 ALL any ALL OpenSSH - out"}, "tcp 22 outbound"},
		"everything":                {[]string{"allow any any ALL any ALL out"}, "tcp 1-65535 outbound; udp 1-65535 outbound"},
		"another project's":         {[]string{"allow tcp 6969 ALL any ALL out comment=" + fmt.Sprintf("%x", plan.Mark("cabin", hosttest.Seedbox))}, "tcp 6969 outbound of cabin"},
		"to some":                   {[]string{"allow tcp 443 203.0.113.0/24 any ALL out"}, ""},
		"from an address":           {[]string{"allow tcp 443 ALL any 192.0.2.11 out"}, ""},
		"from a port":               {[]string{"allow tcp 443 ALL 1024 ALL out"}, ""},
		"by one interface":          {[]string{"allow tcp 443 ALL any ALL out_eth0"}, ""},
		"what passes through":       {[]string{"route:allow tcp 443 ALL any ALL out"}, ""},
		"behind a deny":             {[]string{"deny tcp 400:500 ALL any ALL out", "allow tcp 443 ALL any ALL out"}, ""},
		"both protocols, half shut": {[]string{"reject udp 443 ALL any ALL out", "allow any 443 ALL any ALL out"}, ""},
		"behind a deny of others":   {[]string{"deny tcp 400:442 ALL any ALL out", "deny any 443 ALL any ALL in", "deny any 443 203.0.113.9 any ALL out", "allow tcp 443 ALL any ALL out"}, "tcp 443 outbound"},
		"before a deny":             {[]string{"allow tcp 443 ALL any ALL out", "deny tcp any ALL any ALL out"}, "tcp 443 outbound"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, l := range strictUFW(t, "", test.tuples...).Last.Rules {
				s := l.Rule.String()
				if l.Project != "" {
					s += " of " + l.Project
				}
				got = append(got, s)
			}
			slices.Sort(got)
			if s := strings.Join(got, "; "); s != test.want {
				t.Errorf("got %q, want %q", s, test.want)
			}
		})
	}
	half := homeUFW(t, true, "### tuple ### allow tcp 443 0.0.0.0/0 any 0.0.0.0/0 out\n", "", "")
	if len(half.Rules) > 0 {
		t.Errorf("what is let out over IPv4 alone is not let out: %s", hosttest.InWords(half))
	}
}

// A deny of what goes out is overridden and named, or a conflict, like one of
// what comes in; neither is about the other.
func TestUFWOutboundReview(t *testing.T) {
	for name, test := range map[string]struct{ tuple, want string }{
		"everything":           {"deny any any ALL any ALL out", `"deny out from any to any"`},
		"broader":              {"reject tcp 6000:7999 ALL any ALL out", `"reject out proto tcp from any to any port 6000:7999"`},
		"one host":             {"deny any any 203.0.113.9 any ALL out", `"deny out from any to 203.0.113.9"`},
		"one interface":        {"deny tcp 6969 ALL any ALL out_eth0", `"deny out on eth0 proto tcp from any to any port 6969"`},
		"the very port":        {"deny tcp 6969 ALL any ALL out", `refused: A rule shuts these ports: ufw has the rule "deny out proto tcp from any to any port 6969"`},
		"both protocols":       {"reject_log any 6969 ALL any ALL out", "refused: A rule shuts these ports"},
		"let out over IPv4":    {"allow tcp 6969 ALL any ALL out", "refused: A rule is in the way"},
		"another port":         {"deny tcp 6968 ALL any ALL out", ""},
		"another protocol":     {"deny udp 6969 ALL any ALL out", ""},
		"of what comes in":     {"deny tcp 6969 ALL any ALL in", ""},
		"of what passes":       {"route:deny tcp 6969 ALL any ALL out", ""},
		"in and out elsewhere": {"route:deny tcp 6969 ALL any ALL in_eth0!out_eth1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := strictUFW(t, "", test.tuple)
			if strings.HasSuffix(name, "IPv4") {
				u := d.Last.Filter.(*ufw)
				u.rules[1] = nil
			}
			r := hosttest.Out(t, plan.TCP, "6969")
			got := strings.Join(slices.Compact(d.Last.Overridden([]plan.Rule{r})), " ")
			if why := d.Refuse([]plan.Change{{Action: plan.Create, Owner: hosttest.Seedbox, After: &r}}); why != nil {
				got = "refused: " + why.Summary + ": " + why.Detail
			}
			if got != test.want && (!strings.HasPrefix(test.want, "refused") || !strings.HasPrefix(got, test.want)) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	in := hosttest.Allow(t, plan.TCP, "6969")
	d := strictUFW(t, "", "deny tcp 6969 ALL any ALL out")
	if why := d.Refuse([]plan.Change{{Action: plan.Create, After: &in}}); why != nil || len(d.Last.Overridden([]plan.Rule{in})) > 0 {
		t.Errorf("a deny of what goes out keeps nothing from coming in: %+v", why)
	}
}

// A rule that lets out to port 22 has nothing to do with how btplan comes in.
func TestGuardOutbound(t *testing.T) {
	ssh := hosttest.Out(t, plan.TCP, "22")
	d := strictUFW(t, "")
	if why := d.Refuse([]plan.Change{{Action: plan.Create, Owner: hosttest.Seedbox, After: &ssh}}); why != nil {
		t.Errorf("refused: %+v", why)
	}
	way := fmt.Sprintf("allow tcp 20:25 ALL any ALL in comment=%x", plan.Mark("home", hosttest.BT))
	d = strictUFW(t, "", way, "allow tcp 22 ALL any ALL out")
	in := hosttest.Allow(t, plan.TCP, "20-25")
	if why := d.Refuse([]plan.Change{{Action: plan.Delete, Owner: hosttest.BT, Before: &in}}); why == nil || why.Summary != "btplan would lock itself out" {
		t.Errorf("a way out is no way in: got %+v", why)
	}
}

// What someone did to a rule of ours that lets out is drift.
func TestUFWOutboundDrift(t *testing.T) {
	bare, _, _ := strings.Cut(ourWayOut, " comment=")
	for name, test := range map[string]struct {
		tuples []string
		want   string
	}{
		"as it should be":          {[]string{ourWayOut}, ""},
		"behind a deny coming in":  {[]string{"deny tcp 6969 ALL any ALL in", ourWayOut}, ""},
		"behind a deny of one":     {[]string{"deny tcp 6969 203.0.113.9 any ALL out", ourWayOut}, ""},
		"its mark is gone":         {[]string{bare}, "its mark was taken off"},
		"behind a deny going out":  {[]string{"deny any any ALL any ALL out", ourWayOut}, `the rule "deny out from any to any" stands before it`},
		"another port than we did": {[]string{strings.Replace(ourWayOut, "6969", "6970", 1)}, "changed on the machine"},
	} {
		t.Run(name, func(t *testing.T) {
			s := strictUFW(t, noteWayOut, test.tuples...).Last
			if len(s.Ours()[hosttest.Seedbox]) != 1 {
				t.Fatalf("got %s", hosttest.InWords(s))
			}
			got := hosttest.InWords(s)
			if _, drift, _ := strings.Cut(got, "drift: "); test.want == "" && drift != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	// What comes in over IPv6 has nothing to do with what goes out over IPv4.
	s := homeUFW(t, true, strings.ReplaceAll("### tuple ### "+ourWayOut, "ALL", "0.0.0.0/0")+"\n",
		fmt.Sprintf("### tuple ### allow tcp 6969 ::/0 any fd00::/8 in comment=%x\n", plan.Mark("home", hosttest.Seedbox)), "")
	if got := hosttest.InWords(s); !strings.Contains(got, "machine.seedbox: tcp 6969 outbound (in ufw's rules) drift: it is there for one IP version only") {
		t.Errorf("got %q", got)
	}
}

// What comes in and what goes out are rules of their own, on one port too.
func TestUFWOutboundCommands(t *testing.T) {
	want := host.Owned{
		hosttest.Seedbox: {hosttest.Out(t, plan.TCP, "80"), hosttest.Out(t, plan.TCP, "6969"), hosttest.Out(t, plan.UDP, "6969")},
		hosttest.BT:      {hosttest.Allow(t, plan.TCP, "6969")},
	}
	hosttest.Golden(t, "testdata/ufw-out-create.sh", strictUFW(t, "").Last.Change(want))
	d := strictUFW(t, noteWayOut, ourWayOut, "allow tcp 443 ALL any ALL out")
	hosttest.Golden(t, "testdata/ufw-out-destroy.sh", d.Last.Change(nil))
	hosttest.Golden(t, "testdata/ufw-out-undo.sh", d.Last.Undo(want))
	if got := d.Last.Change(d.Last.Ours()); strings.Contains(got, "ufw allow") || strings.Contains(got, "ufw prepend") || strings.Contains(got, "ufw delete") {
		t.Errorf("what stays as it is costs commands: %s", got)
	}
}

// command is all that commands of ufw's may be: whatever its files hold, no
// word of them is anything else to a shell.
var command = regexp.MustCompile(`^(prepend |delete )?allow (out )?proto (tcp|udp|any) from (any|[0-9a-f.:]+(/[0-9]+)?) to any port (any|[0-9:,]+)( comment '([^']|'\\'')*')?$`)

// FuzzUFWCommands puts anything into ufw's files, and looks at what is made of it
// for a shell.
func FuzzUFWCommands(f *testing.F) {
	mark := fmt.Sprintf(" comment=%x\n", plan.Mark("home", hosttest.BT))
	f.Add("### tuple ### allow tcp 6881:6889,7000 0.0.0.0/0 any 10.0.0.0/8 in"+mark, "### tuple ### allow udp 1 ::/0 any fd00::1 in"+mark, "tcp 6969 any "+plan.Mark("home", hosttest.BT)+"\n")
	f.Add("### tuple ### allow tcp 6969 0.0.0.0/0 any 0.0.0.0/0 out"+mark, "### tuple ### deny any any ::/0 any ::/0 out\n### tuple ### limit_log tcp 6969 ::/0 any ::/0 out\n", noteWayOut)
	f.Add("### tuple ### allow tcp 6969 0.0.0.0/0 any 0.0.0.0/0 out comment=24286964290a\n", "### tuple ### allow tcp 22 ::/0 any ::/0 OpenSSH - out"+mark, noteWayOut)
	f.Add("### tuple ### allow $(id) any 0.0.0.0/0 any 0.0.0.0/0 in"+mark, "### tuple ### allow any 6969 $(id) any ::/0 out"+mark, "")
	f.Fuzz(func(t *testing.T, rules, rules6, written string) {
		for _, s := range []*string{&rules, &rules6, &written} {
			*s = strings.ReplaceAll(*s, "\x1e", "")
		}
		s, err := hosttest.DeviceOf(Kind).Parse([]byte("\x1eufw-conf\nENABLED=yes\n\x1eufw-defaults\nIPV6=yes\nDEFAULT_OUTPUT_POLICY=DROP\n\x1eufw-rules\n" + rules +
			"\x1eufw-rules6\n" + rules6 + "\x1eufw-written\n" + written + "\x1elogin\n"))
		if err != nil {
			return
		}
		for _, l := range s.Rules {
			if err := l.Rule.Check(); err != nil {
				t.Errorf("it gives the rule %s: %v", l.Rule, err)
			}
		}
		u := s.Filter.(*ufw)
		for _, after := range []host.Owned{nil, s.Ours(), {hosttest.Other: {hosttest.Out(t, plan.TCP, "6969"), hosttest.Allow(t, plan.TCP, "6881", "10.0.0.0/8")}}} {
			list, _ := u.steps(after)
			for _, step := range list {
				if !command.MatchString(step.do) || step.undo != "" && !command.MatchString(step.undo) {
					t.Errorf("%q, taken back by %q", step.do, step.undo)
				}
			}
			_, _ = u.Overridden(after[hosttest.Other]), u.Refuse(after[hosttest.Other])
		}
	})
}
