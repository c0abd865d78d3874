package plain

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscapes(t *testing.T) {
	for in, want := range map[string]struct{ line, text string }{
		"plain":              {"plain", "plain"},
		"µTP Büro 日本":        {"µTP Büro 日本", "µTP Büro 日本"},
		"two\nlines\there":   {`two\nlines\there`, "two\nlines\there"},
		"\x1b]0;title\a":     {`\x1b]0;title\a`, `\x1b]0;title\a`},
		"bad \xff byte":      {`bad \xff byte`, `bad \xff byte`},
		"\u202eright":        {`\u202eright`, `\u202eright`},
		"nul\x00":            {`nul\x00`, `nul\x00`},
		"cr\rover":           {`cr\rover`, `cr\rover`},
		"c1 \u009b31m":       {`c1 \u009b31m`, `c1 \u009b31m`},
		"\u0085\u00a0":       {`\u0085\u00a0`, `\u0085\u00a0`},
		"a real \ufffd":      {"a real \ufffd", "a real \ufffd"},
		"tag \U000e0041 end": {`tag \U000e0041 end`, `tag \U000e0041 end`},
	} {
		if got := Line(in); got != want.line {
			t.Errorf("Line(%q) = %q, want %q", in, got, want.line)
		}
		if got := Text(in); got != want.text {
			t.Errorf("Text(%q) = %q, want %q", in, got, want.text)
		}
	}
}

func FuzzEscapes(f *testing.F) {
	f.Add("\x1b[2J\r\n\u202eevil\xff")
	f.Fuzz(func(t *testing.T, s string) {
		line := Line(s)
		if !utf8.ValidString(line) || Line(line) != line || Line(Text(s)) != line {
			t.Errorf("Line(%q) = %q", s, line)
		}
		for _, r := range line {
			if !unicode.IsPrint(r) {
				t.Errorf("Line(%q) has %q in it", s, r)
			}
		}
	})
}
