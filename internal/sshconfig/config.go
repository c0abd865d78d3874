// Package sshconfig reads what OpenSSH's client configuration, ssh_config(5),
// says of a host, as far as btplan can follow it. It runs nothing: a part of a
// file that depends on a command is an error where it would matter.
//
// github.com/kevinburke/ssh_config (1.6) isn't used because it refuses a whole
// file for a "Match final all", which each Fedora and RHEL has in /etc/ssh,
// takes the other criteria of "Match host a user b" for names of hosts, and
// does not say in which included file a mistake is.
package sshconfig

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Config are the files. Its fields are set before its first use; it may then
// be used from several goroutines. Each file is read once.
type Config struct {
	User      string // the path of the user's file, which comes first; "": there is none
	System    string // the path of the computer's
	Home      string // the user's home directory
	LocalUser string // the user's name

	mu     sync.Mutex
	parsed map[string]parsed
}

// Query asks for one host.
type Query struct {
	Host string // as ssh would be given it
	User string // the user to log in as; "": the files may say
	Port int    // 0: the files may say
	// Given are more keywords, in lower case, in which the files have no say
	// because someone above them has spoken.
	Given []string
}

// Host is what the files say of one host. What they leave open is zero, but
// for HostName.
type Host struct {
	HostName              string // what to connect to
	User                  string
	Port                  int
	ConnectTimeout        time.Duration
	IdentityFiles         []string // empty but not nil: none at all
	IdentitiesOnly        bool
	IdentityAgent         string   // the agent's socket; "none": no agent
	KnownHostsFiles       []string // the user's; empty but not nil: none at all
	GlobalKnownHostsFiles []string // the computer's
	HostKeyAlias          string
	Jump                  []Hop  // the hosts to go by way of, the nearest to here first
	JumpAt                string // where Jump is written: "FILE:LINE"
	// ProxyCommand says that a command has to make the connection; nil if none
	// has to.
	ProxyCommand *Error
}

// Hop is one host of ProxyJump.
type Hop struct {
	User string // "": not given
	Host string
	Port int // 0: not given
}

// Lookup gives what the files say of a host. An *Error, or one that tells of a
// file that can't be read, means that this can't be told.
func (c *Config) Lookup(q Query) (*Host, error) {
	if q.User != "" {
		q.Given = append(slices.Clone(q.Given), "user")
	}
	if q.Port != 0 {
		q.Given = append(slices.Clone(q.Given), "port")
	}
	l := &lookup{config: c, query: q, name: q.Host, found: map[string]directive{}}
	if err := l.run(); err != nil {
		return nil, err
	}
	return l.host()
}

// home replaces a leading ~ by the home directory.
func (c *Config) home(path string) string {
	if rest, found := strings.CutPrefix(path, "~"); found && (rest == "" || rest[0] == '/') {
		return c.Home + rest
	}
	return path
}
