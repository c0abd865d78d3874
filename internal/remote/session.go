package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// runThere does a task over SSH.
func (r *Runner) runThere(ctx context.Context, t task, stdin []byte) ([]byte, error) {
	script, command := t.text, t.line
	if len(command) > t.longest {
		return nil, r.unreachable(fmt.Errorf("the script is too long (%d bytes quoted, %d are possible): data belongs into its standard input", len(command), t.longest))
	}
	conn, session, err := r.session(ctx)
	if err != nil {
		return nil, r.unreachable(err)
	}
	r.stage.set("the script on %s", r.target)
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	out := newOutput(stop)
	session.Stdin, session.Stdout, session.Stderr = bytes.NewReader(stdin), &out.stdout, &out.stderr
	// Where the script has ended, so has the session: closing it is an error then.
	defer func() { _ = session.Close() }()
	spare := context.AfterFunc(runCtx, func() { conn.kill(session) })
	err = conn.execute(session, command)
	if !spare() {
		r.drop(conn)
	}

	var exit *ssh.ExitError
	switch {
	case out.stdout.left > 0:
		err = errFlood
	case err == nil:
		return r.ended(script, out, 0, "")
	case errors.As(err, &exit):
		return r.ended(script, out, exit.ExitStatus(), exit.Signal())
	case ctx.Err() != nil:
		err = ctx.Err()
	case refused(err):
		return nil, r.unreachable(explain(err, "the server refused to run a command (%d bytes). It may allow only some commands, or only shorter ones: Dropbear takes 9,000 bytes", len(command)))
	case conn.whyLost() != nil:
		err = conn.whyLost()
	default:
		err = explain(fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err), "the connection ended before all of the script's output came")
	}
	r.drop(conn)
	return nil, &InterruptedError{r.target, script, err}
}

// session opens a session, over the connection that is there. If that has
// ended since the last script, perhaps while a person read a plan, over a new
// one: nothing has been run yet.
func (r *Runner) session(ctx context.Context) (*connection, *ssh.Session, error) {
	for again := false; ; again = true {
		conn, err := r.connection(ctx, &r.stage)
		if err != nil {
			return nil, nil, err
		}
		session, err := conn.newSession(ctx)
		if err == nil {
			return conn, session, nil
		}
		r.drop(conn)
		if again || ctx.Err() != nil {
			return nil, nil, err
		}
	}
}

// execute runs a command and waits for its end. It gives nil only if the
// command has ended with code 0 and all of its output has come.
func (c *connection) execute(session *ssh.Session, command string) error {
	if err := session.Start(command); err != nil {
		return err
	}
	err := session.Wait()
	// io.EOF is what becomes of input that the script hasn't read.
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	// sshd may send the exit code before the last of the output: that all of it
	// has come is sure only if the connection is good still.
	return c.check()
}

// newSession opens a session. Nothing has been run when it fails.
func (c *connection) newSession(ctx context.Context) (*ssh.Session, error) {
	stop := context.AfterFunc(ctx, c.close)
	session, err := c.client.NewSession()
	if !stop() {
		return nil, ctx.Err()
	}
	if err != nil && c.whyLost() != nil {
		return nil, c.whyLost()
	}
	if err != nil {
		return nil, explain(err, "the server takes connections, but runs nothing over them (%s)", printable(err.Error()))
	}
	return session, nil
}

// kill ends a script that nobody waits for any longer. To kill it over there is
// worth a try: sshd would let it run on. The connection goes with it, for one
// that is stuck never says that its session has ended.
func (c *connection) kill(session *ssh.Session) {
	// A connection that is stuck must not hold the signal, and us, either.
	enough := time.AfterFunc(time.Second, c.close)
	_ = session.Signal(ssh.SIGKILL)
	enough.Stop()
	c.close()
}

// refused says whether err is a server's answer that it won't run a command,
// which x/crypto/ssh gives no type of its own. Any other error of Start leaves
// it open whether the command was run.
func refused(err error) bool {
	return err != nil && errors.Unwrap(err) == nil && strings.HasPrefix(err.Error(), "ssh: command ")
}
