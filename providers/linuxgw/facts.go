package linuxgw

import (
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/boot"
	"github.com/btplan/btplan/internal/guarded"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/internal/script"
)

// readScript prints what is to be known of a gateway. Everything is read in one
// round trip, and nothing is changed by it.
func (g *gateway) readScript() string {
	return script.Head + script.SectionHead + script.SharedLock + g.readSections() + "exit 0\n"
}

func (g *gateway) readSections() string {
	return g.reading().Script() + script.LockSection + `section network
cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding /proc/net/route /proc/net/dev 2>/dev/null
` + guarded.LoginSection + g.boot().Section()
}

func (g *gateway) reading() netfilter.Reading {
	return netfilter.Reading{
		Names: g.names(), Asked: g.backend, Maps: true,
		Words: netfilter.Words{Device: noun, Setting: "backend = %q"},
	}
}

// facts is what a gateway told of itself.
type facts struct {
	*netfilter.Facts
	canLock     bool // as far as the programs go
	forwarding  bool // net.ipv4.ip_forward
	forwarding6 bool // net.ipv6.conf.all.forwarding
	routes      routes
	interfaces  []string
	login       guarded.Login
	boot        boot.State
}

// parseFacts reads what readScript printed.
func (g *gateway) parseFacts(out []byte) (*facts, error) {
	sections := script.Parse(out)
	for _, name := range []string{"lock", "network", "login", "boot"} {
		if _, ok := sections[name]; !ok {
			return nil, fmt.Errorf("the gateway's answer is incomplete: it has no section %q", name)
		}
	}
	network := string(sections["network"])
	f := &facts{
		canLock:    script.CanLock(sections["lock"]),
		routes:     parseRoutes(network),
		interfaces: parseInterfaces(network),
		login:      guarded.ParseLogin(sections["login"]),
		boot:       boot.Parse(sections["boot"]),
	}
	f.forwarding, f.forwarding6 = parseForwarding(network)
	var err error
	f.Facts, err = g.reading().Parse(sections)
	return f, err
}

// parseForwarding reads the values of net.ipv4.ip_forward and, where there is
// IPv6, of net.ipv6.conf.all.forwarding: a line each, above the first table.
func parseForwarding(network string) (four, six bool) {
	var on []bool
	for line := range strings.Lines(network) {
		value := strings.TrimSpace(line)
		if len(value) != 1 {
			break
		}
		on = append(on, value == "1")
	}
	return len(on) > 0 && on[0], len(on) > 1 && on[1]
}

// parseInterfaces gives the names in /proc/net/dev: those before the colons,
// below two lines of headings. A name may hold a colon of its own.
func parseInterfaces(dev string) []string {
	var out []string
	for line := range strings.Lines(dev) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.Contains(line, "|") {
			continue
		}
		if i := strings.LastIndexByte(fields[0], ':'); i > 0 {
			out = append(out, fields[0][:i])
		}
	}
	slices.Sort(out)
	return out
}
