package linuxgw

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/btplan/btplan/internal/nft"
	"github.com/btplan/btplan/plan"
)

// readEntries reads the forwards of a table of btplan's.
func readEntries(rs *nft.Ruleset, t nft.Table) ([]entry, error) {
	var out []entry
	for _, store := range stores {
		set, _ := rs.Set(t, store.name)
		elements, err := set.Elements()
		if err != nil {
			return nil, err
		}
		for _, e := range elements {
			r, err := store.read(e)
			if err != nil {
				return nil, fmt.Errorf("%s has an element that can't be read: %w", store.name, err)
			}
			if strings.ContainsFunc(e.Comment, func(c rune) bool { return c == '"' || c < ' ' || c == 0x7f }) {
				return nil, errors.New("a comment in it has a quote or a control character")
			}
			out = append(out, entry{r, e.Comment})
		}
	}
	return joinEntries(out), nil
}

// read reads one element of the store.
func (s store) read(e nft.Element) (r plan.Rule, err error) {
	key, value := e.Key, e.Value
	if s.six && len(key) > 0 {
		// The machine's address is in the key, and must be the one that the
		// element leads to.
		if len(value) > 0 && value[0] != key[0] {
			return r, fmt.Errorf("it sends packets for %s to %s", key[0], value[0])
		}
		value = append(key[:1:1], value[min(1, len(value)):]...)
		key = key[1:]
	}
	wantValue := 1
	if s.shifted {
		wantValue = 2
	}
	if len(key) != 3 || len(value) != wantValue {
		return r, fmt.Errorf("it has %d and %d parts", len(e.Key), len(e.Value))
	}
	r.Kind = plan.Forward
	if r.Protocol = plan.Protocol(key[0].String()); r.Protocol != plan.TCP && r.Protocol != plan.UDP {
		return r, fmt.Errorf("its protocol is %q", key[0])
	}
	if r.Ports, err = key[1].Ports(); err != nil {
		return r, err
	}
	source, err := key[2].Prefix()
	if err != nil {
		return r, err
	}
	r.Sources = []netip.Prefix{source}
	addr, err := value[0].Addr()
	if err != nil {
		return r, err
	}
	if addr.Is6() != s.six || source.Addr().Is6() != s.six {
		return r, fmt.Errorf("%s and %s are not of the same IP version", addr, source)
	}
	port := r.Ports.First
	if s.shifted {
		to, err := value[1].Ports()
		if err != nil {
			return r, err
		}
		if to.Count() != 1 || r.Ports.Count() != 1 {
			return r, fmt.Errorf("it sends %s to %s, a range to one port", r.Ports, to)
		}
		port = to.First
	}
	r.To = netip.AddrPortFrom(addr, port)
	return r, nil
}

// readPassing gives the elements of a passSet, spelt as passElements spells
// them.
func readPassing(rs *nft.Ruleset, t nft.Table, six bool) ([]string, error) {
	set, _ := rs.Set(t, passSet(six))
	elements, err := set.Elements()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range elements {
		if len(e.Key) != 4 {
			return nil, fmt.Errorf("set %s has an element of %d parts", set.Name, len(e.Key))
		}
		source, err := e.Key[3].Prefix()
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("%s . %s . %s . %s", e.Key[0], e.Key[1], e.Key[2], source))
	}
	return out, nil
}
