package remote

import (
	"context"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentKeys gives the keys of the SSH agent, first those whose files ssh_config
// names: a server takes few tries. No agent is not an error.
func (l *login) agentKeys() ([]offer, error) {
	l.askAgent()
	named := map[string]bool{}
	for _, file := range l.route.identities {
		if public := l.pool.keyFile(file).public; public != nil {
			named[ssh.FingerprintSHA256(public)] = true
		}
	}
	rank := func(o offer) int {
		if named[o.fingerprint()] {
			return 0
		}
		return 1
	}
	offers := slices.Clone(l.loaded)
	slices.SortStableFunc(offers, func(a, b offer) int { return rank(a) - rank(b) })
	return offers, nil
}

// askAgent loads the list of the agent's keys, once. Why there are none, it
// notes for the message of a login that fails.
func (l *login) askAgent() {
	if l.asked {
		return
	}
	l.asked = true
	switch l.route.agent {
	case "":
		l.skip("there is no SSH agent (SSH_AUTH_SOCK is not set)")
		return
	case "none":
		l.skip("ssh_config says that no SSH agent is to be used (IdentityAgent none)")
		return
	}
	l.stage.set("the SSH agent to list its keys")
	var dialer net.Dialer
	conn, err := dialer.DialContext(l.ctx, "unix", l.route.agent)
	if err != nil {
		l.skip("the SSH agent does not answer (%s)", printable(err.Error()))
		return
	}
	l.agent = conn
	// The handshake's end is the agent's too: it may be asking a person.
	context.AfterFunc(l.ctx, func() { _ = conn.Close() })
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		l.skip("the SSH agent does not list its keys (%s)", printable(err.Error()))
		return
	}
	for _, signer := range signers {
		name := "the agent's key"
		if key, ok := signer.PublicKey().(*agent.Key); ok && key.Comment != "" {
			name += " " + printable(key.Comment)
		}
		l.loaded = append(l.loaded, offer{name, signer})
	}
	if len(l.loaded) == 0 {
		l.skip("the SSH agent holds no keys")
	}
}

// agentKey finds a key among the agent's.
func (l *login) agentKey(public ssh.PublicKey) (offer, bool) {
	fingerprint := ssh.FingerprintSHA256(public)
	i := slices.IndexFunc(l.loaded, func(o offer) bool { return o.fingerprint() == fingerprint })
	if i < 0 {
		return offer{}, false
	}
	return l.loaded[i], true
}
