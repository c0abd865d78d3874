package plan

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The kinds of block that have an address.
const (
	BlockMachine   = "machine"
	BlockGateway   = "gateway"
	BlockPortRange = "port_range"
)

// Addr is the address of one block of a configuration: machine.seedbox,
// gateway.edge, port_range.bt["alice"]. The zero Addr is nothing's address.
// Addrs can be compared with == and used as map keys.
type Addr struct {
	Block string // BlockMachine, BlockGateway or BlockPortRange
	Name  string // the block's label, an HCL identifier
	Key   Key    // which instance, where the block has for_each or count
}

// IsZero says whether a is the address of nothing.
func (a Addr) IsZero() bool { return a == Addr{} }

// String is the address as people write it.
func (a Addr) String() string {
	if a.IsZero() {
		return ""
	}
	return a.Block + "." + a.Name + a.Key.String()
}

// Base is a without its key: the address of the block and of all its instances.
func (a Addr) Base() Addr { return Addr{Block: a.Block, Name: a.Name} }

// Covers says whether naming a means b too: they are the same, or a is a
// block with for_each or count and b one of its instances.
func (a Addr) Covers(b Addr) bool {
	return a == b || a.Key == NoKey && a == b.Base()
}

// Compare orders addresses by block, name and key; count's numbers in
// numerical order.
func (a Addr) Compare(b Addr) int {
	if c := cmp.Compare(a.Block, b.Block); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	return a.Key.compare(b.Key)
}

// ParseAddr reads what [Addr.String] writes.
func ParseAddr(s string) (Addr, error) {
	block, rest, found := strings.Cut(s, ".")
	if !found {
		return Addr{}, fmt.Errorf("%q is not an address: expected one like port_range.seedbox", s)
	}
	switch block {
	case BlockMachine, BlockGateway, BlockPortRange:
	default:
		return Addr{}, fmt.Errorf("%q is not an address: it must begin with machine, gateway or port_range", s)
	}
	name, key := rest, NoKey
	if i := strings.IndexByte(rest, '['); i >= 0 {
		name = rest[:i]
		var err error
		if key, err = parseKey(rest[i:]); err != nil {
			return Addr{}, fmt.Errorf("%q is not an address: %w", s, err)
		}
	}
	if !isIdentifier(name) {
		return Addr{}, fmt.Errorf("%q is not an address: %q is not a name", s, name)
	}
	return Addr{Block: block, Name: name, Key: key}, nil
}

// isIdentifier says whether s can be a block's name, that is, whether it is an
// identifier of HCL.
func isIdentifier(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_':
		case i > 0 && ('0' <= c && c <= '9' || c == '-'):
		case c >= utf8.RuneSelf:
			// HCL's scanner knows Unicode's classes, but it takes its time,
			// and some bytes that are not UTF-8.
			return utf8.ValidString(s) && hclsyntax.ValidIdentifier(s)
		default:
			return false
		}
	}
	return s != ""
}

// Key tells apart the instances of a block with for_each (a string) or count
// (a number). The zero Key is [NoKey].
type Key struct {
	kind keyKind
	text string
	num  int
}

type keyKind uint8

const (
	noKey keyKind = iota
	numKey
	textKey
)

// NoKey is the key of a block with neither for_each nor count.
var NoKey = Key{}

// TextKey is the key of an instance made by for_each.
func TextKey(s string) Key { return Key{kind: textKey, text: s} }

// NumKey is the key of an instance made by count, from 0.
func NumKey(n int) Key { return Key{kind: numKey, num: n} }

// String is the key in its brackets, ["alice"] or [0]; empty for NoKey.
func (k Key) String() string {
	switch k.kind {
	case numKey:
		return "[" + strconv.Itoa(k.num) + "]"
	case textKey:
		return "[" + strconv.Quote(k.text) + "]"
	}
	return ""
}

// Value is the key as a plain value: a string, an int, or nil for NoKey.
func (k Key) Value() any {
	switch k.kind {
	case numKey:
		return k.num
	case textKey:
		return k.text
	}
	return nil
}

func (k Key) compare(o Key) int {
	return cmp.Or(cmp.Compare(k.kind, o.kind), cmp.Compare(k.num, o.num), cmp.Compare(k.text, o.text))
}

// parseKey reads a key in its brackets.
func parseKey(s string) (Key, error) {
	inner, found := strings.CutSuffix(s[1:], "]")
	if !found {
		return Key{}, fmt.Errorf("the bracket of %q is not closed", s)
	}
	if strings.HasPrefix(inner, `"`) {
		text, err := strconv.Unquote(inner)
		if err != nil {
			return Key{}, fmt.Errorf("%s is not a quoted string", inner)
		}
		return TextKey(text), nil
	}
	// Atoi alone would take +1 and 007, which name the same instance twice.
	num, err := strconv.Atoi(inner)
	if err != nil || num < 0 || strconv.Itoa(num) != inner {
		return Key{}, fmt.Errorf("%q is neither a number nor a quoted string", inner)
	}
	return NumKey(num), nil
}
