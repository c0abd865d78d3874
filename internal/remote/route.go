package remote

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/btplan/btplan/internal/sshconfig"
)

// maxJumps is how many hosts a way may go by. ssh_config can make ways without
// an end: ProxyJump x%h.
const maxJumps = 16

// route is a target with nothing left open.
type route struct {
	Target              // with Host, Port, User and Timeout
	identities []string // the files of the keys to log in with; nil: the usual ones
	only       bool     // with no others, even if the agent holds some
	agent      string   // the agent's socket; "": there is none; "none": not to be used
	knownHosts []string // the files that may hold the host's key
	via        *route   // the host that the way goes by; nil: there is none
}

// route works out the way to a target.
func (p *Pool) route(t Target) (*route, error) { return p.follow(t, nil) }

// follow is route for a target that is on the way to others.
func (p *Pool) follow(t Target, others []string) (*route, error) {
	name := t.String()
	if slices.Contains(others, name) || len(others) == maxJumps {
		return nil, fmt.Errorf("its jump hosts lead round in circles: %s. Correct ProxyJump in ssh_config, or jump in the ssh block", strings.Join(append(others, name), " → "))
	}
	others = append(slices.Clone(others), name)
	said, err := p.config.Lookup(sshconfig.Query{Host: t.Host, User: t.User, Port: t.Port, Given: t.given()})
	if err == nil && said.ProxyCommand != nil && t.Jump == nil && !t.Direct {
		err = said.ProxyCommand
	}
	if err != nil {
		return nil, explain(err, "what ssh_config says of %s can't be followed: %s", t.Host, err)
	}
	rt := &route{Target: t, identities: said.IdentityFiles, only: said.IdentitiesOnly, agent: p.here.agentSocket}
	rt.Host = said.HostName
	rt.Port = cmp.Or(t.Port, said.Port, 22)
	rt.User = cmp.Or(t.User, said.User, p.here.user)
	rt.Timeout = cmp.Or(t.Timeout, said.ConnectTimeout, 10*time.Second)
	rt.HostKeyAlias = cmp.Or(t.HostKeyAlias, said.HostKeyAlias)
	if said.IdentityAgent != "" {
		rt.agent = said.IdentityAgent
	}
	if t.IdentityFile != "" {
		rt.IdentityFile = p.here.expand(t.IdentityFile)
	}
	p.setKnownHosts(rt, said)
	if t.Jump == nil && !t.Direct {
		t.Jump = jumpOf(said)
	}
	rt.Jump = nil
	if t.Jump != nil {
		if rt.via, err = p.follow(*t.Jump, others); err != nil {
			return nil, err
		}
		rt.Jump = &rt.via.Target
	}
	return rt, nil
}

// given are the keywords of ssh_config that the target itself has settled.
func (t Target) given() []string {
	var out []string
	for keyword, isGiven := range map[string]bool{
		"identityfile":         t.IdentityFile != "",
		"userknownhostsfile":   t.KnownHostsFile != "",
		"globalknownhostsfile": t.KnownHostsFile != "",
		"hostkeyalias":         t.HostKeyAlias != "",
		"connecttimeout":       t.Timeout != 0,
		"proxyjump":            t.Jump != nil || t.Direct,
	} {
		if isGiven {
			out = append(out, keyword)
		}
	}
	return out
}

// setKnownHosts says which files may hold the host's key.
func (p *Pool) setKnownHosts(rt *route, said *sshconfig.Host) {
	if rt.KnownHostsFile != "" {
		rt.KnownHostsFile = p.here.expand(rt.KnownHostsFile)
		rt.knownHosts = []string{rt.KnownHostsFile}
		return
	}
	users, computers := said.KnownHostsFiles, said.GlobalKnownHostsFiles
	if users == nil {
		users = []string{filepath.Join(p.here.home, ".ssh", "known_hosts")}
	} else if len(users) > 0 {
		rt.KnownHostsFile = users[0]
	}
	if computers == nil {
		computers = []string{p.here.knownHosts}
	}
	rt.knownHosts = slices.Concat(users, computers)
}

// jumpOf makes the ProxyJump of ssh_config a chain. Of the first host it knows
// no more than that: what ssh_config says of it comes to that.
func jumpOf(said *sshconfig.Host) *Target {
	var last *Target
	for _, hop := range said.Jump {
		last = &Target{Host: hop.Host, Port: hop.Port, User: hop.User, Jump: last}
	}
	return last
}

// key is the same for two routes that may share a connection.
func (rt *route) key() string {
	via := ""
	if rt.via != nil {
		via = rt.via.key()
	}
	return fmt.Sprintf("%q", []string{
		rt.String(), rt.HostKeyAlias, rt.IdentityFile, fmt.Sprintf("%q %t", rt.identities, rt.only), rt.agent,
		fmt.Sprintf("%q", rt.knownHosts), via,
	})
}
