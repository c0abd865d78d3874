package iptables

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// word is one word of a line.
type word struct {
	text   string
	quoted bool // so it is no option, whatever it looks like
}

func joinWords(words []word) string {
	var out []string
	for _, w := range words {
		out = append(out, w.text)
	}
	return strings.Join(out, " ")
}

// cutLine cuts the first line off text and into words. It does so as
// iptables-restore does (add_param_to_argv in its xshared.c): between double
// quotes a backslash takes the next character as it is, and so may a line
// break, which then doesn't end the line.
func cutLine(text string) (line string, words []word, rest string, err error) {
	if strings.HasPrefix(text, "#") { // whose quotes mean nothing
		line, rest, _ = strings.Cut(text, "\n")
		return line, nil, rest, nil
	}
	var b strings.Builder
	inWord, inQuotes, quoted := false, false, false
	end := func() {
		if inWord {
			words = append(words, word{b.String(), quoted})
		}
		b.Reset()
		inWord, quoted = false, false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inQuotes && c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '"':
			inQuotes, inWord, quoted = !inQuotes, true, true
		case inQuotes:
			b.WriteByte(c)
		case c == '\n':
			end()
			return text[:i], words, text[i+1:], nil
		case c == ' ' || c == '\t':
			end()
		default:
			inWord = true
			b.WriteByte(c)
		}
	}
	if inQuotes {
		return "", nil, "", errors.New("a quote is not closed")
	}
	end()
	return text, words, "", nil
}

// plainWord is what needs no quotes.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:,+=%@*-]+$`)

// Quote spells a word for iptables-restore. It panics if the word has a control
// character, which would end the line or worse: what comes from outside is
// to be checked before, by [CheckText].
func Quote(s string) string {
	if err := CheckText(s); err != nil {
		panic(err.Error())
	}
	if plainWord.MatchString(s) && s[0] != '-' {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// CheckText gives an error if s can't be spelled for iptables-restore.
func CheckText(s string) error {
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%q has a control character, which can't be spelled for iptables-restore", s)
	}
	return nil
}

// Check gives an error if r can't be spelled for iptables-restore.
func (r Rule) Check() error {
	names, values := []string{r.Chain}, []string(nil)
	for _, o := range r.Options {
		names = append(names, o.Name)
		values = append(values, o.Values...)
	}
	for _, s := range names {
		if err := CheckName(s); err != nil {
			return err
		}
	}
	for _, s := range values {
		if err := CheckText(s); err != nil {
			return err
		}
	}
	return nil
}

// CheckName gives an error if s can't stand in a command as a chain or an
// option.
func CheckName(s string) error {
	if s == "" || strings.ContainsAny(s, "\"\\ '`") {
		return fmt.Errorf("%q is not a name that can be given to iptables", s)
	}
	return CheckText(s)
}

// MaxChain is the most bytes that a chain's name may have: XT_EXTENSION_MAXNAMELEN
// of the kernel's x_tables.h, less the final NUL.
const MaxChain = 28
