package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program is what [Build] builds.
const program = "github.com/btplan/btplan/cmd/btplan"

// Build compiles btplan, once for all tests of the package, and gives the path
// of the program, which is the same in all hosts.
func Build(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("lab: %v", err)
	}
	return path
}

// built is the directory with what [Build] built; "": nothing.
var built string

var build = sync.OnceValues(func() (string, error) {
	if !ready {
		return "", errors.New("the package's TestMain must call lab.Main or run lab.Tests")
	}
	var err error
	if built, err = os.MkdirTemp("", "btplan-lab-"); err != nil {
		return "", err
	}
	path := filepath.Join(built, filepath.Base(program))
	cmd := exec.Command("go", "build", "-o", path, program) // #nosec G204 -- the path is our own
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", program, err, out)
	}
	return path, nil
})

// removeBuilt removes what Build built.
func removeBuilt() {
	if built == "" {
		return
	}
	if err := os.RemoveAll(built); err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
	}
}
