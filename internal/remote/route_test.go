package remote

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What the target says comes before what ssh_config says, and that before the
// defaults.
func TestRoute(t *testing.T) {
	const config = `
Host edge
  HostName 10.0.0.1
  User admin
  Port 2222
  IdentityFile ~/.ssh/edge
  IdentityFile /keys/%n
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ~/edge_hosts /more
  ConnectTimeout 3
  HostKeyAlias the-edge
  ProxyJump root@bastion:2200
Host direct
  ProxyJump none
Host long
  ProxyJump a,b
Host a
  ProxyJump bastion
Host bastion
  HostName 192.0.2.1
  GlobalKnownHostsFile /site/hosts
Host command
  ProxyCommand nc %h %p
Host * !bastion !plain
  User everyone
`
	bastion := "root@192.0.2.1:2200 10s agent=/agent known=/home/me/.ssh/known_hosts,/site/hosts"
	tests := []struct {
		name   string
		target Target
		want   string
	}{
		{"nothing said", Target{Host: "plain"}, "me@plain:22 10s agent=/agent known=/home/me/.ssh/known_hosts,/etc/hosts"},
		{"ssh_config", Target{Host: "edge"},
			"admin@10.0.0.1:2222 3s keys=/home/me/.ssh/edge,/keys/edge only agent=none known=/home/me/edge_hosts,/more,/etc/hosts as=the-edge via " + bastion},
		{"the target", Target{Host: "edge", User: "root", Port: 22, IdentityFile: "~/my", KnownHostsFile: "~/known", HostKeyAlias: "x", Timeout: time.Minute, Direct: true},
			"root@10.0.0.1:22 1m0s key=/home/me/my only agent=none known=/home/me/known as=x"},
		{"another jump host", Target{Host: "edge", Timeout: 1, User: "u", IdentityFile: "/k", KnownHostsFile: "/h", Jump: &Target{Host: "plain", Port: 1}},
			"u@10.0.0.1:2222 1ns key=/k only agent=none known=/h as=the-edge via me@plain:1 10s agent=/agent known=/home/me/.ssh/known_hosts,/etc/hosts"},
		{"a jump host with a way of its own", Target{Host: "plain", Jump: &Target{Host: "direct", Jump: &Target{Host: "bastion", User: "root", Port: 2200}}},
			"me@plain:22 10s agent=/agent known=/home/me/.ssh/known_hosts,/etc/hosts via everyone@direct:22 10s agent=/agent known=/home/me/.ssh/known_hosts,/etc/hosts via " + bastion},
		{"ProxyJump with two hosts", Target{Host: "long", Port: 1, Timeout: time.Second},
			"everyone@long:1 1s agent=/agent known=/home/me/.ssh/known_hosts,/etc/hosts" +
				" via everyone@b:22 10s agent=/agent known=/home/me/.ssh/known_hosts,/etc/hosts" +
				" via everyone@a:22 10s agent=/agent known=/home/me/.ssh/known_hosts,/etc/hosts" +
				" via me@192.0.2.1:22 10s agent=/agent known=/home/me/.ssh/known_hosts,/site/hosts"},
		{"ProxyCommand", Target{Host: "command"}, "what ssh_config says of command can't be followed: /home/me/.ssh/config:24: btplan runs no ProxyCommand. If it goes by way of another host, write ProxyJump instead, or jump in the ssh block"},
		{"ProxyCommand, but the way is given", Target{Host: "command", Direct: true}, "everyone@command:22 10s agent=/agent known=/home/me/.ssh/known_hosts,/etc/hosts"},
	}
	p := poolWith(t, config)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rt, err := p.route(test.target)
			var got string
			if err != nil {
				got = err.Error()
			} else {
				got = routeText(rt)
			}
			if got = strings.ReplaceAll(got, p.here.home, "/home/me"); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// poolWith gives a pool for an account that has this ssh_config.
func poolWith(t *testing.T, config string) *Pool {
	t.Helper()
	home := t.TempDir()
	check(t, os.Mkdir(filepath.Join(home, ".ssh"), 0o700))
	check(t, os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(config), 0o600))
	return newTestPool(t, surroundings{user: "me", home: home, agentSocket: "/agent", knownHosts: "/etc/hosts"})
}

func routeText(rt *route) string {
	out := fmt.Sprintf("%s %s", rt, rt.Timeout)
	say := func(said bool, text string) {
		if said {
			out += " " + text
		}
	}
	say(rt.IdentityFile != "", "key="+rt.IdentityFile)
	say(rt.identities != nil, "keys="+strings.Join(rt.identities, ","))
	say(rt.only, "only")
	out += " agent=" + rt.agent + " known=" + strings.Join(rt.knownHosts, ",")
	say(rt.HostKeyAlias != "", "as="+rt.HostKeyAlias)
	if rt.via != nil {
		out += " via " + routeText(rt.via)
	}
	return out
}

func TestRoutesWithoutEnd(t *testing.T) {
	for name, test := range map[string]struct{ config, says string }{
		"itself":   {"ProxyJump a", "a:22 → a:22. Correct ProxyJump"},
		"a circle": {"Host a\nProxyJump b\nHost b\nProxyJump me@c\nHost c\nProxyJump b", "a:22 → b:22 → me@c:22 → b:22"},
		"a spiral": {"ProxyJump x%h", "xxxa:22 → xxxxa:22"},
	} {
		t.Run(name, func(t *testing.T) {
			r := poolWith(t, test.config).Open(Target{Host: "a"})
			_, err := r.Run(t.Context(), ":", nil)
			wantUnreachable[error](t, err)
			says(t, err, "its jump hosts lead round in circles: a:22 → ", test.says)
		})
	}
}

func TestBrokenSSHConfig(t *testing.T) {
	p := poolWith(t, "Host edge\n  Port none\n")
	file := filepath.Join(p.here.home, ".ssh", "config")
	_, err := p.Open(Target{Host: "edge"}).Run(t.Context(), ":", nil)
	wantUnreachable[error](t, err)
	says(t, err, "can't run commands on edge:22: what ssh_config says of edge can't be followed: "+file+`:2: "none" is not a port`)
	// It is of no interest where it has no say.
	_, err = p.route(Target{Host: "edge", Port: 22})
	check(t, err)
}

// Only those routes share a connection that are the same in all that matters.
func TestRouteKeys(t *testing.T) {
	p := poolWith(t, "Host alias\nHostName a\nHost only\nHostName a\nIdentitiesOnly yes\nHost keys\nHostName a\nIdentityFile /k\nHost silent\nHostName a\nIdentityAgent none\n")
	key := func(target Target) string {
		rt, err := p.route(target)
		check(t, err)
		return rt.key()
	}
	same := []Target{{Host: "a"}, {Host: "alias"}, {Host: "a", Port: 22, User: "me", Sudo: true, Timeout: time.Hour, Direct: true}}
	for _, target := range same {
		if key(target) != key(same[0]) {
			t.Errorf("%+v has a key of its own", target)
		}
	}
	seen := map[string]Target{key(same[0]): same[0]}
	for _, target := range []Target{
		{Host: "b"}, {Host: "a", Port: 23}, {Host: "a", User: "u"}, {Host: "a", IdentityFile: "/k"}, {Host: "a", KnownHostsFile: "/h"},
		{Host: "a", HostKeyAlias: "x"}, {Host: "a", Jump: &Target{Host: "b"}}, {Host: "a", Jump: &Target{Host: "c"}},
		{Host: "a", Jump: &Target{Host: "b", Jump: &Target{Host: "c"}}}, {Host: "only"}, {Host: "keys"}, {Host: "silent"},
	} {
		k := key(target)
		if other, known := seen[k]; known {
			t.Errorf("%+v and %+v have the same key", target, other)
		}
		seen[k] = target
	}
}
