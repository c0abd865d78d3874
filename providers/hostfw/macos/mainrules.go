package macos

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/btplan/btplan/plan"
)

// pfRule is a rule of others, as far as it has to do with us.
type pfRule struct {
	text     string
	block    bool
	quick    bool
	early    bool // it stands before the anchors of com.apple
	in, out  bool // the ways of its packets
	narrow   bool // it is for some packets only, by what is of no concern here: an interface, a user
	vague    bool // it is for ports that can't be told
	protocol plan.Protocol
	sources  []netip.Prefix  // who sends; of a rule for one IP version, all of that; nil: anyone
	ports    *plan.PortRange // nil: all
}

// anyone says whether r is for all senders, of one IP version at least.
func (r pfRule) anyone() bool { return len(r.sources) == 0 || r.sources[0].Bits() == 0 }

// pfServices are the numbers of ports that pfctl lists by their names in
// /etc/services, as "port = ssh": by protocol and name, with a blank between.
type pfServices map[string]uint16

// parsePFServices reads lines such as "ssh tcp 22".
func parsePFServices(lines []byte) pfServices {
	services := pfServices{}
	for line := range strings.Lines(string(lines)) {
		if f := strings.Fields(line); len(f) == 3 {
			if n, err := strconv.ParseUint(f[2], 10, 16); err == nil {
				services[f[1]+" "+f[0]] = uint16(n)
			}
		}
	}
	return services
}

// parsePFMain reads the rules that pfctl lists, and says whether they call the
// anchors of com.apple.
func parsePFMain(rules []byte, services pfServices) (out []pfRule, called bool) {
	for line := range strings.Lines(string(rules)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, `anchor "com.apple/*"`) {
			called = true
			continue
		}
		if r, is := parsePFRule(line, services); is {
			r.early = !called
			out = append(out, r)
		}
	}
	return out, called
}

// pfAside is what stands in a rule and says nothing of which packets it is for,
// as far as it has several words: pf.conf(5).
var pfAside = regexp.MustCompile(` (label "[^"]*"|log \([^)]*\)|return(-rst|-icmp6?)?( ?\([^)]*\))?|flags (S/SA|any)|(keep|modulate|synproxy|no) state)( |$)`)

// parsePFRule reads a rule such as
//
//	block drop in quick on en0 inet proto tcp from any to any port = 6881
//
// and says whether it is one for packets of TCP or UDP. A word that isn't known
// makes it a narrow one.
func parsePFRule(line string, services pfServices) (r pfRule, is bool) {
	plain := line
	// Of those next to each other each time every other one is found. A rule has
	// four at most, and what is hostile must not keep us here.
	for range 4 {
		plain = pfAside.ReplaceAllString(plain, " ")
	}
	w := pfWords(strings.Fields(plain))
	action := w.next()
	r = pfRule{text: line, block: action == "block", in: true, out: true}
	inet, from, to := "", "any", false
	for word := w.next(); word != ""; word = w.next() {
		switch word {
		case "drop", "log", "all", "allow-opts":
		case "in":
			r.out = false
		case "out":
			r.in = false
		case "quick":
			r.quick = true
		case "inet", "inet6":
			inet = word
		case "proto":
			r.protocol = plan.Protocol(w.next())
		case "from":
			from = w.next()
		case "to":
			to = true
			r.narrow = w.next() != "any" || r.narrow
		case "port":
			ports, known := w.ports(r.protocol, services)
			switch {
			case !to:
				r.narrow = true // the sender's port
			case !known:
				r.vague = true
			default:
				r.ports = &ports
			}
		default:
			r.narrow = true
		}
	}
	sources, known := pfSource(inet, from)
	r.narrow = r.narrow || !known || r.out && from != "any"
	if len(sources) == 1 {
		r.sources = sources
	}
	return r, (action == "pass" || action == "block") && (r.protocol == "" || r.protocol == plan.TCP || r.protocol == plan.UDP)
}

// pfWords are words of a rule that are still to be read.
type pfWords []string

// next takes the first word; "": there is none.
func (w *pfWords) next() string {
	if len(*w) == 0 {
		return ""
	}
	word := (*w)[0]
	*w = (*w)[1:]
	return word
}

// ports reads what stands behind "port": "= 6881", "= ssh", "6881:6889",
// "> 1023", "6880 >< 6890". What are two ranges, "!= 22" and "1 <> 9", is not
// known.
func (w *pfWords) ports(protocol plan.Protocol, services pfServices) (p plan.PortRange, known bool) {
	number := func(s string) int {
		if n, err := strconv.ParseUint(s, 10, 16); err == nil {
			return int(n)
		}
		return int(services[string(protocol)+" "+s]) // 0 if it isn't there, which no range may hold
	}
	const last = 65535
	first := w.next()
	low, high := 0, 0
	switch first {
	case "=":
		low = number(w.next())
		high = low
	case "<", "<=":
		low, high = 1, number(w.next())
		if first == "<" {
			high--
		}
	case ">", ">=":
		low, high = number(w.next()), last
		if first == ">" && low > 0 {
			low++
		}
	case "!=":
		w.next()
	default:
		if from, to, isRange := strings.Cut(first, ":"); isRange {
			low, high = number(from), number(to)
		} else if word := w.next(); word == "><" {
			low, high = number(first)+1, number(w.next())-1
		} else {
			w.next()
		}
	}
	return plan.PortRange{First: uint16(max(low, 0)), Last: uint16(max(high, 0))}, 0 < low && low <= high && high <= last
}
