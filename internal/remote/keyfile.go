package remote

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
)

// fileKeys gives the keys of the files that ssh_config names, or else of the
// usual ones.
func (l *login) fileKeys() ([]offer, error) {
	files := l.route.identities
	if files == nil {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			files = append(files, filepath.Join(l.pool.here.home, ".ssh", name))
		}
	}
	var offers []offer
	for _, file := range files {
		if o, ok := l.fileKey(file); ok {
			offers = append(offers, o)
		}
	}
	return offers, nil
}

// fileKey gives the key of a file, if it is there and needs no passphrase, or
// if the agent, which was not asked for all its keys, holds it. Else it notes
// why not.
func (l *login) fileKey(file string) (offer, bool) {
	key := l.pool.keyFile(file)
	public := key.public
	if key.signer != nil {
		return offer{file, key.signer}, true
	}
	if public != nil && l.route.only {
		l.askAgent()
		if o, found := l.agentKey(public); found {
			return o, true
		}
	}
	var locked *ssh.PassphraseMissingError
	switch {
	case public != nil && l.seen[ssh.FingerprintSHA256(public)]:
		// The agent has offered it.
	case errors.As(key.err, &locked):
		l.skip("%s needs a passphrase (ssh-add %s gives it to the agent)", file, shellWord(file))
	case public != nil:
		l.skip("of %s there is only the public half, and the agent does not hold the other", file)
	case !errors.Is(key.err, fs.ErrNotExist):
		l.skip("%s is not a private key that can be read (%v)", file, key.err)
	case l.route.identities != nil:
		l.skip("%s does not exist", file)
	}
	return offer{}, false
}

// identity gives the key of the author's identity_file. One that is protected,
// or a public key, is looked for in the agent.
func (l *login) identity() ([]offer, error) {
	file := l.route.IdentityFile
	key := l.pool.keyFile(file)
	if key.signer != nil {
		return []offer{{file, key.signer}}, nil
	}
	if key.public == nil {
		return nil, &IdentityError{file, key.err}
	}
	l.askAgent()
	if o, found := l.agentKey(key.public); found {
		return []offer{o}, nil
	}
	return nil, &IdentityError{file, key.err}
}

// errPublic is a key file that holds only the public half.
var errPublic = errors.New("it is a public key")

// keyFile is what a key file holds.
type keyFile struct {
	signer ssh.Signer    // nil: err says why there is none
	public ssh.PublicKey // nil: not even that much is known
	err    error
}

func (p *Pool) keyFile(file string) keyFile {
	return p.keyFiles.get(file, func() keyFile { return readKey(file) })
}

func readKey(file string) keyFile {
	text, err := os.ReadFile(file)
	if err != nil {
		return keyFile{nil, publicBeside(file), err}
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err == nil {
		return keyFile{signer, signer.PublicKey(), nil}
	}
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		// The older formats don't show the public key.
		public := locked.PublicKey
		if public == nil {
			public = publicBeside(file)
		}
		return keyFile{nil, public, err}
	}
	if public, _, _, _, publicErr := ssh.ParseAuthorizedKey(text); publicErr == nil {
		return keyFile{nil, public, errPublic}
	}
	return keyFile{nil, nil, err}
}

// publicBeside is the public key that stands beside a key file; nil if none
// does. People who have the private key in an agent may have nothing else.
func publicBeside(file string) ssh.PublicKey {
	text, err := os.ReadFile(file + ".pub")
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return public
}
