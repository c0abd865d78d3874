//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// searchPath is where programs are looked for, here and in a host: what an
// administrator's login gives.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Need skips the test, with the reason, where a lab with these programs can't
// be. If the environment says BTPLAN_LAB=required, as it does where all tests
// must run, the test fails instead.
func Need(t testing.TB, tools ...string) {
	t.Helper()
	reason := lacking(tools)
	switch {
	case reason == "":
	case os.Getenv("BTPLAN_LAB") == "required":
		t.Fatalf("lab: %s, and BTPLAN_LAB=required", reason)
	default:
		t.Skipf("lab: %s", reason)
	}
}

// lacking says what keeps a lab from being built; "": nothing.
func lacking(tools []string) string {
	if os.Geteuid() != 0 {
		return "needs root"
	}
	if err := namespaces(); err != nil {
		return fmt.Sprintf("this system makes no namespaces: %v", err)
	}
	var missing []string
	for _, tool := range tools {
		if !filepath.IsAbs(find(tool)) {
			missing = append(missing, tool)
		}
	}
	if len(missing) > 0 {
		return "not installed: " + strings.Join(missing, ", ")
	}
	return ""
}

// namespaces says why namespaces can't be made; nil: they can.
var namespaces = sync.OnceValue(func() error {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: everything}
	return cmd.Run()
})

// find gives the absolute path of a program, or its bare name if there is none
// of that name.
func find(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, dir := range filepath.SplitList(searchPath) {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return name
}
