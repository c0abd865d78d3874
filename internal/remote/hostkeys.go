package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// knownHosts is what the known_hosts files say of one host.
type knownHosts struct {
	*hostFiles
	target Target
	files  []string // where it was looked for, the missing ones too
	// names are the addresses that the host goes by in the files. A key that
	// stands there without a port is good for a port other than 22 if the
	// files have none with the port: so OpenSSH has it.
	names []string
}

// hostFiles are known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
type hostFiles struct {
	lookup      ssh.HostKeyCallback
	authorities map[fileLine]bool // the lines with the keys of authorities
	err         error
}

// fileLine is the place of a line.
type fileLine struct {
	file string
	line int // from 1
}

// knownHosts gives what the files of a route say of its host.
func (p *Pool) knownHosts(rt *route) (*knownHosts, error) {
	files := p.hostFiles.get(fmt.Sprintf("%q", rt.knownHosts), func() *hostFiles { return readHostFiles(rt.knownHosts) })
	if files.err != nil {
		return nil, files.err
	}
	k := &knownHosts{hostFiles: files, target: rt.Target, files: rt.knownHosts}
	// ssh writes names in lower case.
	k.names = []string{strings.ToLower(rt.knownAs())}
	if rt.Port != 22 && rt.HostKeyAlias == "" {
		k.names = append(k.names, net.JoinHostPort(strings.ToLower(rt.Host), "22"))
	}
	return k, nil
}

// readHostFiles reads files. One that doesn't exist is empty.
func readHostFiles(files []string) *hostFiles {
	f := &hostFiles{authorities: map[fileLine]bool{}}
	var present []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		present = append(present, file)
		n := 0
		for line := range bytes.Lines(text) {
			if n++; bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("@cert-authority")) {
				f.authorities[fileLine{file, n}] = true
			}
		}
	}
	var err error
	if f.lookup, err = knownhosts.New(present...); err != nil {
		f.err = explain(err, "the known hosts can't be read (%s): correct or remove that line, or make the file readable", printable(err.Error()))
	}
	return f
}

// check gives nil only for a key that the files hold for this host, or that an
// authority which they name for it has signed.
func (k *knownHosts) check(remote net.Addr, key ssh.PublicKey) error {
	var err error
	for i, name := range k.names {
		nameErr := k.lookup(name, remote, key)
		if nameErr == nil {
			return nil
		}
		if i == 0 {
			err = nameErr
		}
		if len(wanted(nameErr)) > 0 {
			break
		}
	}
	shown := describe(key)
	var revoked *knownhosts.RevokedError
	var mismatch *knownhosts.KeyError
	switch {
	case errors.As(err, &revoked):
		shown.File, shown.Line = revoked.Revoked.Filename, revoked.Revoked.Line
		return &RevokedKeyError{k.target, shown}
	case errors.As(err, &mismatch):
		authorities, keys := k.split(mismatch.Want)
		if len(keys) > 0 {
			return &ChangedKeyError{k.target, shown, keys}
		}
		return &UnknownHostError{k.target, shown, knownhosts.Line(k.names[:1], key), k.files, authorities}
	}
	return explain(err, "the certificate of %s is not good (%s): have the authority that known_hosts names sign its host key anew", k.target.address(), printable(err.Error()))
}

// algorithms gives the host key algorithms to ask the server for: first what
// the files hold for the host, so that it shows the key that can be checked.
// The others follow: a server that has none of the known keys then shows
// another, and the error can say which. Ed25519 goes first among them: a
// Dropbear with no other key breaks off when it is asked for one.
func (k *knownHosts) algorithms() []string {
	var want []knownhosts.KnownKey
	for _, name := range k.names {
		if want = wanted(k.lookup(name, &net.TCPAddr{}, noKey{})); len(want) > 0 {
			break
		}
	}
	authorities, keys := k.split(want)
	known := func(algorithm string) bool {
		return slices.ContainsFunc(keys, func(key HostKey) bool { return key.Type == keyType(algorithm) })
	}
	rank := func(algorithm string) int {
		switch {
		case isCert(algorithm):
			return 0
		case known(algorithm):
			return 1
		case algorithm == ssh.KeyAlgoED25519:
			return 2
		}
		return 3
	}
	list := ssh.SupportedAlgorithms().HostKeys
	if len(authorities) == 0 {
		// Nothing here could check a certificate.
		list = slices.DeleteFunc(list, isCert)
	}
	slices.SortStableFunc(list, func(a, b string) int { return rank(a) - rank(b) })
	return list
}

func isCert(algorithm string) bool { return strings.Contains(algorithm, "-cert-v01@") }

// keyType is the type of the keys that an algorithm signs with (RFC 8332).
func keyType(algorithm string) string {
	if algorithm == ssh.KeyAlgoRSASHA256 || algorithm == ssh.KeyAlgoRSASHA512 {
		return ssh.KeyAlgoRSA
	}
	return algorithm
}

// wanted gives the lines that a look-up has found for the host instead of the key.
func wanted(err error) []knownhosts.KnownKey {
	var mismatch *knownhosts.KeyError
	if errors.As(err, &mismatch) {
		return mismatch.Want
	}
	return nil
}

// split parts the authorities among a host's lines from the keys: package
// knownhosts gives both alike.
func (f *hostFiles) split(lines []knownhosts.KnownKey) (authorities, keys []HostKey) {
	for _, line := range lines {
		key := describe(line.Key)
		key.File, key.Line = line.Filename, line.Line
		if f.authorities[fileLine{line.Filename, line.Line}] {
			authorities = append(authorities, key)
		} else {
			keys = append(keys, key)
		}
	}
	return authorities, keys
}

// noKey is a key that no file holds: looking it up shows which keys there are.
type noKey struct{}

func (noKey) Type() string    { return "none" }
func (noKey) Marshal() []byte { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error {
	return errors.New("no key verifies nothing")
}

// HostKey is a key by which a host proves who it is.
type HostKey struct {
	Type        string // "ssh-ed25519"
	Fingerprint string // "SHA256:…", as ssh-keygen -l prints it
	File        string // the known_hosts file that holds it; "": none does
	Line        int    // there, from 1
}

func describe(key ssh.PublicKey) HostKey {
	return HostKey{Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key)}
}

func (k HostKey) String() string {
	if k.File == "" {
		return k.Type + " " + k.Fingerprint
	}
	return fmt.Sprintf("%s %s (%s:%d)", k.Type, k.Fingerprint, k.File, k.Line)
}
