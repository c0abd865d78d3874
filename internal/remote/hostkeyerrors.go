package remote

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh/knownhosts"
)

// UnknownHostError is a host of which no known_hosts file holds a key.
type UnknownHostError struct {
	Target      Target
	Shown       HostKey   // the key that it has shown
	Entry       string    // the line that would make that key known
	Files       []string  // where it was looked for
	Authorities []HostKey // whose certificates would be accepted; the host showed none
}

// Error says how to check the key and to make it known.
func (e *UnknownHostError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the host key of %s is not known: it showed %s, and there is no entry for it in %s.", e.Target.address(), e.Shown, strings.Join(e.Files, " or "))
	for _, authority := range e.Authorities {
		fmt.Fprintf(&b, " A certificate of %s would do, but it showed none.", authority)
	}
	fmt.Fprintf(&b, " Compare the fingerprint with what the host itself prints for `ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub` (Dropbear: `dropbearkey -y -f /etc/dropbear/dropbear_%[1]s_host_key`). If they are the same, let ssh add it: `%s`",
		shortType(e.Shown.Type), loginCommand(e.Target))
	return b.String()
}

// ChangedKeyError is a host that has shown another key than the known ones.
type ChangedKeyError struct {
	Target Target
	Shown  HostKey
	Known  []HostKey
}

// Error warns, and says how to make a change known that was meant.
func (e *ChangedKeyError) Error() string {
	known := make([]string, len(e.Known))
	for i, key := range e.Known {
		known[i] = key.String()
	}
	name := knownhosts.Normalize(e.Target.knownAs())
	return fmt.Sprintf("the host key of %s has changed: it showed %s, known is %s. Someone may be in between and read or change what is sent. Nothing was sent. If you know that the host was set up anew, remove the old key: `ssh-keygen -R %s -f %s`, then check and add the new one: `%s`",
		e.Target.address(), e.Shown, strings.Join(known, ", "), shellWord(name), shellWord(e.Known[0].File), loginCommand(e.Target))
}

// RevokedKeyError is a host that has shown a key marked as revoked.
type RevokedKeyError struct {
	Target Target
	Shown  HostKey // File and Line are those of the mark
}

func (e *RevokedKeyError) Error() string {
	return fmt.Sprintf("the host key of %s is revoked: it showed %s, which is marked as @revoked. Someone may use a stolen key. Give the host a new one",
		e.Target.address(), e.Shown)
}

// loginCommand is the ssh command that asks whether to accept the host's key,
// and adds it where btplan looks for it.
func loginCommand(t Target) string {
	words := []string{"ssh"}
	if t.KnownHostsFile != "" {
		// Quotes of ssh's own inside the shell's: the option takes a list.
		words = append(words, "-o", shellWord(`UserKnownHostsFile="`+t.KnownHostsFile+`"`))
	}
	if t.HostKeyAlias != "" {
		words = append(words, "-o", shellWord("HostKeyAlias="+t.HostKeyAlias))
	}
	if t.Jump != nil {
		words = append(words, "-J", shellWord(jumpList(*t.Jump)))
	}
	if t.Port != 22 {
		words = append(words, "-p", fmt.Sprint(t.Port))
	}
	return strings.Join(append(words, shellWord(t.User+"@"+t.Host)), " ")
}

// jumpList is a chain of jump hosts as ssh's option -J takes it.
func jumpList(t Target) string {
	if t.Jump == nil {
		return t.String()
	}
	return jumpList(*t.Jump) + "," + t.String()
}

// shortType is a key type as the names of host key files have it.
func shortType(keyType string) string {
	switch {
	case strings.HasPrefix(keyType, "ecdsa-"):
		return "ecdsa"
	case strings.Contains(keyType, "rsa"):
		return "rsa"
	}
	return "ed25519"
}
