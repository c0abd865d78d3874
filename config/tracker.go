package config

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Tracker is a server that a machine's clients have to reach. To the machine's
// firewall only the port matters: a name is nowhere looked up, since what it
// leads to changes without notice, and is not the same everywhere.
type Tracker struct {
	Host     string // a name or an address, as it is written but for brackets
	Protocol plan.Protocol
	Port     uint16
}

// trackerPort is the port of a tracker that is written without one: what
// opentracker and others listen on unless told otherwise. There is none
// assigned.
const trackerPort = 6969

// String is t as an author could write it: "tracker.example:6969",
// "udp://[2001:db8::1]:1337". A path, in which private trackers have a user's
// passkey, is not kept.
func (t Tracker) String() string {
	address := net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
	if t.Protocol == plan.UDP {
		return "udp://" + address
	}
	return address
}

// trackers reads the attribute trackers, and says where it is written.
func (f *fields) trackers() ([]Tracker, hcl.Range) {
	list, ok := f.list("trackers")
	if !ok {
		return nil, hcl.Range{}
	}
	var out []Tracker
	for _, e := range list {
		text, is := e.text()
		if !is {
			continue
		}
		t, mistake := parseTracker(text)
		if mistake != "" {
			f.fail(e.attr, e.at(), "Invalid tracker", "%s", mistake)
			continue
		}
		out = append(out, t)
	}
	return out, f.attrs["trackers"].Range
}

// parseTracker reads "HOST", "HOST:PORT", or the URL of an announce as it
// stands in a .torrent file. It says what is wrong with anything else, without
// what may be a secret: all of a URL but its scheme and host.
func parseTracker(s string) (Tracker, string) {
	if scheme, rest, isURL := strings.Cut(s, "://"); isURL {
		authority, _ := cutPath(rest)
		return parseAnnounce(strings.ToLower(scheme), authority)
	}
	if address, cut := cutPath(s); cut {
		return Tracker{}, fmt.Sprintf("%q has something behind the port, as a URL has. Leave that out, or write the URL with \"http://\", \"https://\" or \"udp://\" before it.", address+"/...")
	}
	return parseTarget(Tracker{Protocol: plan.TCP, Port: trackerPort}, s, s)
}

// cutPath takes the path of a URL away, and what follows it.
func cutPath(s string) (before string, cut bool) {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		return s[:i], true
	}
	return s, false
}

// schemes are the ways to ask a tracker, and their usual ports: by HTTP (BEP 3)
// and by UDP (BEP 15), which has none.
var schemes = map[string]Tracker{
	"http":  {Protocol: plan.TCP, Port: 80},
	"https": {Protocol: plan.TCP, Port: 443},
	"udp":   {Protocol: plan.UDP},
}

// parseAnnounce reads the scheme and the authority of a URL (RFC 3986, 3.2).
func parseAnnounce(scheme, authority string) (Tracker, string) {
	t, known := schemes[scheme]
	if !known {
		return Tracker{}, fmt.Sprintf("%q is not a way to ask a tracker; there are \"http\", \"https\" and \"udp\".%s", scheme, didYouMean(scheme, sortedKeys(schemes)))
	}
	// A user's name and password may come first.
	address := authority[strings.LastIndexByte(authority, '@')+1:]
	return parseTarget(t, address, scheme+"://"+address)
}

// parseTarget reads a host with or without a port into t, which has the usual
// port if there is one. shown is what the author has written of it.
func parseTarget(t Tracker, address, shown string) (Tracker, string) {
	host, port, hasPort := strings.Cut(address, ":")
	if inner, rest, bracketed := strings.Cut(strings.TrimPrefix(address, "["), "]"); bracketed && address[0] == '[' {
		a, err := netip.ParseAddr(inner)
		if err != nil || !a.Is6() || a.Zone() != "" {
			return Tracker{}, fmt.Sprintf("%q is not an IPv6 address, for which the brackets in %q are.", inner, shown)
		}
		host = inner
		if port, hasPort = strings.CutPrefix(rest, ":"); !hasPort && rest != "" {
			return Tracker{}, fmt.Sprintf("%q goes on behind the bracket, where only a colon and a port may stand.", shown)
		}
	} else if a, err := netip.ParseAddr(address); err == nil && a.Is6() {
		return Tracker{}, fmt.Sprintf("%q is an IPv6 address, which needs brackets here. Write \"[%s]\".", shown, a)
	}
	switch {
	case !isHost(host):
		return Tracker{}, fmt.Sprintf("%q is not a tracker. Write \"HOST\" for port %d, \"HOST:PORT\", or the URL of the announce; HOST is an IP address or a host name.", shown, trackerPort)
	case !hasPort && t.Port == 0:
		return Tracker{}, fmt.Sprintf("%q has no port, and there is no usual one over UDP. Write \"%s:PORT\".", shown, shown)
	case hasPort:
		r, err := plan.ParsePortRange(port)
		if err != nil || r.Count() != 1 {
			return Tracker{}, fmt.Sprintf("%q in %q is not a port: ports are the whole numbers from 1 to 65535.", port, shown)
		}
		t.Port = r.First
	}
	t.Host = host
	return t, ""
}

// trackerObject is what a reference to m.trackers gets: null if it has none, as
// if the attribute had been left out.
func (m *Machine) trackerObject() cty.Value {
	if len(m.Trackers) == 0 {
		return cty.NullVal(cty.List(cty.String))
	}
	return texts(m.Trackers, Tracker.String)
}

// outbound are the rules that let m out to its trackers.
func (m *Machine) outbound() []plan.Rule {
	var out []plan.Rule
	for _, t := range m.Trackers {
		r := plan.Rule{Kind: plan.Outbound, Protocol: t.Protocol, Ports: plan.PortRange{First: t.Port, Last: t.Port}}
		if !slices.ContainsFunc(out, r.Equal) {
			out = append(out, r)
		}
	}
	return out
}
