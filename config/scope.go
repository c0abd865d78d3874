package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Scope is what expressions can refer to in a configuration. It is not for
// several goroutines at once.
type Scope struct{ l *loader }

// LoadScope reads the configuration in dir as [Load] does, for expressions from
// outside of it. If there are errors, the Scope is nil.
func LoadScope(dir string, opts Options) (*Scope, map[string]*hcl.File, hcl.Diagnostics) {
	l := newLoader(dir, opts)
	l.load(l.listDir())
	cfg, files, diags := l.result()
	if cfg == nil {
		return nil, files, diags
	}
	return &Scope{l}, files, diags
}

// Value evaluates an expression as if it stood in a local value. Without errors
// the value is wholly known; whatever is sensitive in it is marked.
func (s *Scope) Value(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	s.l.diags = nil
	n := &node{exprs: []hcl.Expression{expr}}
	s.l.link(n)
	for _, dep := range n.deps {
		dep.complete()
	}
	v, _ := s.l.value(expr, s.l.scope(n))
	return v, tidy(s.l.diags)
}
