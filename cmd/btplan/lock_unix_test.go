//go:build unix

package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// somebodyElse is in the middle of a change of the gateway of a directory, until
// done is called.
func somebodyElse(t *testing.T, dir string) (done func()) {
	t.Helper()
	l := flock.New(filepath.Join(dir, "home.simulated.json.lock"))
	if held, err := l.TryLock(); err != nil || !held {
		t.Fatal(held, err)
	}
	done = func() { _ = l.Close() } // also when it has been closed
	t.Cleanup(done)
	return done
}

// atCreating runs btplan, calls act when it says that it is creating, and gives
// the exit code and all that it printed.
func atCreating(t *testing.T, cmd *exec.Cmd, act func()) (code int, printed string) {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var all, stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	buffer := make([]byte, 4096)
	for acted := false; ; {
		n, err := stdout.Read(buffer)
		all.Write(buffer[:n])
		if !acted && strings.Contains(all.String(), "Creating...") {
			acted = true
			act()
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // the exit code tells
	return cmd.ProcessState.ExitCode(), all.String() + stderr.String()
}

// With -lock-timeout=0s a device that somebody else is changing is an error at
// once, which says what to do; and nothing is changed.
func TestLockTimeoutNone(t *testing.T) {
	cmd, dir := command(t, "apply", "-auto-approve", "-no-color", "-lock-timeout=0s")
	done := somebodyElse(t, dir)
	code, printed := atCreating(t, cmd, func() {})
	words := strings.Join(strings.Fields(printed), " ")
	for _, want := range []string{
		"Error: gateway.home could not be changed",
		"in the middle of a change of home.simulated.json, and btplan was not to wait for that to end, so nothing was done.",
		"-lock-timeout=2m.",
		"Apply incomplete: 0 done, 1 failed",
	} {
		if !strings.Contains(words, want) {
			t.Errorf("no word of %q", want)
		}
	}
	if code != 1 || t.Failed() {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
	done()
	again := exec.CommandContext(t.Context(), "btplan", "apply", "-auto-approve", "-lock-timeout=0s")
	again.Dir = dir
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("when they are done: %v\n%s", err, out)
	}
}

// A wait that is long enough ends with the change, as soon as it can be made.
func TestLockTimeoutLongEnough(t *testing.T) {
	cmd, dir := command(t, "apply", "-auto-approve", "-lock-timeout=10m")
	done := somebodyElse(t, dir)
	if code, printed := atCreating(t, cmd, done); code != 0 || !strings.Contains(printed, "Apply complete! Resources: 1 added") {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
}

// To ask once for an end, as by Ctrl-C, ends the wait: nothing was begun that had to be finished.
func TestLockTimeoutInterrupted(t *testing.T) {
	cmd, dir := command(t, "apply", "-auto-approve", "-lock-timeout=10m")
	somebodyElse(t, dir)
	code, printed := atCreating(t, cmd, func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
	})
	if words := strings.Join(strings.Fields(printed), " "); code != 1 || !strings.Contains(words, "btplan was interrupted while it waited for that to end, so nothing was done.") {
		t.Errorf("exit code %d:\n%s", code, printed)
	}
}
