// Package remote runs scripts on a machine: here, or over SSH.
//
// A script is POSIX sh and short; what it works on is its standard input. Over
// SSH all scripts of one [Runner] share one connection, and all Runners of one
// [Pool] their connections to jump hosts. Logging in is by keys only: nothing
// here ever asks a person for anything. What a [Target] leaves open is as
// ssh_config(5) says, or has a default.
//
// Run's errors tell three things apart. An [*UnreachableError]: the script was
// not run. An [*ExitError]: it was run, and failed. An [*InterruptedError]: it
// may have been run, or a part of it.
package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How much of a script's output is kept. A device's output is not to be
// trusted: one that never ends must not fill the memory.
const (
	maxStdout = 64 << 20 // bytes; more is an error
	maxStderr = 64 << 10 // bytes; what comes after them is left out
)

// Target says where commands run, and as whom. Fields that are zero leave it
// to ssh_config(5), where Host may be an alias, and then to a default.
type Target struct {
	Local bool // on this computer; the fields about SSH are then unused

	Host           string        // a name or an IP literal
	Port           int           // by default 22
	User           string        // by default the name of the user who runs btplan
	IdentityFile   string        // by default the agent's keys, then the usual files
	KnownHostsFile string        // by default ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts
	HostKeyAlias   string        // the name that known_hosts has for it, by default Host
	Timeout        time.Duration // for the dial with its handshakes, to each host on the way; by default 10 s

	// Jump is the host that the way goes by; its own Jump is the one before.
	Jump *Target
	// Direct: the way goes by no other host, whatever ssh_config says.
	Direct bool

	Sudo bool // run as root by way of sudo -n
}

// String names the target in messages: "root@192.168.1.1:22", "this computer".
func (t Target) String() string {
	if t.Local {
		return "this computer"
	}
	if t.User == "" {
		return t.address()
	}
	return t.User + "@" + t.address()
}

// address is the host and port to dial.
func (t Target) address() string {
	return net.JoinHostPort(t.Host, strconv.Itoa(cmp.Or(t.Port, 22)))
}

// knownAs is the address under which known_hosts has the host.
func (t Target) knownAs() string {
	if t.HostKeyAlias != "" {
		return net.JoinHostPort(t.HostKeyAlias, "22")
	}
	return t.address()
}

// surroundings are what a Runner takes from the account that it runs in.
type surroundings struct {
	user        string // the name of its user
	home        string // its home directory; "": not known
	agentSocket string // where its SSH agent listens; "": it has none
	knownHosts  string // the computer's own known_hosts file
	sshConfig   string // the computer's own ssh_config
	sudo        string // the program sudo
	login       string // see ownLogin
}

func ourSurroundings() surroundings {
	s := surroundings{
		agentSocket: os.Getenv("SSH_AUTH_SOCK"),
		knownHosts:  "/etc/ssh/ssh_known_hosts",
		sshConfig:   "/etc/ssh/ssh_config",
		sudo:        "sudo",
		login:       ownLogin(),
	}
	if u, err := user.Current(); err == nil {
		// Windows has the domain in front.
		s.user = u.Username[strings.LastIndexByte(u.Username, '\\')+1:]
		s.home = u.HomeDir
	}
	if home, err := os.UserHomeDir(); err == nil {
		s.home = home
	}
	return s
}

// expand replaces a leading ~ in the name of a file by the home directory.
func (s surroundings) expand(file string) string {
	if rest, found := strings.CutPrefix(file, "~"); found && (rest == "" || rest[0] == '/') {
		return filepath.Join(s.home, rest)
	}
	return file
}

// Runner runs scripts on one target, and makes TCP connections from there, over
// one connection. It may be used from several goroutines: their scripts run one
// after the other.
type Runner struct {
	target   Target // with what ssh_config says of it
	pool     *Pool
	ownPool  bool
	route    *route // nil: the target is local, or routeErr says why there is none
	routeErr error
	turn     chan struct{} // holds something while a script runs
	making   chan struct{} // holds something while the connection is made
	stage    stage         // what a Run is waiting for
	dialing  stage         // what a DialContext is waiting for

	mu     sync.Mutex // guards what follows
	conn   *connection
	closed bool
}

// Open gives the way to a target. No connection is made before the first Run.
func Open(t Target) *Runner { return open(t, ourSurroundings()) }

func open(t Target, here surroundings) *Runner {
	r := newPool(here).Open(t)
	r.ownPool = true
	return r
}

// Waiting says what a Run, or else a DialContext, is waiting for at this moment,
// such as "the SSH handshake with root@192.168.1.1:22"; "" if none is under way.
func (r *Runner) Waiting() string { return cmp.Or(r.stage.String(), r.dialing.String()) }

// Run runs a POSIX sh script with stdin as its standard input and gives what
// it printed. A script that ends with a code other than 0 gives an
// *ExitError, a target that can't be reached an *UnreachableError, and one
// that was cut short an *InterruptedError: by the end of ctx, by a connection
// that broke, or because it printed more than 64 MiB. A script that leaves a
// process behind has to detach it from its standard input, output and error:
// Run waits until these are closed.
//
// The script travels in a command line, so it can't be longer than 128 KiB
// (Dropbear takes 9,000 bytes), quoted; data belongs into stdin. After
// an *InterruptedError the next Run makes a new connection.
func (r *Runner) Run(ctx context.Context, script string, stdin []byte) ([]byte, error) {
	t, err := r.scriptTask(script)
	if err != nil {
		return nil, r.unreachable(err)
	}
	return r.run(ctx, t, stdin)
}

// run does one task when it is its turn.
func (r *Runner) run(ctx context.Context, t task, stdin []byte) ([]byte, error) {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, r.unreachable(ctx.Err())
	}
	defer r.stage.clear()
	if r.target.Local {
		return r.runHere(ctx, t, stdin)
	}
	return r.runThere(ctx, t, stdin)
}

// Close ends the connection, and with it what runs over it. A Run
// after it gives an error. Closing twice does nothing.
func (r *Runner) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.Hangup()
	if r.ownPool {
		return r.pool.Close()
	}
	return nil
}

// Place is where scripts run, whoever runs them: two runners with the same
// place are on the same machine. The same address behind another jump host is
// another place.
func (r *Runner) Place() string {
	if r.target.Local {
		return r.target.String()
	}
	place := r.target.address()
	for hop := r.target.Jump; hop != nil; hop = hop.Jump {
		place += " by way of " + hop.address()
	}
	return place
}

// Hangup ends the connection, but not those to jump hosts. The next Run makes
// a new one, which shows that the target can still be reached.
func (r *Runner) Hangup() {
	r.mu.Lock()
	conn := r.conn
	r.mu.Unlock()
	if conn != nil {
		r.drop(conn)
	}
}

// errClosed is the error of a Run after Close.
var errClosed = errors.New("the connection was closed by btplan itself")

// errFlood is the fate of a script whose output has no end.
var errFlood = fmt.Errorf("it printed more than %d MiB", maxStdout>>20)

// output collects what a script prints.
type output struct {
	stdout, stderr bounded
}

// newOutput gives buffers for a script. flooded is called when the standard
// output has grown past its limit.
func newOutput(flooded func()) *output {
	return &output{
		stdout: bounded{limit: maxStdout, flooded: flooded},
		stderr: bounded{limit: maxStderr},
	}
}

// bounded is a buffer that keeps the first limit bytes and counts the others.
// It never refuses a write: a writer that waits for its reader would hang.
type bounded struct {
	limit   int
	flooded func() // called at the first byte that is too many; may be nil
	kept    []byte
	left    int // bytes not kept
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.limit-len(b.kept))
	b.kept = append(b.kept, p[:n]...)
	if b.left == 0 && n < len(p) && b.flooded != nil {
		b.flooded()
	}
	b.left += len(p) - n
	return len(p), nil
}

// ReadFrom writes what r gives, by way of a small buffer: the one that io.Copy
// would make, for a script's output and again for its errors, has 32 KiB.
func (b *bounded) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{b}, r, make([]byte, 4<<10))
}

// String is what was kept, and a line about what was not.
func (b *bounded) String() string {
	if b.left == 0 {
		return string(b.kept)
	}
	return fmt.Sprintf("%s\n[%d more bytes left out]\n", b.kept, b.left)
}
