// Package plain makes text that comes from outside, from a device or a file,
// fit for a terminal: whatever would move the cursor, change colours or turn
// the line's direction becomes an escape sequence of Go's.
package plain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line is s as a part of one line: line ends and tabs are written out too.
func Line(s string) string { return escape(s, unicode.IsPrint) }

// Text is s as lines of text: line ends and tabs stay.
func Text(s string) string {
	return escape(s, func(r rune) bool { return r == '\n' || r == '\t' || unicode.IsPrint(r) })
}

// escape writes out what must not stay, and bytes that are no UTF-8.
func escape(s string, stays func(rune) bool) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !stays(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for s != "" {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case stays(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[size:]
	}
	return b.String()
}
