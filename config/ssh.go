package config

import (
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/btplan/btplan/plan"
)

// reach works out how an instance is reached: its ssh block, or local = true.
// host is the default for ssh's own.
func (l *loader) reach(b *block, inst instance, host string) (ssh *SSH, local bool) {
	local = newFields(l, b.attrs, inst).flag("local")
	if b.ssh == nil {
		return nil, local
	}
	if local {
		l.fail(b.attrs["local"].Range, "Both ssh and local", "%s is either this computer (local = true) or reached by SSH (the ssh block at %s), not both.", inst.addr, place(b.ssh.rng))
	}
	return l.ssh(b, inst, host), local
}

// hostname is what the ssh block takes for a host besides an IP address: a
// name for the resolver, or for a hosts file, which allows the underscore.
var hostname = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252})$`)

func (l *loader) ssh(b *block, inst instance, host string) *SSH {
	f := newFields(l, b.ssh.attrs, inst)
	out := &SSH{Host: host, Sudo: f.flag("sudo"), DeclRange: b.ssh.rng}
	if text, attr, ok := f.text("host"); ok {
		if !isHost(text) {
			hint := ""
			if strings.Contains(text, ":") {
				hint = " The port goes into an attribute of its own, port."
			}
			f.fail(attr, attr.Expr.Range(), "Invalid host", "%q is neither an IP address nor a host name.%s", text, hint)
		}
		out.Host = text
	} else if b.addr.Block == plan.BlockGateway && b.ssh.attrs["host"] == nil {
		l.fail(b.ssh.rng, "Missing host", "%s needs the address to connect to: add host to its ssh block.", b.addr)
	}
	if port, attr, ok := f.whole("port"); ok {
		if port < 1 || port > 65535 {
			f.fail(attr, attr.Expr.Range(), "Invalid port", "%d is outside 1-65535.", port)
		}
		out.Port = port
	}
	if text, attr, ok := f.text("timeout"); ok {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			f.fail(attr, attr.Expr.Range(), "Invalid duration", "%q is not a length of time. Write it like \"10s\" or \"1m30s\".", text)
		}
		out.Timeout = d
	}
	out.User = f.word("user")
	out.IdentityFile = f.word("identity_file")
	out.KnownHostsFile = f.word("known_hosts_file")
	f.jump(out)
	return out
}

// word is a text that goes out as it is: not empty, and without control
// characters, which no user or file needs and which could fool a terminal.
func (f *fields) word(name string) string {
	text, attr, ok := f.text(name)
	if !ok {
		return ""
	}
	isControl := func(r rune) bool { return r < ' ' || r == 0x7f }
	if text == "" || strings.ContainsFunc(text, isControl) {
		f.fail(attr, attr.Expr.Range(), "Invalid value", "%s must not be empty nor hold control characters. Leave it out for the default.", name)
	}
	return text
}

// isHost says whether s names a host. What looks like an IPv4 address has to
// be one.
func isHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return hostname.MatchString(s) && strings.Trim(s, "0123456789.") != ""
}
