package nft

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/btplan/btplan/plan"
)

// Element is one element of a set or map: a key of one or more parts, and for
// a map what it leads to.
type Element struct {
	Key     []Datum
	Value   []Datum // none in a set
	Comment string
}

// Datum is one part of a key or value: a single value, From, or a run of
// values or a prefix. Numbers stand in their decimal spelling.
type Datum struct {
	From, To string // To is empty unless this is a run
	Bits     int    // the length of a prefix; -1: not a prefix
}

// Elements decodes the elements. It fails on anything but plain values, runs,
// prefixes and concatenations of them.
func (s Set) Elements() ([]Element, error) {
	if len(s.Elem) == 0 {
		return nil, nil
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(s.Elem, &raw); err != nil {
		return nil, fmt.Errorf("set %s of %s: %w", s.Name, s.In(), err)
	}
	out := make([]Element, 0, len(raw))
	for _, r := range raw {
		e, err := parseElement(r, s.IsMap)
		if err != nil {
			return nil, fmt.Errorf("set %s of %s has an element that can't be read: %w", s.Name, s.In(), err)
		}
		out = append(out, e)
	}
	return out, nil
}

func parseElement(raw json.RawMessage, isMap bool) (e Element, err error) {
	key := raw
	if isMap {
		var pair []json.RawMessage
		if err := json.Unmarshal(raw, &pair); err != nil {
			return e, err
		}
		if len(pair) != 2 {
			return e, fmt.Errorf("a map's element has a key and a value, not %d parts", len(pair))
		}
		key = pair[0]
		if e.Value, err = parseData(pair[1]); err != nil {
			return e, err
		}
	}
	var wrapped struct {
		Elem *struct {
			Val     json.RawMessage `json:"val"`
			Comment string          `json:"comment"`
		} `json:"elem"`
	}
	if isObject(key) {
		if err := json.Unmarshal(key, &wrapped); err != nil {
			return e, err
		}
	}
	if wrapped.Elem != nil {
		key, e.Comment = wrapped.Elem.Val, wrapped.Elem.Comment
	}
	e.Key, err = parseData(key)
	return e, err
}

func isObject(raw json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte("{"))
}

// parseData reads a value or a concatenation of values.
func parseData(raw json.RawMessage) ([]Datum, error) {
	if isObject(raw) {
		var concat struct {
			Parts []json.RawMessage `json:"concat"`
		}
		if err := json.Unmarshal(raw, &concat); err != nil {
			return nil, err
		}
		if concat.Parts != nil {
			out := make([]Datum, 0, len(concat.Parts))
			for _, p := range concat.Parts {
				d, err := ParseDatum(p)
				if err != nil {
					return nil, err
				}
				out = append(out, d)
			}
			return out, nil
		}
	}
	d, err := ParseDatum(raw)
	return []Datum{d}, err
}

// ParseDatum reads "tcp", 6881, {"range": [6881, 6889]} or
// {"prefix": {"addr": "10.0.0.0", "len": 8}}.
func ParseDatum(raw json.RawMessage) (Datum, error) {
	if !isObject(raw) {
		s, err := parseScalar(raw)
		return Datum{From: s, Bits: -1}, err
	}
	var object struct {
		Range  []json.RawMessage `json:"range"`
		Prefix *struct {
			Addr string `json:"addr"`
			Len  int    `json:"len"`
		} `json:"prefix"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return Datum{}, err
	}
	switch {
	case len(object.Range) == 2:
		from, err := parseScalar(object.Range[0])
		if err != nil {
			return Datum{}, err
		}
		to, err := parseScalar(object.Range[1])
		return Datum{From: from, To: to, Bits: -1}, err
	case object.Prefix != nil && object.Prefix.Len >= 0:
		return Datum{From: object.Prefix.Addr, Bits: object.Prefix.Len}, nil
	}
	return Datum{}, errors.New("it is neither a value nor a range nor a prefix")
}

func parseScalar(raw json.RawMessage) (string, error) {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s, nil
	}
	var n json.Number
	if err := json.Unmarshal(raw, &n); err != nil {
		return "", errors.New("it is neither a string nor a number")
	}
	return n.String(), nil
}

// Ports reads d as a port or a run of ports.
func (d Datum) Ports() (plan.PortRange, error) {
	s := d.From
	if d.To != "" {
		s += "-" + d.To
	}
	if d.Bits >= 0 {
		return plan.PortRange{}, fmt.Errorf("%s/%d is not a port", d.From, d.Bits)
	}
	return plan.ParsePortRange(s)
}

// Addr reads d as one address.
func (d Datum) Addr() (netip.Addr, error) {
	if d.To != "" || d.Bits >= 0 {
		return netip.Addr{}, fmt.Errorf("%s is not a single address", d)
	}
	return netip.ParseAddr(d.From)
}

// Prefix reads d as a prefix; a single address is one of full length. A run
// that no prefix covers exactly is an error.
func (d Datum) Prefix() (netip.Prefix, error) {
	from, err := netip.ParseAddr(d.From)
	if err != nil {
		return netip.Prefix{}, err
	}
	if d.Bits >= 0 {
		return from.Prefix(d.Bits)
	}
	if d.To == "" {
		return netip.PrefixFrom(from, from.BitLen()), nil
	}
	to, err := netip.ParseAddr(d.To)
	if err != nil {
		return netip.Prefix{}, err
	}
	for bits := range from.BitLen() + 1 {
		p := netip.PrefixFrom(from, bits)
		if p == p.Masked() && lastOf(p) == to {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("%s is not a prefix", d)
}

// lastOf is the highest address of p.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	last, _ := netip.AddrFromSlice(b) // of the length that it came with
	return last
}

// String is d as nft spells it.
func (d Datum) String() string {
	switch {
	case d.To != "":
		return d.From + "-" + d.To
	case d.Bits >= 0:
		return d.From + "/" + strconv.Itoa(d.Bits)
	}
	return d.From
}
