package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// The first words of references.
const (
	rootVar   = "var"
	rootLocal = "local"
	rootEach  = "each"
	rootCount = "count"
)

var roots = []string{rootVar, rootLocal, plan.BlockMachine, plan.BlockGateway, plan.BlockPortRange, rootEach, rootCount}

// reference is one mention of a node in another's expressions.
type reference struct {
	root, name string
	node       *node
}

// link finds the nodes that n refers to. It looks at all the references in
// n, also at those that no evaluation would come to.
func (l *loader) link(n *node) {
	n.wrong = map[string]bool{}
	seen := map[*node]bool{}
	mentioned := map[string]bool{}
	for _, expr := range n.exprs {
		l.checkFunctions(expr)
		for _, t := range expr.Variables() {
			l.follow(n, expr, t, seen, mentioned)
		}
	}
}

// follow works out one reference of n.
func (l *loader) follow(n *node, expr hcl.Expression, t hcl.Traversal, seen map[*node]bool, mentioned map[string]bool) {
	root := t.RootName()
	switch root {
	case rootEach, rootCount:
		l.checkRepetition(n, expr, t)
		return
	case rootVar, rootLocal, plan.BlockMachine, plan.BlockGateway, plan.BlockPortRange:
	default:
		n.wrong[root] = true
		l.fail(t.SourceRange(), "Unknown reference", "There is nothing called %q here.%s", root, l.suggestRoot(root))
		return
	}
	name, named := stepName(t, 1)
	if !named {
		n.wrong[root] = true
		l.fail(t.SourceRange(), "Incomplete reference", "%q alone has no value: say which one, as in %s.NAME.", root, root)
		return
	}
	full := root + "." + name
	target, exists := l.byName[full]
	if !exists {
		n.wrong[full] = true
		l.fail(t[:2].SourceRange(), "Unknown reference", "There is no %s.%s", full, l.suggestName(root, name))
	} else if target == n && n.jumpExpr() == expr {
		n.wrong[full] = true
		l.fail(t.SourceRange(), "Jump host behind itself", "%s would be reached by way of itself, or of another instance of its own block, whose way is the same. Name a host that is reached in another way.", full)
		exists = false
	} else if detail := l.misuse(target, t); detail != "" {
		n.wrong[full] = true
		l.fail(t.SourceRange(), "Unsuitable reference", "%s", detail)
	}
	if !mentioned[full] {
		mentioned[full] = true
		n.refs = append(n.refs, reference{root, name, target})
	}
	// A variable's validation speaks of the variable itself.
	if exists && !seen[target] && (target != n || root != rootVar) {
		seen[target] = true
		n.deps = append(n.deps, target)
		target.referenced = true
	}
}

// suggestName helps with a name that is not known under its root.
func (l *loader) suggestName(root, name string) string {
	var names []string
	for _, n := range l.nodes {
		if known, under := strings.CutPrefix(n.name, root+"."); under {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	if known := nearest(name, names); known != "" {
		return fmt.Sprintf(" Did you mean %s.%s?", root, known)
	}
	return ""
}

// suggestRoot helps with a first word that means nothing.
func (l *loader) suggestRoot(word string) string {
	switch word {
	case "variable", "variables", "vars":
		return " A variable is called var.NAME."
	case "locals":
		return " A local value is called local.NAME."
	case "self", "path", "terraform":
		return " That word of Terraform's is not part of this language."
	}
	for _, root := range []string{rootVar, rootLocal} {
		if l.byName[root+"."+word] != nil {
			return fmt.Sprintf(" Did you mean %s.%s?", root, word)
		}
	}
	if hint := didYouMean(word, roots); hint != "" {
		return hint
	}
	return " A reference begins with var, local, machine, gateway or port_range. A string needs quotes."
}

// misuse says what is wrong with the way in which t goes into the block that
// it refers to; nothing for other nodes.
func (l *loader) misuse(target *node, t hcl.Traversal) string {
	if target.block == nil || len(t) < 3 {
		return ""
	}
	step, repetition := t[2:], target.block.repetition()
	_, isIndex := step[0].(hcl.TraverseIndex)
	_, isAttr := step[0].(hcl.TraverseAttr)
	switch {
	case repetition != "" && isAttr:
		return fmt.Sprintf("%s has %s: say which of its instances is meant, as in %s[%s].", target.name, repetition, target.name, exampleKey(repetition))
	case repetition != "":
		step = step[1:]
	case isIndex:
		return fmt.Sprintf("%s has neither for_each nor count, so it has no instances to choose from.", target.name)
	}
	if t := target.block.typed; t != nil && t.spec == nil {
		return "" // its type is unknown, and so are its attributes
	}
	name, named := stepName(step, 0)
	known := target.block.attributes()
	if !named || slices.Contains(known, name) {
		return ""
	}
	return fmt.Sprintf("A %s has no attribute %q.%s", target.block.addr.Block, name, didYouMean(name, known))
}

func exampleKey(repetition string) string {
	if repetition == "count" {
		return "0"
	}
	return "each.key"
}

// checkRepetition sees that each and count are used where they mean something.
func (l *loader) checkRepetition(n *node, expr hcl.Expression, t hcl.Traversal) {
	root := t.RootName()
	block, known := "for_each", []string{"key", "value"}
	if root == rootCount {
		block, known = "count", []string{"index"}
	}
	repeats := n.block != nil && n.block.repetition() == block
	if repeats && n.block.attrs[block].Expr == expr {
		n.wrong[root] = true
		l.fail(t.SourceRange(), "Unknown reference", "%q has a value only after %s has been worked out, so that it can't be used there.", root, block)
		return
	}
	if !repeats {
		n.wrong[root] = true
		l.fail(t.SourceRange(), "Unknown reference", "%q has a value only inside a machine, gateway or port_range block with %s.", root, block)
		return
	}
	name, named := stepName(t, 1)
	if !named || !slices.Contains(known, name) {
		n.wrong[root] = true
		l.fail(t.SourceRange(), "Unknown reference", "%s has nothing but %s.", root, root+"."+strings.Join(known, " and "+root+"."))
	}
}

// stepName is the name at one step of a traversal, written .name or ["name"].
func stepName(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	switch step := t[i].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

// checkFunctions finds calls of unknown functions, also where no evaluation
// tells of them: inside try and can. Expressions in JSON files can't be looked
// into; their evaluation has to do.
func (l *loader) checkFunctions(expr hcl.Expression) {
	native, is := expr.(hclsyntax.Expression)
	if !is {
		return
	}
	diags := hclsyntax.VisitAll(native, func(n hclsyntax.Node) hcl.Diagnostics {
		call, is := n.(*hclsyntax.FunctionCallExpr)
		if !is {
			return nil
		}
		if _, exists := l.funcs[call.Name]; exists {
			return nil
		}
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Call to unknown function",
			Detail:   l.unknownFunction(call.Name),
			Subject:  call.NameRange.Ptr(),
		}}
	})
	l.diags = append(l.diags, diags...)
}

// scope is what the expressions of n can refer to: just what they do refer
// to, so that the cost doesn't grow with the configuration.
func (l *loader) scope(n *node) *hcl.EvalContext {
	objects := map[string]map[string]cty.Value{}
	for _, ref := range n.refs {
		if objects[ref.root] == nil {
			objects[ref.root] = map[string]cty.Value{}
		}
		v := cty.DynamicVal
		if ref.node != nil && !n.wrong[ref.root+"."+ref.name] {
			v = ref.node.value
		}
		objects[ref.root][ref.name] = v
	}
	// A map that isn't nil, lest HCL says that nothing may be referred to.
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: l.funcs}
	for root, attrs := range objects {
		ctx.Variables[root] = cty.ObjectVal(attrs)
	}
	for name := range n.wrong {
		if !strings.Contains(name, ".") {
			ctx.Variables[name] = cty.DynamicVal
		}
	}
	return ctx
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
