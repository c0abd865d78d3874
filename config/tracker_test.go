package config

import (
	"strings"
	"testing"

	"github.com/btplan/btplan/plan"
)

func TestParseTracker(t *testing.T) {
	for _, test := range []struct {
		text string
		want Tracker
	}{
		{"tracker.example", Tracker{"tracker.example", plan.TCP, 6969}},
		{"tracker.example:80", Tracker{"tracker.example", plan.TCP, 80}},
		{"192.0.2.1", Tracker{"192.0.2.1", plan.TCP, 6969}},
		{"192.0.2.1:2710", Tracker{"192.0.2.1", plan.TCP, 2710}},
		{"[2001:db8::1]", Tracker{"2001:db8::1", plan.TCP, 6969}},
		{"[2001:db8::1]:65535", Tracker{"2001:db8::1", plan.TCP, 65535}},
		{"http://tracker.example/announce", Tracker{"tracker.example", plan.TCP, 80}},
		{"HTTPS://tracker.example", Tracker{"tracker.example", plan.TCP, 443}},
		{"https://tracker.example:8443/5c1a/announce?x=http://a:1/", Tracker{"tracker.example", plan.TCP, 8443}},
		{"http://me:p@ss@tracker.example:6969/announce", Tracker{"tracker.example", plan.TCP, 6969}},
		{"http://[2001:db8::1]/announce", Tracker{"2001:db8::1", plan.TCP, 80}},
		{"udp://tracker.example:1337/announce", Tracker{"tracker.example", plan.UDP, 1337}},
		{"udp://[2001:db8::1]:1337", Tracker{"2001:db8::1", plan.UDP, 1337}},
	} {
		got, mistake := parseTracker(test.text)
		if got != test.want || mistake != "" {
			t.Errorf("parseTracker(%q) = %v, %q; want %v", test.text, got, mistake, test.want)
		}
	}
}

func TestParseTrackerRefuses(t *testing.T) {
	const secret = "5c1a9e"
	for _, test := range []struct{ text, want string }{
		{"", "is not a tracker"},
		{"tracker example", "is not a tracker"},
		{"300.1.1.1", "is not a tracker"},
		{"tracker.example:", `"" in "tracker.example:" is not a port`},
		{"tracker.example:0", "is not a port"},
		{"tracker.example:70000", "is not a port"},
		{"tracker.example:6969-6970", "is not a port"},
		{"tracker.example:80/" + secret, "Leave that out"},
		{"2001:db8::1", `Write "[2001:db8::1]"`},
		{"[192.0.2.1]:80", "is not an IPv6 address"},
		{"[fe80::1%eth0]:80", "is not an IPv6 address"},
		{"[2001:db8::1]80", "behind the bracket"},
		{"[2001:db8::1", "is not a tracker"},
		{"udp://tracker.example/announce/" + secret, `Write "udp://tracker.example:PORT"`},
		{"udb://tracker.example:1/" + secret, `Did you mean "udp"?`},
		{"wss://tracker.example/" + secret, "is not a way to ask a tracker"},
		{"://tracker.example", "is not a way to ask a tracker"},
		{"http:///announce/" + secret, "is not a tracker"},
		{"http://" + secret + "@tracker.example:x/", "is not a port"},
		{"http://tracker.example:x?" + secret, "is not a port"},
	} {
		got, mistake := parseTracker(test.text)
		if got != (Tracker{}) || !strings.Contains(mistake, test.want) {
			t.Errorf("parseTracker(%q) = %v, %q; want a mistake with %q", test.text, got, mistake, test.want)
		}
		if strings.Contains(mistake, secret) {
			t.Errorf("parseTracker(%q) gives a secret away: %s", test.text, mistake)
		}
	}
}

func FuzzParseTracker(f *testing.F) {
	for _, seed := range []string{"a", "a:1", "[::1]:1", "udp://a:1/b", "https://u@[::1]", "x://", "[]", "]:", "1.2.3.4:05"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tracker, mistake := parseTracker(s)
		if (mistake == "") != (tracker.Port != 0) {
			t.Fatalf("parseTracker(%q) = %v, %q", s, tracker, mistake)
		}
		if mistake != "" {
			return
		}
		if again, mistake := parseTracker(tracker.String()); again != tracker {
			t.Errorf("parseTracker(%q) = %v, which reads back as %v, %q", s, tracker, again, mistake)
		}
		m := Machine{Trackers: []Tracker{tracker, tracker}}
		if rules := m.outbound(); len(rules) != 1 || rules[0].Check() != nil {
			t.Errorf("parseTracker(%q) leads to the rules %v", s, rules)
		}
	})
}
