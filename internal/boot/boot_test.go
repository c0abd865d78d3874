package boot

import (
	"strings"
	"testing"
)

// The names of the files that sha256sum prints may be as long as its sums.
func TestSums(t *testing.T) {
	text, unit := checksum("script"), checksum("unit")
	path := Script{Name: strings.Repeat("x", 64-len(Script{}.path()))}.path()
	if len(path) != len(text) {
		t.Fatalf("%s is %d bytes long", path, len(path))
	}
	for section, want := range map[string]State{
		"systemd\nenabled\n" + text + "  " + path + "\n" + unit + "  /etc/unit\n": {systemd, true, text + unit},
		"openrc\n" + text + "  " + path + "\n":                                    {openRC, false, text},
		"rc.local\nenabled\nmissing\n":                                            {rcLocal, true, "missing"},
		"none\n":                                                                  {noInit, false, ""},
	} {
		if got := Parse([]byte(section)); got != want {
			t.Errorf("%q: got %+v, want %+v", section, got, want)
		}
	}
}

// That nothing runs a script at boot is told, and only to who has rules to lose.
func TestProblems(t *testing.T) {
	got := Parse([]byte("none\n")).Problems("gateway")
	if len(got) != 1 || !got[0].OfRules || !strings.Contains(got[0].Detail, "The gateway has none") {
		t.Errorf("got %+v", got)
	}
	if got := Parse([]byte("systemd\n")).Problems("gateway"); got != nil {
		t.Errorf("with systemd: got %+v", got)
	}
}
