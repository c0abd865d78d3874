package config

import (
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/go-version"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Load reads the configuration in dir: all its *.btp.hcl and *.btp.json
// files. It finds all the author's mistakes that it can, not only the first,
// and gives them sorted; if there are errors, the Config is nil. The files are
// those that were read, by the names that ranges give them, for
// [hcl.NewDiagnosticTextWriter].
func Load(dir string, opts Options) (*Config, map[string]*hcl.File, hcl.Diagnostics) {
	l := newLoader(dir, opts)
	l.load(l.listDir())
	return l.result()
}

// loader is a configuration on its way from files to a Config.
type loader struct {
	dir   string
	opts  Options
	read  func(path string) ([]byte, error) // gives a whole file, within bounds
	files map[string]*hcl.File
	funcs map[string]function.Function
	diags hcl.Diagnostics

	nodes     []*node // in the order of declaration
	byName    map[string]*node
	project   *hcl.Range // where it is set
	variables map[string]*variable
	// valuesUnread: some file of values could not be read, so that nobody can
	// say which variables have none.
	valuesUnread bool

	cfg         *Config
	machineByID map[string]*Machine
	gatewayByID map[string]*Gateway
	written     map[plan.Addr]writtenAt
}

func newLoader(dir string, opts Options) *loader {
	l := &loader{
		dir:         dir,
		opts:        opts,
		read:        readFile,
		files:       map[string]*hcl.File{},
		byName:      map[string]*node{},
		variables:   map[string]*variable{},
		cfg:         &Config{Dir: dir},
		machineByID: map[string]*Machine{},
		gatewayByID: map[string]*Gateway{},
		written:     map[plan.Addr]writtenAt{},
	}
	l.funcs = l.functions()
	return l
}

// load does the work. Each step goes on past the mistakes of the one before
// where its own diagnostics still mean something.
func (l *loader) load(src sources) {
	bodies := l.parse(src.config)
	if l.diags.HasErrors() {
		// What an unreadable file declares would seem to be missing.
		return
	}
	for _, b := range bodies {
		l.declare(b)
	}
	if l.project == nil && len(bodies) > 0 {
		l.fail(bodies[0].at, "Missing project", "A configuration needs a name for the marks on its rules. Add a block:\n\n  btplan {\n    project = \"home\"\n  }")
	}
	l.setVariables(src.values)
	for _, n := range l.nodes {
		l.link(n)
	}
	for _, n := range l.inOrder() {
		n.eval()
	}
	l.cfg.sort()
	l.check()
}

func (l *loader) result() (*Config, map[string]*hcl.File, hcl.Diagnostics) {
	diags := tidy(l.diags)
	if diags.HasErrors() {
		return nil, l.files, diags
	}
	return l.cfg, l.files, diags
}

// declare takes in the blocks of one file.
func (l *loader) declare(b body) {
	content, diags := b.Content(rootSchema)
	l.diags = append(l.diags, diags...)
	for _, block := range content.Blocks {
		switch block.Type {
		case "btplan":
			l.declareProject(block)
		case "variable":
			l.declareVariable(block)
		case "locals":
			l.declareLocals(block)
		case plan.BlockMachine:
			l.declareMachine(block)
		case plan.BlockGateway:
			l.declareGateway(block)
		case plan.BlockPortRange:
			l.declarePortRange(block)
		case "output":
			l.declareOutput(block)
		}
	}
}

// declareProject takes in the btplan block, of which there is one.
func (l *loader) declareProject(hb *hcl.Block) {
	at := headline(hb)
	if l.project != nil {
		l.fail(at, "Duplicate btplan block", "A configuration has one btplan block. The other is at %s.", place(*l.project))
		return
	}
	l.project = &at
	content, diags := hb.Body.Content(projectSchema)
	l.diags = append(l.diags, diags...)
	f := &fields{l: l, attrs: content.Attributes}
	if name, attr, ok := f.needText("project"); ok {
		if !isProject(name) {
			l.fail(attr.Expr.Range(), "Invalid project", "%q can't name a project: it has to begin with a lower-case letter, and to hold at most 32 lower-case letters, digits, _ and -.", name)
		}
		l.cfg.Project = name
	}
	if text, attr, ok := f.text("required_version"); ok {
		l.checkVersion(text, attr)
	}
}

// isProject says whether s can stand in a device's marks for a project:
// ^[a-z][a-z0-9_-]{0,31}$.
func isProject(s string) bool {
	const lower = "abcdefghijklmnopqrstuvwxyz"
	return s != "" && len(s) <= 32 && strings.Contains(lower, s[:1]) && strings.Trim(s, lower+"0123456789_-") == ""
}

func (l *loader) checkVersion(text string, attr *hcl.Attribute) {
	constraint, err := version.NewConstraint(text)
	if err != nil {
		l.fail(attr.Expr.Range(), "Invalid version constraint", "%q is not a version constraint. Write it like \">= 0.1, < 2.0\".", text)
		return
	}
	running, err := version.NewVersion(l.opts.Version)
	if err != nil {
		return // built from source, without a version
	}
	// The core, because a constraint without a pre-release takes none.
	if !constraint.Check(running.Core()) {
		l.fail(attr.Expr.Range(), "Unsupported btplan version", "This configuration wants btplan %s, but this is btplan %s. Use another version of btplan, or change required_version.", text, running)
	}
}

// declareLocals takes in a locals block.
func (l *loader) declareLocals(hb *hcl.Block) {
	attrs, diags := hb.Body.JustAttributes()
	l.diags = append(l.diags, diags...)
	inOrder := make([]*hcl.Attribute, 0, len(attrs))
	for _, attr := range attrs {
		inOrder = append(inOrder, attr)
	}
	slices.SortFunc(inOrder, func(a, b *hcl.Attribute) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	for _, attr := range inOrder {
		if !hclsyntax.ValidIdentifier(attr.Name) {
			l.failName(attr.NameRange, attr.Name)
			continue
		}
		n := &node{name: rootLocal + "." + attr.Name, rng: attr.NameRange, exprs: []hcl.Expression{attr.Expr}}
		n.eval = func() {
			v, ok := l.value(attr.Expr, l.scope(n))
			if !ok {
				v = cty.DynamicVal
			}
			n.value = v
		}
		l.add(n)
	}
}

// sort puts everything in order of address or name, so that nothing depends
// on the order of files or of evaluation.
func (c *Config) sort() {
	slices.SortFunc(c.Machines, func(a, b *Machine) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(c.Gateways, func(a, b *Gateway) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(c.PortRanges, func(a, b *PortRange) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(c.Outputs, func(a, b *Output) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(c.Variables, func(a, b *Variable) int { return strings.Compare(a.Name, b.Name) })
}
