package guarded

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A claim may be made again when nobody knows how far it got, but only by who
// made the last one; what was taken back can't be claimed.
func TestClaimScript(t *testing.T) {
	root := t.TempDir()
	claim := func(generation string) int {
		t.Helper()
		script := strings.ReplaceAll(claimScript("home", generation), "/run/", root+"/") + "exit 0\n"
		err := exec.Command("sh", "-c", script).Run()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return exit.ExitCode()
		}
		if err != nil {
			t.Fatal(err)
		}
		return 0
	}
	arm := func(generation string) {
		if err := os.MkdirAll(filepath.Join(root, "btplan", generation), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	arm("a1")
	for range 2 {
		if code := claim("a1"); code != 0 {
			t.Errorf("claiming a1: exit code %d", code)
		}
	}
	if code := claim("b2"); code != exitLate {
		t.Errorf("claiming what is not there: exit code %d", code)
	}
	arm("b2")
	if code := claim("b2"); code != 0 {
		t.Errorf("claiming b2: exit code %d", code)
	}
	if code := claim("a1"); code != exitLate {
		t.Errorf("claiming a1 after b2: exit code %d", code)
	}
	// Cut short between its first two steps.
	arm("c3")
	if err := os.Rename(filepath.Join(root, "btplan", "c3"), filepath.Join(root, "btplan", "c3.kept")); err != nil {
		t.Fatal(err)
	}
	if code := claim("c3"); code != 0 {
		t.Errorf("claiming c3 again: exit code %d", code)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
