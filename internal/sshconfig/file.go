package sshconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Error is a line of a file that can't be followed.
type Error struct {
	File   string
	Line   int // from 1
	Detail string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Detail) }

// directive is one line of a file that says something.
type directive struct {
	keyword string // in lower case
	args    []string
	file    string
	line    int
}

func (d directive) fail(format string, args ...any) *Error {
	return &Error{d.file, d.line, fmt.Sprintf(format, args...)}
}

// parsed is a file that was read before.
type parsed struct {
	directives []directive
	err        error
}

// read gives the lines of a file, which is read once. One that doesn't exist
// has none.
func (c *Config) read(path string) ([]directive, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.parsed[path]; ok {
		return known.directives, known.err
	}
	text, err := os.ReadFile(path)
	var directives []directive
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = nil
	case err == nil:
		directives, err = parse(path, string(text))
	}
	if c.parsed == nil {
		c.parsed = map[string]parsed{}
	}
	c.parsed[path] = parsed{directives, err}
	return directives, err
}

// parse splits a file into its lines: a keyword, blanks or one "=", and the
// arguments.
func parse(path, text string) ([]directive, error) {
	var out []directive
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.Trim(line, blanks)
		if line == "" || line[0] == '#' {
			continue
		}
		d := directive{file: path, line: n}
		rest := ""
		if end := strings.IndexAny(line, blanks+"="); end < 0 {
			d.keyword = strings.ToLower(line)
		} else {
			d.keyword = strings.ToLower(line[:end])
			rest = strings.TrimLeft(line[end:], blanks)
			rest = strings.TrimPrefix(rest, "=")
		}
		var closed bool
		if d.args, closed = words(rest); !closed {
			return nil, d.fail("a quotation mark is missing at its end")
		}
		if len(d.args) == 0 {
			return nil, d.fail("%s has no value", d.keyword)
		}
		out = append(out, d)
	}
	return out, nil
}

const blanks = " \t\r\n\f\v"

// words splits arguments at blanks. Quotes of either kind keep a word
// together, a backslash keeps a quote or a blank from meaning something, and
// a word that begins with # begins a comment. closed says that every quote has
// its end.
func words(s string) (out []string, closed bool) {
	var word strings.Builder
	var quote byte
	begun := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		escapes := c == '\\' && i+1 < len(s) &&
			(strings.IndexByte(`"'\`, s[i+1]) >= 0 || quote == 0 && s[i+1] == ' ')
		switch {
		case escapes:
			i++
			word.WriteByte(s[i])
			begun = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '"' || c == '\'':
			quote, begun = c, true
		case strings.IndexByte(blanks, c) >= 0:
			if begun {
				out = append(out, word.String())
				word.Reset()
				begun = false
			}
		case c == '#' && !begun:
			return out, true
		default:
			word.WriteByte(c)
			begun = true
		}
	}
	if begun {
		out = append(out, word.String())
	}
	return out, quote == 0
}
