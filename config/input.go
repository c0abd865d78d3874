package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// envPrefix is what the environment's variables for ours begin with.
const envPrefix = "BTPLAN_VAR_"

// given is a value for a variable, from outside the configuration: either
// text from the command line or the environment, or an expression in a file.
type given struct {
	from string // "-var", "BTPLAN_VAR_x"
	text string
	expr hcl.Expression // nil: text
}

// setVariables collects the values that were given, later over earlier: the
// environment, the directory's own files, the command line's options.
func (l *loader) setVariables(files []source) {
	for _, entry := range l.opts.Env {
		name, value, _ := strings.Cut(entry, "=")
		// The environment belongs to others too: what isn't declared is none
		// of ours.
		if rest, ours := strings.CutPrefix(name, envPrefix); ours && l.variables[rest] != nil {
			l.variables[rest].given = &given{from: name, text: value}
		}
	}
	for _, s := range files {
		l.setFromFile(s)
	}
	for _, in := range l.opts.Inputs {
		if in.File == "" {
			l.setFromOption(in.Var)
			continue
		}
		text, err := l.read(in.File)
		if err != nil {
			l.valuesUnread = true
			l.failFile("Unreadable file", "The file given with -var-file can't be read: %s.", err)
			continue
		}
		l.setFromFile(source{in.File, text})
	}
}

// setFromFile takes the values in a file of NAME = CONSTANT.
func (l *loader) setFromFile(s source) {
	before := len(l.diags)
	bodies := l.parse([]source{s})
	if l.diags[before:].HasErrors() {
		// What could be made of the file may be the half of it.
		l.valuesUnread = true
		return
	}
	for _, b := range bodies {
		attrs, diags := b.JustAttributes()
		l.diags = append(l.diags, diags...)
		for _, name := range sortedKeys(attrs) {
			attr := attrs[name]
			v := l.variables[name]
			if v == nil {
				l.warn(attr.NameRange, "Undeclared variable", "This file gives %s a value, but there is no variable block of that name.%s", name, didYouMean(name, sortedKeys(l.variables)))
				continue
			}
			v.given = &given{expr: attr.Expr}
		}
	}
}

// setFromOption takes one -var option.
func (l *loader) setFromOption(option string) {
	name, value, found := strings.Cut(option, "=")
	name = strings.TrimSpace(name)
	if !found {
		l.failFile("Invalid -var option", "A -var option is written -var 'NAME=VALUE'; %q has no =.", option)
		return
	}
	v := l.variables[name]
	if v == nil {
		l.failFile("Undeclared variable", "A -var option gives %q a value, but there is no variable block of that name.%s", name, didYouMean(name, sortedKeys(l.variables)))
		return
	}
	v.given = &given{from: "-var", text: value}
}

// givenValue is the value that was given for a variable, and the place to
// blame for it.
func (l *loader) givenValue(v *variable) (cty.Value, hcl.Range, bool) {
	g := v.given
	if g.expr != nil {
		at := g.expr.Range()
		if v.sensitive {
			at = v.rng
		}
		val, ok := l.constant(v, g.expr, at)
		return val, at, ok
	}
	if v.literal {
		return cty.StringVal(g.text), v.rng, true
	}
	// Diagnostics show the text as a file of this name.
	name := fmt.Sprintf("<%s for %s>", g.from, v.name)
	expr, diags := ParseExpression([]byte(g.text), name)
	if v.sensitive {
		if diags.HasErrors() {
			l.fail(v.rng, "Invalid value", "The value given by %s for var.%s, which is sensitive, is not an expression in HCL.", g.from, v.name)
			return cty.NilVal, v.rng, false
		}
	} else {
		l.files[name] = &hcl.File{Bytes: []byte(g.text)}
		l.diags = append(l.diags, diags...)
		if diags.HasErrors() {
			return cty.NilVal, v.rng, false
		}
	}
	val, ok := l.constant(v, expr, v.rng)
	return val, v.rng, ok
}
