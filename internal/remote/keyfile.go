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
			files = append(files, filepath.Join(l.home, ".ssh", name))
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
	signer, public, err := readKey(file)
	if signer != nil {
		return offer{file, signer}, true
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
	case errors.As(err, &locked):
		l.skip("%s needs a passphrase (ssh-add %s gives it to the agent)", file, shellWord(file))
	case public != nil:
		l.skip("of %s there is only the public half, and the agent does not hold the other", file)
	case !errors.Is(err, fs.ErrNotExist):
		l.skip("%s is not a private key that can be read (%v)", file, err)
	case l.route.identities != nil:
		l.skip("%s does not exist", file)
	}
	return offer{}, false
}

// identity gives the key of the author's identity_file. One that is protected,
// or a public key, is looked for in the agent.
func (l *login) identity() ([]offer, error) {
	file := l.route.IdentityFile
	signer, public, err := readKey(file)
	if signer != nil {
		return []offer{{file, signer}}, nil
	}
	if public == nil {
		return nil, &IdentityError{file, err}
	}
	l.askAgent()
	if o, found := l.agentKey(public); found {
		return []offer{o}, nil
	}
	return nil, &IdentityError{file, err}
}

// errPublic is a key file that holds only the public half.
var errPublic = errors.New("it is a public key")

// readKey reads a key file. Without a signer the error says why, and public is
// the key if that much is known.
func readKey(file string) (signer ssh.Signer, public ssh.PublicKey, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, publicBeside(file), err
	}
	if signer, err = ssh.ParsePrivateKey(text); err == nil {
		return signer, signer.PublicKey(), nil
	}
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		// The older formats don't show the public key.
		if public = locked.PublicKey; public == nil {
			public = publicBeside(file)
		}
		return nil, public, err
	}
	if public, _, _, _, publicErr := ssh.ParseAuthorizedKey(text); publicErr == nil {
		return nil, public, errPublic
	}
	return nil, nil, err
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
