package firewalld

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// busValue is a value as busctl(1) prints it and takes it: a D-Bus signature,
// and the words that spell what it stands for.
type busValue struct {
	signature string
	words     []string
}

// strings gives the elements of an "as", and the strings in those of an "a(ss)".
func (v busValue) strings() []string {
	if len(v.words) < 2 {
		return nil
	}
	return v.words[1:]
}

// basic gives a string or number; empty if the value is of another type.
func (v busValue) basic() string {
	if len(v.signature) != 1 || len(v.words) != 1 {
		return ""
	}
	return v.words[0]
}

// parseBusDict reads what busctl prints of a call that gives a dictionary of
// strings to variants: a{sv} 2 "target" s "CONTINUE" "ports" a(ss) 1 "1" "tcp".
func parseBusDict(line string) (map[string]busValue, error) {
	words, err := busWords(line)
	if err != nil {
		return nil, err
	}
	if len(words) < 2 || words[0] != "a{sv}" {
		return nil, errors.New("busctl has printed no dictionary")
	}
	n, err := strconv.Atoi(words[1])
	if err != nil || n < 0 || n > len(words) {
		return nil, fmt.Errorf("%q is no number of entries", words[1])
	}
	dict, rest := map[string]busValue{}, words[2:]
	for range n {
		if len(rest) < 2 {
			return nil, errors.New("busctl's dictionary ends too soon")
		}
		length, err := busLength(rest[1], rest[2:])
		if err != nil {
			return nil, err
		}
		dict[rest[0]] = busValue{rest[1], rest[2 : 2+length]}
		rest = rest[2+length:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("behind busctl's dictionary there is %q", rest[0])
	}
	return dict, nil
}

// busLength is how many of the words spell a value of this type: a basic one,
// or an array of strings or of structures of strings. There are no others in
// firewalld's settings.
func busLength(signature string, words []string) (int, error) {
	length := 1
	if element, isArray := strings.CutPrefix(signature, "a"); isArray && len(words) > 0 {
		size := strings.Count(element, "s")
		n, err := strconv.Atoi(words[0])
		if element != "s" && element != "("+strings.Repeat("s", size)+")" || err != nil || n < 0 || n > len(words) {
			return 0, fmt.Errorf("busctl has printed %q of the type %q", words[0], signature)
		}
		length += n * size
	} else if len(signature) != 1 || !strings.Contains("sbixutnqyd", signature) {
		return 0, fmt.Errorf("busctl has printed something of the type %q", signature)
	}
	if length > len(words) {
		return 0, errors.New("busctl's dictionary ends too soon")
	}
	return length, nil
}

// busWords takes a line of busctl's apart. Strings are in double quotes, with
// the escapes of C.
func busWords(line string) ([]string, error) {
	var out []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] != '"' {
			word, rest, _ := strings.Cut(line, " ")
			out, line = append(out, word), rest
			continue
		}
		word, rest, err := unquoteC(line[1:])
		if err != nil {
			return nil, err
		}
		out, line = append(out, word), rest
	}
	return out, nil
}

// unquoteC reads a string of C up to its closing quote.
func unquoteC(s string) (text, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return b.String(), s[i+1:], nil
		case s[i] != '\\':
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) {
			break
		}
		if at := strings.IndexByte(`abfnrtv\"'`, s[i]); at >= 0 {
			b.WriteByte("\a\b\f\n\r\t\v\\\"'"[at])
			continue
		}
		digits, base := 3, 8
		if s[i] == 'x' {
			i, digits, base = i+1, 2, 16
		}
		if i+digits > len(s) {
			break
		}
		n, err := strconv.ParseUint(s[i:i+digits], base, 8)
		if err != nil {
			return "", "", fmt.Errorf("busctl has printed the escape \\%s", s[i:i+digits])
		}
		b.WriteByte(byte(n))
		i += digits - 1
	}
	return "", "", errors.New("busctl has printed a string without an end")
}
