//go:build unix

package remote

import (
	"errors"
	"strings"
	"testing"
)

func TestWindowsLine(t *testing.T) {
	for _, test := range []struct {
		argv []string
		want string // "": it can't be spelled
	}{
		{[]string{"netsh", "firewall", "port=6881", "name=btplan:home:bt"}, "netsh firewall port=6881 name=btplan:home:bt"},
		{[]string{"netsh", `program=C:\Program Files\x.exe`}, `netsh "program=C:\Program Files\x.exe"`},
		{[]string{"a", "1,2", "[x]", "a&b", ""}, `a "1,2" "[x]" "a&b" ""`},
		{[]string{"a", `"`}, ""},
		{[]string{"a", "x\u201c; calc"}, ""},
		{[]string{"a", "x\u201d; calc"}, ""},
		{[]string{"a", "x\u201e; calc"}, ""},
		{[]string{"a", "%PATH%"}, ""},
		{[]string{"a", "$x"}, ""},
		{[]string{"a", "`x"}, ""},
		{[]string{"a", "x^y"}, ""},
		{[]string{"a", "x!y"}, ""},
		{[]string{"a", "x\ny"}, ""},
		{[]string{"a", `x\`}, ""},
		{[]string{"a", `\\host\x`}, ""},
	} {
		got, err := windowsLine(test.argv)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q: got %q, %v, want %q", test.argv, got, err, test.want)
		}
	}
}

// The words come out as they went in, over SSH and here; and so do input, output
// and exit code.
func TestCommand(t *testing.T) {
	s := newServer(t).start()
	for _, r := range []*Runner{s.runner(), local("")} {
		out, err := r.Command(t.Context(), []string{"printf", "%s|", `a b`, `C:\x y`, "1,2"}, nil)
		if err == nil || len(out) > 0 {
			t.Errorf("a %% is passed on: %q", out)
		}
		out, err = r.Command(t.Context(), []string{"sh", "-c", "cat; exit 0"}, []byte("data\x00"))
		if err != nil || string(out) != "data\x00" {
			t.Errorf("got %q, %v", out, err)
		}
		out, err = r.Command(t.Context(), []string{"echo", `C:\x y`, "1,2", "&"}, nil)
		if err != nil || string(out) != "C:\\x y 1,2 &\n" {
			t.Errorf("got %q, %v", out, err)
		}
		var exit *ExitError
		if _, err := r.Command(t.Context(), []string{"sh", "-c", "echo said; exit 3"}, nil); !errors.As(err, &exit) || exit.Code != 3 || exit.Stdout != "said\n" {
			t.Errorf("got %v", err)
		}
	}
	_, err := s.runner().Command(t.Context(), []string{"echo", strings.Repeat("x", maxWindowsCommand)}, nil)
	wantUnreachable[error](t, err)
	says(t, err, "too long")
	_, err = s.runner(func(t *Target) { t.Sudo = true }).Command(t.Context(), []string{"echo"}, nil)
	wantUnreachable[error](t, err)
	says(t, err, "no sudo on Windows")
}
