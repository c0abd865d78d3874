package lab

import (
	"os"
	"testing"
)

// Runner is a [testing.M], or what wraps one.
type Runner interface{ Run() int }

// ready is set by the package's TestMain.
var ready bool

// Main runs the tests of a package that uses the lab and ends the process:
// the whole of its TestMain.
func Main(m *testing.M) { os.Exit(Tests(m).Run()) }

// Tests is [Main] for a TestMain that has more to do: its Run runs the tests
// of m and gives the exit code. In a process that was started to hold a host's
// namespaces open it does that instead, so nothing may be printed before it.
func Tests(m Runner) Runner { return tests{m} }

type tests struct{ Runner }

func (m tests) Run() int {
	if hostname, ok := os.LookupEnv(holderEnv); ok {
		return hold(hostname)
	}
	ready = true
	defer removeBuilt()
	return m.Runner.Run()
}
