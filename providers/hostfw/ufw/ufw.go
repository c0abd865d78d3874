// Package ufw is Ubuntu's "uncomplicated firewall": see ufw(8). Rules are made by
// its own command, and read from the files in which it keeps them.
package ufw

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/btplan/btplan/internal/script"
	"github.com/btplan/btplan/plan"
	"github.com/btplan/btplan/providers"
	"github.com/btplan/btplan/providers/hostfw/host"
)

// Kind is ufw, the firewall of Ubuntu, which Debian has too: see ufw(8).
// It keeps rules in files of its own, from which `ufw status` and the kernel's
// rules are made; to read these takes a fifth of the time of `ufw status`.
var Kind = host.Kind{Name: "ufw", Script: readScript, Read: readUFW}

// files are what a change is made from.
const files = "/etc/ufw/ufw.conf /etc/default/ufw /etc/ufw/user.rules /etc/ufw/user6.rules"

// readScript prints ufw's files, what we wrote last, and the rules that are in
// force.
func readScript(project string, _ bool) string {
	return `if command -v ufw >/dev/null && [ -e /etc/ufw/ufw.conf ]; then
	section ufw-conf
	cat /etc/ufw/ufw.conf
	section ufw-defaults
	cat /etc/default/ufw
	section ufw-rules
	cat /etc/ufw/user.rules || exit
	section ufw-rules6
	cat /etc/ufw/user6.rules || exit
	section ufw-written
	[ ! -e ` + writtenFile(project) + ` ] || cat ` + writtenFile(project) + ` || exit
	if grep -qx 'ENABLED=["'\'']*yes["'\'']*' /etc/ufw/ufw.conf; then
		section ufw-chain
		iptables -w -S ufw-user-input 2>/dev/null && iptables -w -S ufw-user-output 2>/dev/null
		section ufw-chain6
		ip6tables -w -S ufw6-user-input 2>/dev/null && ip6tables -w -S ufw6-user-output 2>/dev/null
	fi
fi
`
}

// ufw is a ufw in the state in which it was read.
type ufw struct {
	host.KeepsRules
	project string
	active  bool
	ipv6    bool // it filters IPv6 by rules
	files   []byte
	rules   [2][]tuple // of IPv4 and of IPv6, in order
	ours    []ours
	written []byte
}

// ours is one rule of ours, as ufw holds it for IPv4, for IPv6 or for both.
type ours struct {
	tuple
	owner  plan.Addr
	six    [2]bool // whether it is there for IPv4 and for IPv6
	marked bool    // whether its comment is our mark
	flaw   string  // why it does not work as it is; empty: it does
}

func readUFW(project string, p script.Printed) (*host.Holding, error) {
	if _, there := p["ufw-conf"]; !there {
		return nil, nil
	}
	u := &ufw{
		project: project,
		active:  setting(p["ufw-conf"], "ENABLED") == "yes",
		ipv6:    setting(p["ufw-defaults"], "IPV6") == "yes",
		files:   bytes.Join([][]byte{p["ufw-conf"], p["ufw-defaults"], p["ufw-rules"], p["ufw-rules6"]}, nil),
		written: p["ufw-written"],
	}
	for six, name := range []string{"ufw-rules", "ufw-rules6"} {
		if six == 1 && !u.ipv6 {
			continue // ufw does not look at them either
		}
		var err error
		if u.rules[six], err = parseTuples(p[name]); err != nil {
			return nil, fmt.Errorf("ufw's rules can't be made sense of: %w", err)
		}
	}
	chains := [2]string{string(p["ufw-chain"]), string(p["ufw-chain6"])}
	h := &host.Holding{Filter: u, Active: u.active, DropsOutbound: u.active && u.dropsOutbound(p["ufw-defaults"])}
	inForce := chains[0] != "" && (!u.ipv6 || chains[1] != "")
	if err := u.findOurs(chains, u.active && inForce); err != nil {
		return nil, err
	}
	h.Rules = append(u.live(), u.foreign()...)
	switch {
	case !u.active:
		h.Problems = append(h.Problems, providers.Problem{
			Summary: "ufw is not active",
			Detail:  "ufw is installed, but turned off, so it shuts no port. The rules are put there all the same, and count from when it is turned on, with ufw enable.",
			OfRules: true,
		})
	case !inForce:
		h.Problems = append(h.Problems, providers.Problem{
			Summary: "ufw's rules are not in force",
			Detail:  "ufw is enabled, but its chains are not in the kernel: something has flushed them, or ufw was not started. Run ufw reload on the machine.",
			OfRules: true,
		})
	}
	return h, nil
}

// setting gives what a shell file sets a variable to.
func setting(file []byte, name string) string {
	value := ""
	for line := range strings.Lines(string(file)) {
		if v, found := strings.CutPrefix(strings.TrimSpace(line), name+"="); found {
			value = strings.ToLower(strings.Trim(v, `"'`))
		}
	}
	return value
}

// dropsOutbound says whether ufw, when it is active, drops what no rule lets
// out: by its policy, as `ufw default deny outgoing` sets it, or by a rule
// against all of it.
func (u *ufw) dropsOutbound(defaults []byte) bool {
	if policy := setting(defaults, "DEFAULT_OUTPUT_POLICY"); policy == "drop" || policy == "reject" {
		return true
	}
	everything := func(t tuple) bool {
		return t.isPlain() && t.ports == anywhere && t.shuts(outward, plan.TCP, anywhere) && t.shuts(outward, plan.UDP, anywhere)
	}
	return slices.ContainsFunc(u.rules[0], everything) || slices.ContainsFunc(u.rules[1], everything)
}

func (u *ufw) String() string { return "ufw" }

func (u *ufw) Listing() (command string, printed []byte) {
	return "cat " + files, u.files
}

// findOurs finds our rules among the tuples, and what is wrong with each.
func (u *ufw) findOurs(chains [2]string, inForce bool) error {
	written := parseWritten(u.written)
	for six, tuples := range u.rules {
		if inForce && !strings.HasSuffix(chains[six], "\n") {
			chains[six] += "\n"
		}
		for i, t := range tuples {
			if t.action != "allow" || !t.isPlain() || t.apps != "" || len(t.protocols()) == 0 {
				continue
			}
			owner, marked, found := u.ownerOf(t, written)
			if !found {
				continue
			}
			if _, err := t.rules(six == 1); err != nil {
				return fmt.Errorf("the rule of ufw's with our mark, %s, can't be made sense of: %w. If nothing else is of use, delete it by hand and apply again", t, err)
			}
			o := u.add(t, owner, six)
			o.marked = o.marked && marked
			if inForce && !strings.Contains(chains[six], t.spec(six == 1)) {
				o.flaw = "it is not in force"
			}
			if j := slices.IndexFunc(tuples[:i], t.isBehind); j >= 0 {
				o.flaw = fmt.Sprintf("the rule %q stands before it", tuples[j])
			}
		}
	}
	for i := range u.ours {
		o := &u.ours[i]
		if o.from == anywhere && u.ipv6 && o.six != [2]bool{true, true} && !u.oneSided(o) {
			o.flaw = "it is there for one IP version only"
		}
	}
	return nil
}

// add notes a tuple of ours, together with its other half.
func (u *ufw) add(t tuple, owner plan.Addr, six int) *ours {
	i := slices.IndexFunc(u.ours, func(o ours) bool { return o.same(t) && o.owner == owner && !o.six[six] })
	if i < 0 {
		u.ours = append(u.ours, ours{tuple: t, owner: owner, marked: true})
		i = len(u.ours) - 1
	}
	u.ours[i].six[six] = true
	return &u.ours[i]
}

// oneSided says whether a rule for everyone of one IP version is meant so: the
// same ports are open to some of the other version.
func (u *ufw) oneSided(o *ours) bool {
	other := 0
	if o.six[0] {
		other = 1
	}
	return slices.ContainsFunc(u.ours, func(x ours) bool {
		return x.owner == o.owner && x.direction == o.direction && x.from != anywhere && x.six[other] && x.protocol == o.protocol && x.meets(o.tuple)
	})
}

// ownerOf says whose a tuple is, and whether it is marked so.
func (u *ufw) ownerOf(t tuple, written []written) (owner plan.Addr, marked, found bool) {
	project, owner, ok := plan.ParseMark(t.comment)
	if ok {
		return owner, true, project == u.project
	}
	for _, w := range written {
		if w.asListed().same(t) {
			_, owner, ok := plan.ParseMark(w.comment)
			return owner, false, ok
		}
	}
	return plan.Addr{}, false, false
}
