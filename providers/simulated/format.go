package simulated

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// format is the version of the file's format. A reader refuses any other.
const format = 1

// maxText bounds every string in the file, in bytes: none has a reason to be
// longer than a few marks.
const maxText = 1024

// parse reads the rules in a file. It takes nothing that it does not
// understand wholly: what it skipped would be lost with the next write. Its
// errors begin with the line.
func parse(data []byte, is role) (content, error) {
	if !utf8.Valid(data) {
		return content{}, errors.New("the file is not UTF-8")
	}
	r := reader{is: is, data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	c, err := r.file()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the file ends too early")
	}
	if err != nil {
		return content{}, fmt.Errorf("line %d: %w", r.line(), err)
	}
	return c, nil
}

// reader walks over the file token by token: decoding into a struct would
// take fields in another case, and fields that come twice.
type reader struct {
	is   role
	data []byte
	dec  *json.Decoder
}

// line is the number of the line that the reader has come to.
func (r *reader) line() int {
	return 1 + bytes.Count(r.data[:r.dec.InputOffset()], []byte("\n"))
}

func (r *reader) file() (content, error) {
	var c content
	var version json.Number
	err := r.object(r.is.fields, func(name string) error {
		switch name {
		case "format":
			token, err := r.dec.Token()
			version, _ = token.(json.Number)
			return err
		case "outbound":
			var err error
			if c.outbound, err = r.text(); err == nil && c.outbound != dropOutbound && c.outbound != allowOutbound {
				err = fmt.Errorf("outbound: %q is neither %q nor %q", c.outbound, dropOutbound, allowOutbound)
			}
			return err
		}
		return r.list(func() error {
			e, err := r.entry()
			if err != nil {
				return fmt.Errorf("rule %d: %w", len(c.entries)+1, err)
			}
			c.entries = append(c.entries, e)
			return nil
		})
	})
	if err != nil {
		return content{}, err
	}
	if version != json.Number(fmt.Sprint(format)) {
		return content{}, fmt.Errorf("the file must say \"format\": %d, the one format that this btplan knows", format)
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return content{}, errors.New("there is more after the closing }")
	}
	return c, nil
}

func (r *reader) entry() (entry, error) {
	var e entry
	texts := map[string]*string{
		"direction": &e.direction, "protocol": &e.protocol, "ports": &e.ports, "to": &e.to, "mark": &e.mark, "comment": &e.comment,
	}
	err := r.object(r.is.rule, func(name string) error {
		var err error
		switch name {
		case "sources":
			e.sources, err = r.sources()
		case "lease":
			e.lease, err = r.seconds()
		default:
			*texts[name], err = r.text()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err != nil {
		return entry{}, err
	}
	return e, e.understand(r.is)
}

// sources reads who may connect. An empty list could be taken for nobody and
// for anyone: it is refused.
func (r *reader) sources() ([]string, error) {
	var sources []string
	err := r.list(func() error {
		source, err := r.text()
		sources = append(sources, source)
		return err
	})
	if err == nil && len(sources) == 0 {
		err = errors.New("the list is empty: leave sources out to let anyone connect")
	}
	return sources, err
}

// object reads an object, and calls field at the value of each of its fields:
// those in known, each at most once.
func (r *reader) object(known []string, field func(name string) error) error {
	if err := r.delim('{'); err != nil {
		return err
	}
	var seen []string
	for r.dec.More() {
		token, err := r.dec.Token()
		if err != nil {
			return err
		}
		name := fmt.Sprint(token)
		if !slices.Contains(known, name) {
			return fmt.Errorf("field %q is not one of %s", shorten(name), strings.Join(known, ", "))
		}
		if slices.Contains(seen, name) {
			return fmt.Errorf("field %q is there twice", name)
		}
		seen = append(seen, name)
		if err := field(name); err != nil {
			return err
		}
	}
	return r.delim('}')
}

// list reads a list, and calls element at each of its elements.
func (r *reader) list(element func() error) error {
	if err := r.delim('['); err != nil {
		return err
	}
	for r.dec.More() {
		if err := element(); err != nil {
			return err
		}
	}
	return r.delim(']')
}

func (r *reader) delim(want json.Delim) error {
	token, err := r.dec.Token()
	if err != nil {
		return err
	}
	if token != want {
		return fmt.Errorf("there must be a %s here", want)
	}
	return nil
}

// text reads a string, one that a terminal can be trusted with.
func (r *reader) text() (string, error) {
	token, err := r.dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	switch {
	case !ok:
		return "", errors.New("there must be a string in quotes here")
	case len(s) > maxText:
		return "", fmt.Errorf("%d bytes of text are more than %d", len(s), maxText)
	case strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }):
		return "", fmt.Errorf("%q holds a character that can't be printed", s)
	}
	return s, nil
}

// seconds reads a length of time.
func (r *reader) seconds() (uint32, error) {
	token, err := r.dec.Token()
	if err != nil {
		return 0, err
	}
	number, _ := token.(json.Number)
	n, err := strconv.ParseUint(number.String(), 10, 32)
	if err != nil || n == 0 {
		return 0, errors.New("there must be a number of seconds here, 1 or more; leave lease out for none")
	}
	return uint32(n), nil
}

// shorten keeps a name from the file within what a message can hold.
func shorten(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// render writes c as parse reads it: one rule a line, so that a comparison of
// two files shows whole rules.
func render(c content) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"format\": %d,\n", format)
	if c.outbound != "" {
		fmt.Fprintf(&b, "  \"outbound\": %s,\n", quote(c.outbound))
	}
	b.WriteString("  \"rules\": [")
	for i, e := range c.entries {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n    " + e.line())
	}
	if len(c.entries) > 0 {
		b.WriteString("\n  ")
	}
	b.WriteString("]\n}\n")
	return b.Bytes()
}

// line is e as it stands in the file.
func (e entry) line() string {
	var fields []string
	if e.direction != "" {
		fields = append(fields, `"direction": `+quote(e.direction))
	}
	fields = append(fields, `"protocol": `+quote(e.protocol), `"ports": `+quote(e.ports))
	if e.to != "" {
		fields = append(fields, `"to": `+quote(e.to))
	}
	if len(e.sources) > 0 {
		var sources []string
		for _, source := range e.sources {
			sources = append(sources, quote(source))
		}
		fields = append(fields, `"sources": [`+strings.Join(sources, ", ")+`]`)
	}
	if e.mark != "" {
		fields = append(fields, `"mark": `+quote(e.mark))
	}
	if e.comment != "" {
		fields = append(fields, `"comment": `+quote(e.comment))
	}
	if e.lease > 0 {
		fields = append(fields, fmt.Sprintf(`"lease": %d`, e.lease))
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// quote writes s as a JSON string, and leaves <, > and & readable.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err) // a string can always be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}
