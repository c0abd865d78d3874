//go:build unix

// Package hostfake plays, for tests, computers that can't run where tests do:
// the firewall of a Windows or a Mac, with the programs that change it, behind
// whatever SSH server the test starts. What they print and refuse is written
// from the vendors' documentation and from what people have published of real
// machines; it has never been compared with a machine of one's own.
//
// The programs are one program of its own, which tests compile: there are
// thousands of calls of it, and a test's own program takes long to start.
package hostfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What the environment of a program that plays a part has.
const (
	partEnv  = "BTPLAN_HOSTFAKE"       // which: "cmd", or the name of a program of macOS
	stateEnv = "BTPLAN_HOSTFAKE_STATE" // the file with the state of the machine
)

// part is a program: it gets its arguments and gives its exit code.
type part func(m *machine, args []string) (code int)

var parts = map[string]part{
	"cmd":            windowsShell,
	"pfctl":          pfctl,
	"socketfilterfw": socketfilterfw,
}

// Play plays the part that the environment says, and ends the process.
func Play() {
	name := os.Getenv(partEnv)
	play, known := parts[name]
	if !known {
		fail(fmt.Sprintf("there is no part %q", name))
	}
	os.Exit(play(&machine{path: os.Getenv(stateEnv)}, os.Args[1:]))
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "hostfake: "+why)
	os.Exit(2)
}

// machine is the state of a computer, which is in a file.
type machine struct {
	path string
	lock *os.File
}

// hold waits until nobody else works on the machine. The lock goes with the
// process.
func (m *machine) hold() {
	if m.lock != nil {
		return
	}
	var err error
	if m.lock, err = os.OpenFile(m.path+".lock", os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		err = syscall.Flock(int(m.lock.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		fail(err.Error())
	}
}

// load reads the state into what s points to.
func (m *machine) load(s any) {
	text, err := os.ReadFile(m.path)
	if err == nil {
		err = json.Unmarshal(text, s)
	}
	if err != nil {
		fail(err.Error())
	}
}

// store writes the state. A process that is killed leaves the old or the new.
func (m *machine) store(s any) {
	text, err := json.MarshalIndent(s, "", "  ")
	if err == nil {
		err = errors.Join(os.WriteFile(m.path+".new", text, 0o600), os.Rename(m.path+".new", m.path))
	}
	if err != nil {
		fail(err.Error())
	}
}

// dirFor makes a directory that all may enter, for programs that play parts.
func dirFor(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// player compiles the program that plays parts, into a directory of the test's.
func player(t testing.TB, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "part")
	cmd := exec.Command("go", "build", "-o", path, "github.com/btplan/btplan/internal/hostfake/part") // #nosec G204 -- the path is the test's own
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("hostfake: go build: %v\n%s", err, out)
	}
	return path
}

// program writes a program that plays a part on a machine.
func program(t testing.TB, path, player, part, state string) {
	t.Helper()
	if strings.Contains(player+state, "'") {
		t.Fatal("hostfake: a path has a quote in it")
	}
	script := fmt.Sprintf("#!/bin/sh\nexport %s='%s' %s='%s'\nexec '%s' \"$@\"\n", partEnv, part, stateEnv, state, player)
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil { // #nosec G306 -- a program is there to be run
		t.Fatal(err)
	}
}
