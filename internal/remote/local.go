package remote

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// runHere does a task on this computer.
func (r *Runner) runHere(ctx context.Context, t task, stdin []byte) ([]byte, error) {
	script := t.text
	r.mu.Lock()
	closed := r.closed
	r.mu.Unlock()
	if closed {
		return nil, r.unreachable(errClosed)
	}
	r.stage.set("the script on %s", r.target)
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	out := newOutput(stop)
	// #nosec G204 -- running what it is given is what this package is for.
	cmd := exec.CommandContext(runCtx, t.argv[0], t.argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out.stdout, &out.stderr
	if at := r.pool.here.login; at != "" {
		cmd.Env = append(os.Environ(), loginVar+"="+at)
	}
	// A child that outlives the script and holds its output must not hold us.
	cmd.WaitDelay = 2 * time.Second
	ownGroup(cmd)

	if err := cmd.Start(); err != nil {
		switch {
		case ctx.Err() != nil:
			err = ctx.Err()
		case r.target.Sudo && errors.Is(err, exec.ErrNotFound):
			err = &SudoError{User: r.target.User, Missing: true}
		case errors.Is(err, syscall.E2BIG):
			err = explain(err, "the script is too long (%d bytes): data belongs into its standard input", len(script))
		}
		return nil, r.unreachable(err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case out.stdout.left > 0:
		return nil, &InterruptedError{r.target, script, errFlood}
	case err == nil:
		return r.ended(script, out, 0, "")
	case ctx.Err() != nil:
		return nil, &InterruptedError{r.target, script, ctx.Err()}
	case errors.Is(err, exec.ErrWaitDelay):
		return r.ended(script, out, 0, "")
	case errors.As(err, &exit):
		code, signal := exitOf(exit.ProcessState)
		return r.ended(script, out, code, signal)
	}
	return nil, &InterruptedError{r.target, script, err}
}
