package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestHostsHaveFilesOfTheirOwn(t *testing.T) {
	l := New(t)
	hosts := l.Hosts("a", "b")
	a, b := hosts[0], hosts[1]
	for _, dir := range []string{"/etc", "/var/lib", "/run", "/root"} {
		path := fmt.Sprintf("%s/btplan-lab-%d/file", dir, os.Getpid())
		a.WriteFile(path, "of a", 0o644)
		a.AppendFile(path, ", more", 0o644)
		if got := a.ReadFile(path); got != "of a, more" {
			t.Errorf("a reads %q from %s", got, path)
		}
		if out, err := b.Try("cat", path); err == nil {
			t.Errorf("b reads a's %s: %q", path, out)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is outside the lab: %v", path, err)
		}
	}
	if out, err := a.Try("touch", "/usr/btplan-lab"); err == nil {
		t.Errorf("a host could write to this computer's /usr: %q", out)
	}
	if got := a.Run("getent", "passwd", "root"); !strings.HasPrefix(got, "root:") {
		t.Errorf("a's /etc has no root: %q", got)
	}
	if got := a.Run("hostname") + b.Run("cat", "/etc/hostname"); got != "a\nb\n" {
		t.Errorf("the hosts are called %q", got)
	}
	dir := t.TempDir()
	a.WriteFile(dir+"/shared", "for all", 0o644)
	if got := b.ReadFile(dir + "/shared"); got != "for all" {
		t.Errorf("the temporary directory isn't common: %q", got)
	}
}

func TestHostsHaveProcessesOfTheirOwn(t *testing.T) {
	h := New(t).Host("a")
	// A process whose parent is gone, as a daemon is.
	h.Sh("(sleep 600 >/dev/null 2>&1 & echo $! >/run/pid)")
	if got := h.Sh("cat /proc/$(cat /run/pid)/comm"); got != "sleep\n" {
		t.Errorf("the daemon is %q", got)
	}
	// tail waits for the end of the process's entry: a zombie's would stay.
	h.Sh("kill $(cat /run/pid); timeout 20 tail --pid=$(cat /run/pid) -s 0.1 -f /dev/null")
	if got := strings.Fields(h.Sh("cat /proc/[0-9]*/comm")); strings.Join(got, " ") != "exe sh" {
		t.Errorf("the host's processes are %q", got)
	}
}

func TestCommand(t *testing.T) {
	h := New(t).Host("a")
	t.Setenv("BTPLAN_VAR_secret", "of the test")
	out, err := h.Command(t.Context(), "sh", "-c", "hostname; pwd; echo ${BTPLAN_VAR_secret-none}; exit 3").CombinedOutput()
	if want := "a\n/root\nnone\n"; string(out) != want {
		t.Errorf("it printed %q, want %q", out, want)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("it ended with %v, want code 3", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cmd := h.Command(ctx, "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := cmd.Wait(); err == nil {
		t.Error("the command of a cancelled context went on")
	}
	if _, err := h.Try("sh", "-c", "echo one; echo two >&2; exit 4"); err == nil ||
		!strings.Contains(err.Error(), "one") || !strings.Contains(err.Error(), "two") || !strings.Contains(err.Error(), "exit status 4") {
		t.Errorf("the error doesn't tell it all: %v", err)
	}
}

func TestProcess(t *testing.T) {
	h := New(t).Host("a")
	p := h.Start("sh", "-c", "echo one; echo two >&2; exec sleep 600")
	p.Await("one", "two")
	p.Await("one") // again, though it was long ago
	p.Stop()
	if got := p.Output(); !strings.Contains(got, "one\n") || !strings.Contains(got, "two\n") {
		t.Errorf("Output = %q", got)
	}
	if got := h.Sh("cat /proc/[0-9]*/comm"); strings.Contains(got, "sleep") {
		t.Errorf("it runs on after Stop: %q", got)
	}
}

// The main thread of the process never ends: it mustn't be the one that enters.
func TestEnterSparesTheMainThread(t *testing.T) {
	h := New(t).Host("a")
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	// All inside at once, so that the idle main thread is called up too.
	var inside, done sync.WaitGroup
	inside.Add(100)
	for range 100 {
		done.Go(func() {
			var name string
			err := h.Enter(func() (err error) {
				inside.Done()
				inside.Wait()
				name, err = os.Hostname()
				return err
			})
			if err != nil || name != "a" {
				t.Errorf("Enter gave %v, on %s", err, name)
			}
		})
	}
	done.Wait()
	after, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if after != before {
		t.Errorf("the main thread is in %s, and was in %s", after, before)
	}
}

func TestEnterOfAFunctionThatEndsItsGoroutine(t *testing.T) {
	h := New(t).Host("a")
	if err := h.Enter(func() error { runtime.Goexit(); return nil }); err == nil {
		t.Error("Enter gave no error")
	}
}

// verdict is a test that notes how Need ends it.
type verdict struct {
	testing.TB
	failed, skipped string
}

func (v *verdict) Helper()                           {}
func (v *verdict) Fatalf(format string, args ...any) { v.failed = fmt.Sprintf(format, args...) }
func (v *verdict) Skipf(format string, args ...any)  { v.skipped = fmt.Sprintf(format, args...) }

func TestNeed(t *testing.T) {
	Need(t, "ip")
	t.Setenv("BTPLAN_LAB", "")
	v := &verdict{}
	if Need(v, "ip", "no-such-program"); v.failed != "" || !strings.Contains(v.skipped, "not installed: no-such-program") {
		t.Errorf("failed %q, skipped %q", v.failed, v.skipped)
	}
	t.Setenv("BTPLAN_LAB", "required")
	v = &verdict{}
	if Need(v, "no-such-program"); v.skipped != "" || !strings.Contains(v.failed, "not installed: no-such-program") {
		t.Errorf("failed %q, skipped %q", v.failed, v.skipped)
	}
}

func TestBuild(t *testing.T) {
	h := New(t).Host("a")
	path := Build(t)
	if got := h.Run(path, "version"); !strings.HasPrefix(got, "btplan ") {
		t.Errorf("btplan version prints %q", got)
	}
	if again := Build(t); again != path {
		t.Errorf("Build gave %s, then %s", path, again)
	}
}
