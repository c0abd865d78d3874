package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxMark is the most bytes that a mark may have. The tightest device that
// keeps a whole mark is nftables, with 128 bytes of comment
// (NFTNL_UDATA_COMMENT_MAXLEN); the rest is for the seal.
const MaxMark = 96

const markPrefix = "btplan:"

// markMachine stands before a machine's name, and nothing before a
// port_range's. No name holds a dot.
const markMachine = BlockMachine + "."

// Mark is the owner of a rule as it is written on a device that keeps
// comments: "btplan:home:seedbox", "btplan:home:bt/alice", "btplan:home:bt[0]"
// for port_ranges, "btplan:home:machine.seedbox" for a machine. It needs no
// quoting in nft, iptables, ufw or a shell's double quotes.
func Mark(project string, owner Addr) string {
	mark := markPrefix + escapeMark(project) + ":"
	if owner.Block == BlockMachine {
		mark += markMachine
	}
	mark += escapeMark(owner.Name)
	switch owner.Key.kind {
	case textKey:
		mark += "/" + escapeMark(owner.Key.text)
	case numKey:
		mark += owner.Key.String()
	}
	return mark
}

// ParseMark reads what [Mark] wrote. Anything else is nobody's mark, and so is
// one with bytes that are not UTF-8, which no configuration can hold.
func ParseMark(mark string) (project string, owner Addr, ok bool) {
	rest, found := strings.CutPrefix(mark, markPrefix)
	if !found {
		return "", Addr{}, false
	}
	rawProject, name, found := strings.Cut(rest, ":")
	if !found {
		return "", Addr{}, false
	}
	owner.Block = BlockPortRange
	if machine, is := strings.CutPrefix(name, markMachine); is {
		owner.Block, name = BlockMachine, machine
	}
	if rawName, rawKey, isText := strings.Cut(name, "/"); isText {
		text, valid := unescapeMark(rawKey)
		if !valid {
			return "", Addr{}, false
		}
		name, owner.Key = rawName, TextKey(text)
	} else if i := strings.IndexByte(name, '['); i >= 0 {
		key, err := parseKey(name[i:])
		if err != nil || key.kind != numKey {
			return "", Addr{}, false
		}
		name, owner.Key = name[:i], key
	}
	project, validProject := unescapeMark(rawProject)
	owner.Name, ok = unescapeMark(name)
	if !ok || !validProject || project == "" || !isIdentifier(owner.Name) {
		return "", Addr{}, false
	}
	return project, owner, true
}

// escapeMark leaves letters, digits and -._ as they are, and writes every
// other byte as %XX, so that no device, shell or terminal sees anything in a
// mark that means something to it.
func escapeMark(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-._", r)) {
			b.WriteString(s[i : i+size])
		} else {
			for _, c := range []byte(s[i : i+size]) {
				fmt.Fprintf(&b, "%%%02X", c)
			}
		}
		i += size
	}
	return b.String()
}

// unescapeMark undoes escapeMark, and takes nothing that escapeMark does not
// write: a mark has one spelling.
func unescapeMark(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i+3 > len(s) {
			return "", false
		}
		n, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	out := b.String()
	return out, utf8.ValidString(out) && escapeMark(out) == s
}

// Seal is 8 hexadecimal digits that stand for all the rules of one owner on
// one device. Written beside the mark, it tells later whether the rules are
// still as btplan left them: a rule set that does not match its seal has been
// changed by someone else. The order of rules makes no difference.
func Seal(rules []Rule) string {
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, Rule.Compare)
	h := sha256.New()
	for _, r := range sorted {
		fmt.Fprintf(h, "%s %s\n", r.Kind, r)
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}
