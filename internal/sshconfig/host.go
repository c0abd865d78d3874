package sshconfig

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// one gives the only argument of a keyword, if there is a line with it.
func (l *lookup) one(keyword string) (directive, string, error) {
	d, found := l.found[keyword]
	if !found {
		return d, "", nil
	}
	if len(d.args) > 1 {
		return d, "", d.fail("%s takes one value, but this is %d", d.keyword, len(d.args))
	}
	return d, d.args[0], nil
}

// hostName is what to connect to, as far as is known by now.
func (l *lookup) hostName() (string, error) {
	d, name, err := l.one("hostname")
	if err != nil || name == "" {
		return l.query.Host, err
	}
	return expand(d, name, map[byte]string{'h': l.query.Host})
}

// user is whom to log in as, as far as is known by now.
func (l *lookup) user() string {
	if d, found := l.found["user"]; found {
		return d.args[0]
	}
	return cmp.Or(l.query.User, l.config.LocalUser)
}

// host makes sense of what was found.
func (l *lookup) host() (*Host, error) {
	h := &Host{}
	var err error
	if h.HostName, err = l.hostName(); err != nil {
		return nil, err
	}
	if _, h.User, err = l.one("user"); err != nil {
		return nil, err
	}
	if d, text, err := l.one("port"); err != nil {
		return nil, err
	} else if text != "" {
		if h.Port, err = strconv.Atoi(text); err != nil || h.Port < 1 || h.Port > 65535 {
			return nil, d.fail("%q is not a port", text)
		}
	}
	if d, text, err := l.one("connecttimeout"); err != nil {
		return nil, err
	} else if text != "" && text != "none" {
		seconds, ok := parseTime(text)
		if !ok {
			return nil, d.fail("%q is not a time", text)
		}
		h.ConnectTimeout = seconds
	}
	if d, text, err := l.one("identitiesonly"); err != nil {
		return nil, err
	} else if text != "" {
		if h.IdentitiesOnly, err = parseFlag(d, text); err != nil {
			return nil, err
		}
	}
	if _, h.HostKeyAlias, err = l.one("hostkeyalias"); err != nil {
		return nil, err
	}
	if err := l.proxy(h); err != nil {
		return nil, err
	}
	return h, l.files(h)
}

// files fills in what names files.
func (l *lookup) files(h *Host) error {
	tokens := map[byte]string{
		'd': l.config.Home,
		'h': h.HostName,
		'i': strconv.Itoa(os.Getuid()),
		'k': cmp.Or(h.HostKeyAlias, l.query.Host),
		'n': l.query.Host,
		'p': strconv.Itoa(cmp.Or(l.query.Port, h.Port, 22)),
		'r': l.user(),
		'u': l.config.LocalUser,
	}
	list := func(d directive) ([]string, error) {
		if len(d.args) == 1 && d.args[0] == "none" {
			return []string{}, nil
		}
		var out []string
		for _, arg := range d.args {
			path, err := l.path(d, arg, tokens)
			if err != nil {
				return nil, err
			}
			out = append(out, path)
		}
		return out, nil
	}
	var err error
	for _, d := range l.identities {
		paths, err := list(d)
		if err != nil {
			return err
		}
		if h.IdentityFiles == nil {
			h.IdentityFiles = []string{}
		}
		h.IdentityFiles = append(h.IdentityFiles, paths...)
	}
	if h.KnownHostsFiles, err = list(l.found["userknownhostsfile"]); err != nil {
		return err
	}
	if h.GlobalKnownHostsFiles, err = list(l.found["globalknownhostsfile"]); err != nil {
		return err
	}
	return l.agent(h, tokens)
}

// agent finds the agent's socket.
func (l *lookup) agent(h *Host, tokens map[byte]string) error {
	d, text, err := l.one("identityagent")
	switch {
	case err != nil:
		return err
	case text == "", text == "none":
		h.IdentityAgent = text
	case text == "SSH_AUTH_SOCK", strings.HasPrefix(text, "$") && !strings.HasPrefix(text, "${"):
		h.IdentityAgent = cmp.Or(os.Getenv(strings.TrimPrefix(text, "$")), "none")
	default:
		h.IdentityAgent, err = l.path(d, text, tokens)
	}
	return err
}

// proxy works out the way there.
func (l *lookup) proxy(h *Host) error {
	d, found := l.found["proxyjump"]
	switch {
	case !found || d.args[0] == "none":
		return nil
	case d.keyword == "proxycommand":
		h.ProxyCommand = d.fail("btplan runs no ProxyCommand. If it goes by way of another host, write ProxyJump instead, or jump in the ssh block")
		return nil
	}
	_, text, err := l.one("proxyjump")
	if err != nil {
		return err
	}
	h.JumpAt = fmt.Sprintf("%s:%d", d.file, d.line)
	text, err = expand(d, text, map[byte]string{
		'h': h.HostName, 'n': l.query.Host, 'p': strconv.Itoa(cmp.Or(l.query.Port, h.Port, 22)), 'r': l.user(),
	})
	if err != nil {
		return err
	}
	for part := range strings.SplitSeq(text, ",") {
		hop, ok := parseHop(part)
		if !ok {
			return d.fail("%q is not a host to go by way of: write [user@]host[:port]", part)
		}
		h.Jump = append(h.Jump, hop)
	}
	return nil
}

var variable = regexp.MustCompile(`\$\{[^}]*\}`)

// path is a file as a line names it: with a ~, with tokens, and with variables
// of the environment.
func (l *lookup) path(d directive, s string, tokens map[byte]string) (string, error) {
	var missing error
	s = variable.ReplaceAllStringFunc(l.config.home(s), func(name string) string {
		value, set := os.LookupEnv(name[2 : len(name)-1])
		if !set {
			missing = d.fail("the environment has no %s", name)
		}
		return value
	})
	if missing != nil {
		return "", missing
	}
	return expand(d, s, tokens)
}
