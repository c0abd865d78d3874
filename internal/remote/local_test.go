//go:build unix

package remote

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// local gives a Runner on this computer; sudo is its sudo, if any.
func local(sudo string) *Runner {
	return open(Target{Local: true, Sudo: sudo != ""}, surroundings{user: "tester", sudo: sudo, login: "192.0.2.2 50000 192.0.2.11 22"})
}

func TestRunHere(t *testing.T) {
	r := local("")
	out, err := r.Run(t.Context(), "echo \"it's\" $# $SSH_CONNECTION; cat", []byte("data\x00"))
	check(t, err)
	if string(out) != "it's 0 192.0.2.2 50000 192.0.2.11 22\ndata\x00" {
		t.Errorf("got %q", out)
	}
	if _, err := r.Run(t.Context(), ":", []byte(strings.Repeat("x", 10<<20))); err != nil {
		t.Errorf("a script that does not read its input: %v", err)
	}

	var exit *ExitError
	_, err = r.Run(t.Context(), "echo no >&2; exit 3", nil)
	if !errors.As(err, &exit) || exit.Code != 3 || exit.Stderr != "no\n" {
		t.Errorf("got %#v", err)
	}
	says(t, err, "the script on this computer ended with code 3: no")
	_, err = r.Run(t.Context(), "kill -TERM $$", nil)
	if !errors.As(err, &exit) || exit.Code != 143 || exit.Signal != "TERM" {
		t.Errorf("got %#v", err)
	}

	_, err = r.Run(t.Context(), "echo \x00", nil)
	wantUnreachable[error](t, err)
	_, err = r.Run(t.Context(), strings.Repeat("#", 200<<10), nil)
	wantUnreachable[error](t, err)
	says(t, err, "the script is too long")

	check(t, r.Close())
	if _, err := r.Run(t.Context(), ":", nil); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}

func TestFloodHere(t *testing.T) {
	_, err := local("").Run(t.Context(), "cat /dev/zero", nil)
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || !errors.Is(err, errFlood) {
		t.Errorf("got %v", err)
	}
}

// The end of the context ends the script and what it has started.
func TestCancelHere(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	fifo := filepath.Join(t.TempDir(), "fifo")
	check(t, syscall.Mkfifo(fifo, 0o600))
	child := make(chan *os.File, 1)
	go func() {
		// Opening a FIFO waits for the other side: the child is at work then.
		f, err := os.Open(fifo)
		if err != nil {
			t.Error(err)
		}
		cancel()
		child <- f
	}()
	_, err := local("").Run(ctx, "(exec 3>"+Quote(fifo)+"; sleep 60) & sleep 60", nil)
	var interrupted *InterruptedError
	if !errors.As(err, &interrupted) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	f := <-child
	check(t, f.SetReadDeadline(time.Now().Add(10*time.Second)))
	if _, err := io.ReadAll(f); err != nil {
		t.Errorf("the child lives: %v", err)
	}
	check(t, f.Close())

	_, err = local("").Run(ctx, ":", nil)
	wantUnreachable[error](t, err)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestSudoHere(t *testing.T) {
	sudo := func(script string) *Runner {
		dir, _, _ := strings.Cut(fakeSudo(t, script), ":")
		return local(filepath.Join(dir, "sudo"))
	}
	out, err := sudo(`test "$1" = -n && shift && exec env -i "$@"`).Run(t.Context(), "cat; echo \"it's $# $SSH_CONNECTION\"", []byte("data\n"))
	check(t, err)
	if string(out) != "data\nit's 0 192.0.2.2 50000 192.0.2.11 22\n" {
		t.Errorf("got %q", out)
	}
	_, err = sudo(`shift; exec "$@"`).Run(t.Context(), "exit 1", nil)
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Stderr != "" {
		t.Errorf("got %v", err)
	}

	_, err = sudo(`echo "sudo: a password is required" >&2; exit 1`).Run(t.Context(), ":", nil)
	if e := unreachable[*SudoError](t, err); e.Missing {
		t.Error("it is not missing")
	}
	says(t, err, "can't run commands on this computer", "a password is required", "visudo", "tester ALL=(root)")

	_, err = local("btplan-test-no-such-sudo").Run(t.Context(), ":", nil)
	if e := unreachable[*SudoError](t, err); !e.Missing {
		t.Error("it is missing")
	}
	says(t, err, "there is no sudo", "install it")
}
