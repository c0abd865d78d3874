package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// publicKey is the name of the one way of logging in that is used (RFC 4252).
const publicKey = "publickey"

// login offers keys to a server, one at a time. A file is read and the agent
// asked only when it is their turn.
type login struct {
	ctx     context.Context // that of the handshake
	pool    *Pool
	route   *route
	stage   *stage
	begun   bool
	sources []func() ([]offer, error) // where to look when offers is empty
	offers  []offer
	asked   bool     // the agent was asked for its keys
	agent   net.Conn // nil: not asked, or it does not answer
	loaded  []offer  // what the agent holds

	seen    map[string]bool // fingerprints of what was offered
	tried   []string
	skipped []string
}

// offer is a key to log in with.
type offer struct {
	name   string // for messages
	signer ssh.Signer
}

func (o offer) fingerprint() string { return ssh.FingerprintSHA256(o.signer.PublicKey()) }

func newLogin(ctx context.Context, p *Pool, rt *route, now *stage) *login {
	l := &login{ctx: ctx, pool: p, route: rt, stage: now, seen: map[string]bool{}}
	switch {
	case rt.IdentityFile != "":
		// Only this one: a server takes few tries, and the author has said which.
		l.sources = []func() ([]offer, error){l.identity}
	case rt.only:
		l.sources = []func() ([]offer, error){l.fileKeys}
	default:
		l.sources = []func() ([]offer, error){l.agentKeys, l.fileKeys}
	}
	return l
}

func (l *login) close() {
	if l.agent != nil {
		_ = l.agent.Close()
	}
}

// next gives the next key to try, after each that the server has declined.
func (l *login) next(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	l.begun = true
	l.stage.set("%s to let %s log in", l.route.address(), l.route.User)
	if len(c.PartialSuccessMethods) > 0 {
		return nil, l.failed(fmt.Errorf("it took the key and wants %s too, which btplan can't give", printable(strings.Join(c.AllowedMethods, " or "))))
	}
	if !slices.Contains(c.AllowedMethods, publicKey) {
		return nil, l.failed(fmt.Errorf("it takes no keys, only %s, which btplan can't give: allow public keys there", printable(strings.Join(c.AllowedMethods, " or "))))
	}
	for {
		for len(l.offers) > 0 {
			o := l.offers[0]
			l.offers = l.offers[1:]
			fingerprint := o.fingerprint()
			if l.seen[fingerprint] {
				continue
			}
			l.seen[fingerprint] = true
			l.tried = append(l.tried, fmt.Sprintf("%s (%s %s)", o.name, o.signer.PublicKey().Type(), fingerprint))
			return ssh.PublicKeys(&notedSigner{o.signer.(ssh.AlgorithmSigner), o.name, l}), nil
		}
		if len(l.sources) == 0 {
			return nil, l.failed(nil)
		}
		var err error
		if l.offers, err = l.sources[0](); err != nil {
			return nil, err
		}
		l.sources = l.sources[1:]
	}
}

func (l *login) failed(err error) error {
	return &AuthError{Target: l.route.Target, Tried: l.tried, Skipped: l.skipped, Err: err}
}

func (l *login) skip(format string, args ...any) {
	l.skipped = append(l.skipped, fmt.Sprintf(format, args...))
}

// notedSigner takes down why a signature didn't come about: x/crypto/ssh drops
// that when there is another key to try.
type notedSigner struct {
	ssh.AlgorithmSigner
	name  string
	login *login
}

func (s *notedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	// Some agents ask a person, or want a token to be touched.
	s.login.stage.set("%s to sign the login at %s", s.name, s.login.route)
	signature, err := s.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
	if err != nil {
		s.login.skip("%s did not sign (%s)", s.name, printable(err.Error()))
	}
	return signature, err
}
