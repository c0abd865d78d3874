package remote

import (
	"context"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/btplan/btplan/internal/sshconfig"
)

// Pool opens Runners that share what they can: ssh_config, known hosts and
// keys, which are read once, and one connection to each jump host.
type Pool struct {
	here      surroundings
	config    *sshconfig.Config
	hostFiles cache[*hostFiles]
	keyFiles  cache[keyFile]
	// dial makes a TCP connection.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	// keepAlive is how often a connection is asked for a sign of life.
	keepAlive time.Duration

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	mu     sync.Mutex // guards what follows
	jumps  map[string]*jump
	closed bool
}

// NewPool gives a pool for the account that btplan runs in.
func NewPool() *Pool { return newPool(ourSurroundings()) }

func newPool(here surroundings) *Pool {
	p := &Pool{
		here:      here,
		config:    &sshconfig.Config{System: here.sshConfig, Home: here.home, LocalUser: here.user},
		dial:      (&net.Dialer{}).DialContext,
		keepAlive: 15 * time.Second, // so that a silent connection is given up within a minute
		jumps:     map[string]*jump{},
	}
	if here.home != "" {
		p.config.User = filepath.Join(here.home, ".ssh", "config")
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	return p
}

// Open gives the way to a target. No connection is made before the first Run,
// which also tells of what is wrong with ssh_config.
func (p *Pool) Open(t Target) *Runner {
	r := &Runner{target: t, pool: p, turn: make(chan struct{}, 1), making: make(chan struct{}, 1)}
	if t.Local {
		r.target.User = p.here.user
		return r
	}
	if r.route, r.routeErr = p.route(t); r.routeErr == nil {
		r.target = r.route.Target
	}
	return r
}

// Close ends the connections to jump hosts. It is called after the Runners'
// own Close.
func (p *Pool) Close() error {
	p.stop()
	p.mu.Lock()
	p.closed = true
	jumps := p.jumps
	p.jumps = nil
	p.mu.Unlock()
	for _, j := range jumps {
		<-j.ready
		if j.conn != nil {
			j.conn.close()
		}
	}
	return nil
}

// jump is a connection to a jump host, or one on its way.
type jump struct {
	stage stage
	ready chan struct{} // closed as soon as conn or err is there
	conn  *connection
	err   error
}

// over says that the connection is of no use any more.
func (j *jump) over() bool {
	select {
	case <-j.ready:
	default:
		return false
	}
	return j.err != nil || j.conn.over()
}

// jump gives the connection to a jump host, made now if there is none. Others
// may be waiting for it too, so the end of ctx doesn't end its making.
func (p *Pool) jump(ctx context.Context, rt *route, now *stage) (*connection, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, errClosed
	}
	key := rt.key()
	j := p.jumps[key]
	fresh := j == nil || j.over()
	if fresh {
		j = &jump{ready: make(chan struct{})}
		p.jumps[key] = j
	}
	p.mu.Unlock()
	now.follow(&j.stage)
	if fresh {
		go func() {
			defer close(j.ready)
			j.conn, j.err = p.connect(p.ctx, rt, &j.stage)
		}()
	}
	select {
	case <-j.ready:
		if j.err != nil && p.ctx.Err() != nil {
			return nil, errClosed
		}
		return j.conn, j.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
