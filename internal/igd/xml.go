package igd

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/btplan/btplan/internal/plain"
)

// Bounds of what a router says.
const (
	maxBody     = 1 << 20 // bytes of an HTTP answer
	maxDepth    = 64      // elements within each other
	maxElements = 10_000  // in one document: a list of 128 mappings has 1,200
)

// tokens reads XML as routers write it: a raw & or a control character in a
// text, Latin-1 that calls itself UTF-8, an end that doesn't match its
// beginning, and rubbish after the document are let pass. Namespaces,
// attributes, comments, and the elements of skip are left out.
type tokens struct {
	from     *xml.Decoder
	skip     map[string]bool
	depth    int
	elements int
	over     bool
}

// newTokens reads document. What a declaration says of its encoding is often
// wrong; UTF-8 that isn't meant as such is very unlikely to be valid.
func newTokens(document []byte, skip ...string) *tokens {
	document = bytes.TrimLeft(bytes.TrimPrefix(document, []byte("\xef\xbb\xbf")), " \t\r\n\x00")
	if !utf8.Valid(document) {
		// This decoder has a character for each byte, and so never fails.
		document, _ = charmap.Windows1252.NewDecoder().Bytes(document)
	}
	t := &tokens{from: xml.NewDecoder(bytes.NewReader(plainText(document))), skip: map[string]bool{}}
	t.from.Strict = false
	t.from.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	for _, name := range skip {
		t.skip[name] = true
	}
	return t
}

// reference is a character reference of XML.
var reference = regexp.MustCompile(`&#(?:[0-9]+|[xX][0-9a-fA-F]+);`)

// plainText puts U+FFFD in place of what may not be in XML, written out or
// referred to: one ESC in the name of a mapping fails a whole document else.
func plainText(document []byte) []byte {
	document = bytes.Map(func(r rune) rune {
		if !allowed(r) {
			return utf8.RuneError
		}
		return r
	}, document)
	return reference.ReplaceAllFunc(document, func(ref []byte) []byte {
		digits, base := string(ref[2:len(ref)-1]), 10
		if digits[0] == 'x' || digits[0] == 'X' {
			digits, base = digits[1:], 16
		}
		if n, err := strconv.ParseInt(digits, base, 32); err != nil || !allowed(rune(n)) {
			return []byte("\ufffd")
		}
		return ref
	})
}

// allowed reports whether XML 1.0 has the character (section 2.2).
func allowed(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 && r <= utf8.MaxRune
}

// Token gives the next start, end or text; io.EOF after the document's end.
func (t *tokens) Token() (xml.Token, error) {
	for !t.over {
		token, err := t.from.Token()
		if err != nil {
			return nil, xmlError(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if t.elements++; t.elements > maxElements {
				return nil, fmt.Errorf("more than %d elements", maxElements)
			}
			if t.depth++; t.depth > maxDepth {
				return nil, fmt.Errorf("elements more than %d deep", maxDepth)
			}
			if t.skip[token.Name.Local] {
				if err := t.drop(); err != nil {
					return nil, err
				}
				continue
			}
			return xml.StartElement{Name: xml.Name{Local: token.Name.Local}}, nil
		case xml.EndElement:
			t.depth--
			t.over = t.depth == 0
			return xml.EndElement{Name: xml.Name{Local: token.Name.Local}}, nil
		case xml.CharData:
			if t.depth > 0 {
				return token, nil
			}
		}
	}
	return nil, io.EOF
}

// drop reads on to the end of the element that has just begun.
func (t *tokens) drop() error {
	skip := t.skip
	t.skip = nil
	defer func() { t.skip = skip }()
	for outside := t.depth - 1; t.depth > outside; {
		if _, err := t.Token(); err != nil {
			return err
		}
	}
	return nil
}

// xmlError makes what encoding/xml says of a router's answer fit for a terminal.
func xmlError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("no XML document")
	}
	return errors.New(plain.Line(err.Error()))
}

// element is one element of a document with what is in it.
type element struct {
	name string
	text string // its own, without the space around it
	kids []*element
}

// parseElement reads a whole document.
func parseElement(document []byte) (*element, error) {
	t := newTokens(document)
	top := &element{}
	path := []*element{top}
	var texts []*strings.Builder
	for {
		token, err := t.Token()
		if errors.Is(err, io.EOF) {
			return top.kids[0], nil
		}
		if err != nil {
			return nil, err
		}
		last := len(path) - 1
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local}
			path[last].kids = append(path[last].kids, e)
			path = append(path, e)
			texts = append(texts, &strings.Builder{})
		case xml.CharData:
			_, _ = texts[last-1].Write(token) // it takes everything
		case xml.EndElement:
			path[last].text = strings.TrimSpace(texts[last-1].String())
			path, texts = path[:last], texts[:last-1]
		}
	}
}

// find gives the first element of a name in e, itself or at any depth, in the
// order of the document; nil: there is none.
func (e *element) find(name string) *element {
	if e.name == name {
		return e
	}
	for _, kid := range e.kids {
		if found := kid.find(name); found != nil {
			return found
		}
	}
	return nil
}

// values are the texts of the elements in e, by their names; of two with the
// same name the first.
func (e *element) values() map[string]string {
	values := map[string]string{}
	for _, kid := range e.kids {
		if _, twice := values[kid.name]; !twice {
			values[kid.name] = kid.text
		}
	}
	return values
}
