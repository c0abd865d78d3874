package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// publicKey is the name of the one way of logging in that is used (RFC 4252).
const publicKey = "publickey"

// login offers keys to a server, one at a time. A file is read and the agent
// asked only when it is their turn.
type login struct {
	ctx     context.Context // that of the handshake
	target  Target
	here    surroundings
	begun   bool
	sources []func() ([]offer, error) // where to look when offers is empty
	offers  []offer
	agent   net.Conn // nil: not asked yet

	seen    map[string]bool // fingerprints of what was offered
	tried   []string
	skipped []string
}

// offer is a key to log in with.
type offer struct {
	name   string // for messages
	signer ssh.Signer
}

func newLogin(ctx context.Context, t Target, here surroundings) *login {
	l := &login{ctx: ctx, target: t, here: here, seen: map[string]bool{}}
	l.sources = []func() ([]offer, error){l.agentKeys, l.defaultKeys}
	if t.IdentityFile != "" {
		// Only this one: a server takes few tries, and the author has said which.
		l.sources = []func() ([]offer, error){l.identity}
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
			fingerprint := ssh.FingerprintSHA256(o.signer.PublicKey())
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
	return &AuthError{Target: l.target, Tried: l.tried, Skipped: l.skipped, Err: err}
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
	signature, err := s.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
	if err != nil {
		s.login.skip("%s did not sign (%s)", s.name, printable(err.Error()))
	}
	return signature, err
}

// agentKeys gives the keys of the SSH agent. No agent is not an error.
func (l *login) agentKeys() ([]offer, error) {
	if l.here.agentSocket == "" {
		l.skip("there is no SSH agent (SSH_AUTH_SOCK is not set)")
		return nil, nil
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(l.ctx, "unix", l.here.agentSocket)
	if err != nil {
		l.skip("the SSH agent of SSH_AUTH_SOCK does not answer (%s)", printable(err.Error()))
		return nil, nil
	}
	l.agent = conn
	// The handshake's end is the agent's too: it may be asking a person.
	context.AfterFunc(l.ctx, func() { _ = conn.Close() })
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		l.skip("the SSH agent does not list its keys (%s)", printable(err.Error()))
		return nil, nil
	}
	var offers []offer
	for _, signer := range signers {
		name := "the agent's key"
		if key, ok := signer.PublicKey().(*agent.Key); ok && key.Comment != "" {
			name += " " + printable(key.Comment)
		}
		offers = append(offers, offer{name, signer})
	}
	if len(offers) == 0 {
		l.skip("the SSH agent holds no keys")
	}
	return offers, nil
}

// defaultKeys gives those of the usual key files that are there and need no
// passphrase.
func (l *login) defaultKeys() ([]offer, error) {
	var offers []offer
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		file := filepath.Join(l.here.home, ".ssh", name)
		signer, public, err := readKey(file)
		var locked *ssh.PassphraseMissingError
		switch {
		case err == nil && signer != nil:
			offers = append(offers, offer{file, signer})
		case errors.Is(err, fs.ErrNotExist):
		case public != nil && l.seen[ssh.FingerprintSHA256(public)]:
			// The agent has offered it.
		case errors.As(err, &locked):
			l.skip("%s needs a passphrase (ssh-add %s gives it to the agent)", file, shellWord(file))
		default:
			l.skip("%s is not a private key that can be read (%v)", file, err)
		}
	}
	return offers, nil
}

// identity gives the key of the author's identity_file. One that is protected,
// or a public key, is looked for in the agent.
func (l *login) identity() ([]offer, error) {
	file := l.here.expand(l.target.IdentityFile)
	signer, public, err := readKey(file)
	if signer != nil {
		return []offer{{file, signer}}, nil
	}
	if public == nil {
		return nil, &IdentityError{file, err}
	}
	loaded, agentErr := l.agentKeys()
	if agentErr != nil {
		return nil, agentErr
	}
	fingerprint := ssh.FingerprintSHA256(public)
	for _, o := range loaded {
		if ssh.FingerprintSHA256(o.signer.PublicKey()) == fingerprint {
			return []offer{o}, nil
		}
	}
	return nil, &IdentityError{file, err}
}

// errPublic is a key file that holds only the public half.
var errPublic = errors.New("it is a public key")

// readKey reads a key file. Without a signer the error says why, and public is
// the key if that much is known.
func readKey(file string) (signer ssh.Signer, public ssh.PublicKey, err error) {
	text, err := os.ReadFile(file) // #nosec G304 -- it is the author's or the usual key file
	if err != nil {
		return nil, nil, err
	}
	if signer, err = ssh.ParsePrivateKey(text); err == nil {
		return signer, signer.PublicKey(), nil
	}
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		public = locked.PublicKey
		// The older formats show the public key only in the file beside it.
		if text, readErr := os.ReadFile(file + ".pub"); public == nil && readErr == nil {
			public, _, _, _, _ = ssh.ParseAuthorizedKey(text)
		}
		return nil, public, err
	}
	if public, _, _, _, publicErr := ssh.ParseAuthorizedKey(text); publicErr == nil {
		return nil, public, errPublic
	}
	return nil, nil, err
}
