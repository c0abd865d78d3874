package linuxgw

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/btplan/btplan/internal/iptables"
	"github.com/btplan/btplan/internal/netfilter"
	"github.com/btplan/btplan/plan"
)

// readForwards reads the forwards of our chains.
func (c *chains) readForwards() ([]entry, error) {
	var out []entry
	read := func(six bool, table, kind string, holds func(iptables.Rule) bool) error {
		chain, _ := c.In(netfilter.TableID{Six: six, Name: table}).Chain(c.Chain(kind))
		for _, r := range chain.Rules {
			if !holds(r) {
				continue
			}
			e, err := readForward(r, six)
			if err != nil {
				return fmt.Errorf("%s can't be made sense of: the rule %q: %w. If nothing else is of use, flush it by hand and apply again", chain.Name, r, err)
			}
			out = append(out, e)
		}
		return nil
	}
	all := func(iptables.Rule) bool { return true }
	for _, err := range []error{
		read(false, "nat", dnatChain, all),
		read(true, "nat", dnatChain, all),
		read(true, "filter", fwdChain, isUntranslated),
	} {
		if err != nil {
			return nil, err
		}
	}
	return joinEntries(out), nil
}

// isUntranslated says whether a rule is one of throughRules for packets to a
// machine that no DNAT has led there.
func isUntranslated(r iptables.Rule) bool {
	return r.Value("--ctdir") == "ORIGINAL" && r.Value("--ctstate") == ""
}

// readForward reads one rule of dnatRules or throughRules that holds an entry,
// or one like it.
func readForward(r iptables.Rule, six bool) (entry, error) {
	for _, o := range r.Options {
		if o.Not || !slices.Contains([]string{"-p", "-s", "-d", "-m", "-j", "--dport", "--ctdir", "--comment", "--to-destination"}, o.Name) {
			return entry{}, fmt.Errorf("it has %s", o.Name)
		}
	}
	e := entry{plan.Rule{Kind: plan.Forward, Protocol: plan.Protocol(r.Value("-p"))}, r.Comment()}
	var err error
	if e.rule.Ports, err = netfilter.ParseColon(r.Value("--dport")); err != nil {
		return e, err
	}
	source := netip.MustParsePrefix(netfilter.Anywhere(six))
	if s := r.Value("-s"); s != "" {
		if source, err = netip.ParsePrefix(s); err != nil {
			return e, err
		}
	}
	e.rule.Sources = []netip.Prefix{source}
	if e.rule.To, err = readTarget(r, e.rule.Ports); err != nil {
		return e, err
	}
	if e.rule.To.Addr().Is6() != six {
		return e, fmt.Errorf("it leads to %s, an address of the other IP version", e.rule.To.Addr())
	}
	check := e.rule
	check.Sources = nil // not joined yet
	return e, check.Check()
}

// readTarget reads where a rule leads, or lets pass to, packets for these ports.
// Over IPv6 that has to be where they were going.
func readTarget(r iptables.Rule, ports plan.PortRange) (netip.AddrPort, error) {
	var machine netip.Prefix
	if d := r.Value("-d"); d != "" {
		var err error
		if machine, err = netip.ParsePrefix(d); err != nil || !machine.IsSingleIP() || !machine.Addr().Is6() {
			return netip.AddrPort{}, fmt.Errorf("it is for packets to %q only", d)
		}
	}
	to := r.Value("--to-destination")
	addr, addrErr := netip.ParseAddr(to)
	target, targetErr := netip.ParseAddrPort(to)
	switch {
	case r.Target() == "ACCEPT" && to == "" && machine.IsValid():
		target = netip.AddrPortFrom(machine.Addr(), ports.First)
	case r.Target() != "DNAT" || r.Value("--ctdir") != "":
		return target, errors.New("it leads to no machine")
	case addrErr == nil:
		target = netip.AddrPortFrom(addr, ports.First)
	case targetErr != nil:
		return target, targetErr
	case ports.Count() != 1:
		return target, errors.New("it leads a range to one port")
	}
	if target.Addr().Is6() && machine.Addr() != target.Addr() {
		return target, fmt.Errorf("it sends packets for %s to %s", machine, target)
	}
	return target, nil
}
