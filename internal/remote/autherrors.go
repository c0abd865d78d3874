package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/crypto/ssh"
)

// AuthError is a server that let none of the keys in.
type AuthError struct {
	Target  Target
	Tried   []string // the keys that were offered
	Skipped []string // those that could not be, and why
	Err     error    // what ended it; nil: there were no more keys
}

// Error says which keys were tried, which were not and why, and what to do.
func (e *AuthError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s does not let %s log in", e.Target.address(), printable(e.Target.User))
	if e.Err != nil {
		fmt.Fprintf(&b, " (%s)", printable(e.Err.Error()))
	}
	b.WriteString(". ")
	if len(e.Tried) > 0 {
		fmt.Fprintf(&b, "Tried: %s. ", strings.Join(e.Tried, "; "))
	} else {
		b.WriteString("No key was tried. ")
	}
	if len(e.Skipped) > 0 {
		fmt.Fprintf(&b, "Not tried: %s. ", strings.Join(e.Skipped, "; "))
	}
	b.WriteString("Check the user, put one of your public keys into that user's authorized_keys there, or name another key by identity_file")
	return b.String()
}

func (e *AuthError) Unwrap() error { return e.Err }

// IdentityError is an identity_file that gives no key.
type IdentityError struct {
	File string
	Err  error // an *ssh.PassphraseMissingError, or why it can't be read
}

// Error says what is wrong with the file and what to do.
func (e *IdentityError) Error() string {
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(e.Err, &locked):
		return fmt.Sprintf("identity_file %s needs a passphrase, which btplan never asks for, and no SSH agent holds its key. Give it to an agent: `ssh-add %s`", e.File, shellWord(e.File))
	case errors.Is(e.Err, errPublic):
		return fmt.Sprintf("identity_file %s is a public key, and no SSH agent holds the private one. Name the private key's file, or give it to an agent by ssh-add", e.File)
	case errors.Is(e.Err, fs.ErrNotExist):
		return fmt.Sprintf("identity_file %s does not exist: correct the path, or make the key: `ssh-keygen -f %s`", e.File, shellWord(e.File))
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Sprintf("identity_file %s can't be read by this user: check its owner and mode", e.File)
	}
	return fmt.Sprintf("identity_file %s is not a private key that btplan can read (%s). Name a key in OpenSSH's or PEM format, or give it to an SSH agent and name its .pub file", e.File, e.Err)
}

func (e *IdentityError) Unwrap() error { return e.Err }
