package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// node is one named thing of a configuration: a variable, a local value, an
// output, or a block with all its instances.
type node struct {
	name  string    // as references call it: local.first_port
	rng   hcl.Range // of its declaration
	block *block    // nil unless it is a machine, gateway or port_range
	exprs []hcl.Expression
	eval  func()

	deps []*node
	// wrong holds the roots and names that the node refers to in vain. They
	// have had their diagnostic and count as unknown.
	wrong map[string]bool
	refs  []reference
	// value is what references to the node get. Until it is worked out, and
	// for good if that fails, it is unknown: what depends on it is then
	// unknown too, and no diagnostic follows from that.
	value      cty.Value
	referenced bool
	// late makes the value of a block that nothing in the configuration refers
	// to. It is nil otherwise.
	late func() cty.Value
}

// complete sees that n has its value.
func (n *node) complete() {
	if n.late != nil {
		n.value, n.late = n.late(), nil
	}
}

// add takes a node into the configuration under its name.
func (l *loader) add(n *node) {
	if other, exists := l.byName[n.name]; exists {
		l.fail(n.rng, "Duplicate name", "There is another %s at %s. Give one of them another name.", n.name, place(other.rng))
		return
	}
	n.value = cty.DynamicVal
	l.byName[n.name] = n
	l.nodes = append(l.nodes, n)
}

// inOrder gives the nodes so that each comes after those it depends on. A
// cycle is noted as a mistake; its members come in some fixed order.
//
// It is Tarjan's algorithm for strongly connected components, which finds
// each component after all that it leads to.
func (l *loader) inOrder() []*node {
	var (
		out     []*node
		stack   []*node
		index   = map[*node]int{} // when a node was first seen, from 1
		low     = map[*node]int{} // the earliest node on the stack that it leads to
		onStack = map[*node]bool{}
		visit   func(*node)
	)
	visit = func(n *node) {
		index[n] = len(index) + 1
		low[n] = index[n]
		stack = append(stack, n)
		onStack[n] = true
		for _, dep := range n.deps {
			if index[dep] == 0 {
				visit(dep)
				low[n] = min(low[n], low[dep])
			} else if onStack[dep] {
				low[n] = min(low[n], index[dep])
			}
		}
		if low[n] != index[n] {
			return
		}
		from := len(stack) - 1
		for stack[from] != n {
			from--
		}
		component := slices.Clone(stack[from:])
		stack = stack[:from]
		for _, member := range component {
			onStack[member] = false
		}
		if len(component) > 1 || slices.Contains(n.deps, n) {
			l.failCycle(component)
		}
		out = append(out, component...)
	}
	for _, n := range l.nodes {
		if index[n] == 0 {
			visit(n)
		}
	}
	return out
}

// failCycle tells of the shortest cycle through the first member that is
// declared.
func (l *loader) failCycle(component []*node) {
	members := map[*node]bool{}
	for _, n := range component {
		members[n] = true
	}
	first := l.nodes[slices.IndexFunc(l.nodes, func(n *node) bool { return members[n] })]
	// Breadth first from the first member until some node leads back to it.
	before := map[*node]*node{first: nil}
	queue := []*node{first}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if slices.Contains(n.deps, first) {
			names := []string{first.name}
			for ; n != nil; n = before[n] {
				names = append(names, n.name)
			}
			slices.Reverse(names)
			l.fail(first.rng, "Cycle", "Each of these needs the value of the next: %s. Break the cycle at one of them.", strings.Join(names, " → "))
			return
		}
		for _, dep := range n.deps {
			if _, seen := before[dep]; !seen && members[dep] {
				before[dep] = n
				queue = append(queue, dep)
			}
		}
	}
	panic("a component without a cycle")
}
