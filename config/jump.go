package config

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// jumpExpr is the expression of the ssh block's jump, if n has one.
func (n *node) jumpExpr() hcl.Expression {
	if n.block == nil || n.block.ssh == nil || n.block.ssh.attrs["jump"] == nil {
		return nil
	}
	return n.block.ssh.attrs["jump"].Expr
}

// jump reads by way of which host another is reached: a machine, a gateway, or
// a chain of hosts in words.
func (f *fields) jump(out *SSH) {
	v, attr, ok := f.get("jump")
	if !ok {
		return
	}
	at := attr.Expr.Range()
	id, isBlock, known := identify(v)
	switch {
	case !known:
		f.unclear = true
	case isBlock:
		out.Jump = f.jumpBlock(id, attr)
	case v.Type() == cty.String && v.AsString() == "none":
		out.Direct = true
	case v.Type() == cty.String && f.l.byName[v.AsString()] != nil:
		f.fail(attr, at, "Invalid jump host", "This is a string, not the block. Write %s, without quotes.", v.AsString())
	case v.Type() == cty.String:
		for part := range strings.SplitSeq(v.AsString(), ",") {
			hop, ok := parseHop(strings.TrimSpace(part))
			if !ok {
				f.fail(attr, at, "Invalid jump host", "%q is not a host: write \"user@host:port\", where the user and the port may be left out, or refer to a machine or gateway without quotes. Several hosts stand in the order of the way, with commas between.", part)
				out.Jump = nil
				return
			}
			hop.DeclRange, hop.Jump = at, out.Jump
			out.Jump = hop
		}
	case several(v):
		f.fail(attr, at, "Invalid jump host", "These are several, but the way goes by one. Name one of them, as in machine.NAME[each.key].")
	default:
		f.fail(attr, at, "Invalid jump host", "jump takes a machine, a gateway or \"user@host:port\", but this is %s.", friendly(v))
	}
}

// jumpBlock gives how the machine or gateway with this address is reached.
func (f *fields) jumpBlock(id string, attr *hcl.Attribute) *SSH {
	at := attr.Expr.Range()
	var ssh *SSH
	var local bool
	if m := f.l.machineByID[id]; m != nil {
		ssh, local = m.SSH, m.Local
	} else if g := f.l.gatewayByID[id]; g != nil {
		ssh, local = g.SSH, g.Local
	} else {
		f.fail(attr, at, "Invalid jump host", "This is %s, which is neither a machine nor a gateway.", id)
		return nil
	}
	switch {
	case local:
		f.fail(attr, at, "Invalid jump host", "%s is this computer, where every way begins. Leave jump out.", id)
	case ssh == nil:
		f.fail(attr, at, "Invalid jump host", "%s has no ssh block, so that nobody knows how to reach it. Add one to it, or write \"user@host:port\" here.", id)
	}
	return ssh
}

// parseHop reads "user@host:port". The user and the port may be absent, and an
// IPv6 address with a port stands in brackets.
func parseHop(s string) (*SSH, bool) {
	out := &SSH{}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		isControl := func(r rune) bool { return r <= ' ' || r == 0x7f }
		if out.User = s[:i]; out.User == "" || strings.ContainsFunc(out.User, isControl) {
			return nil, false
		}
		s = s[i+1:]
	}
	out.Host = s
	if _, err := netip.ParseAddr(s); err != nil {
		if host, port, found := cutPort(s); found {
			n, err := strconv.ParseUint(port, 10, 16)
			if err != nil || n == 0 {
				return nil, false
			}
			out.Host, out.Port = host, int(n)
		}
	}
	return out, isHost(out.Host)
}

// cutPort parts "host:port".
func cutPort(s string) (host, port string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return s, "", false
	}
	host = s[:i]
	if inner, bracketed := strings.CutPrefix(host, "["); bracketed {
		host, bracketed = strings.CutSuffix(inner, "]")
		return host, s[i+1:], bracketed && strings.Contains(host, ":")
	}
	return host, s[i+1:], true
}
