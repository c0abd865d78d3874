//go:build unix

package boot

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Our line in rc.local is one that ends in our mark, as the grep and the sed of
// Save and Forget have it.
func TestRCLocal(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "rc.local")
	s := Script{Name: "home"}
	for content, want := range map[string]bool{
		"":         false,
		"exit 0\n": false,
		"#!/bin/sh\n\n-n a\\\nsh /etc/btplan/home.sh # btplan:home\nexit 0\n": true,
		"exit 0\n\tsh /etc/btplan/home.sh # btplan:home":                      true,
		"sh /etc/btplan/home.sh # btplan:home \nexit 0\n":                     false,
		"sh /etc/btplan/home.sh # btplan:home2\nexit 0\n":                     false,
	} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		script := "section() { :; }\n" + strings.ReplaceAll(s.Section(), "/etc/rc.local", file)
		for _, other := range []string{"/run/systemd/system", "/etc/local.d", s.path()} {
			script = strings.ReplaceAll(script, other, filepath.Join(dir, "none"))
		}
		out, err := exec.Command("sh", "-c", script).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := Parse(out); got != (State{rcLocal, want, "missing"}) {
			t.Errorf("%q: got %+v of %s", content, got, out)
		}
	}
}
