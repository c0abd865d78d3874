package remote

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"
)

// What a Run is waiting for can be asked at any time.
func TestWaiting(t *testing.T) {
	var mu sync.Mutex
	var got []string
	var asked *Runner
	note := func() {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, asked.Waiting())
	}
	all := startNetwork(t, 2, func(servers []*server) {
		for _, s := range servers {
			allowed := s.config.PublicKeyCallback
			s.config.PublicKeyCallback = func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
				note()
				return allowed(c, key)
			}
			s.config.BannerCallback = func(ssh.ConnMetadata) string { note(); return "" }
		}
		servers[1].exec = func(s *session) { note(); servers[1].run(s) }
	})
	jump, gateway := all[0], all[1]
	p := newTestPool(t, jump.here)
	dial := p.dial
	p.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		note()
		return dial(ctx, network, address)
	}
	r := p.Open(through(jump, gateway))
	defer func() { check(t, r.Close()) }()
	mu.Lock()
	asked = r
	mu.Unlock()
	note()
	_, err := r.Run(t.Context(), ":", nil)
	check(t, err)
	note()

	j, g := fmt.Sprintf("127.0.0.1:%d", jump.port), fmt.Sprintf("127.0.0.1:%d", gateway.port)
	want := []string{
		"",
		"a connection to " + j,
		"the SSH handshake with tester@" + j,
		j + " to let tester log in",
		"the SSH handshake with tester@" + g,
		g + " to let tester log in",
		"the script on tester@" + g,
		"",
	}
	mu.Lock()
	defer mu.Unlock()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A refusal is asked about once more: a server that restarts listens to nobody
// for a moment.
func TestRefusedDialIsRetried(t *testing.T) {
	refusal := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, test := range []struct {
		refusals int
		err      error
		dials    int
		says     string
	}{
		{1, refusal, 2, ""},
		{2, refusal, 2, "refused the connection"},
		{1, os.ErrDeadlineExceeded, 1, "no answer from"},
	} {
		s := newServer(t).start()
		p := newTestPool(t, s.here)
		dials, dial := 0, p.dial
		p.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials++; dials <= test.refusals {
				return nil, test.err
			}
			return dial(ctx, network, address)
		}
		r := p.Open(s.target())
		_, err := r.Run(t.Context(), ":", nil)
		if test.says == "" {
			check(t, err)
		} else {
			says(t, err, test.says)
		}
		if dials != test.dials {
			t.Errorf("%v: %d dials, want %d", test.err, dials, test.dials)
		}
		check(t, r.Close())
	}
}
