package view

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/plain"
	"github.com/btplan/btplan/plan"
)

// Graph is a configuration as a document in DOT, the language of Graphviz
// (https://graphviz.org/doc/info/lang.html), in the form that Terraform's has:
// an arrow leads from what refers to what is referred to.
func Graph(c *config.Config) string {
	g := &graph{blocks: map[*config.SSH]plan.Addr{}, drawn: map[string]bool{}}
	for _, m := range c.Machines {
		g.addBlock(m.Addr, "box3d", m.SSH, machineLines(m))
	}
	for _, gw := range c.Gateways {
		g.addBlock(gw.Addr, "hexagon", gw.SSH, gatewayLines(gw))
	}
	for _, p := range c.PortRanges {
		g.addNode(p.Addr.String(), "rect", append([]string{p.Addr.String()}, portRangeLines(p)...))
	}
	for _, m := range c.Machines {
		g.addJumps(m.Addr, m.SSH)
	}
	for _, gw := range c.Gateways {
		g.addJumps(gw.Addr, gw.SSH)
		if gw.Via != nil {
			g.addEdge(gw.Addr.String(), gw.Via.Addr.String(), ` [label="via", style=dashed]`)
		}
	}
	for _, p := range c.PortRanges {
		g.addEdge(p.Addr.String(), p.Machine.Addr.String(), "")
		for _, gw := range p.Gateways {
			g.addEdge(p.Addr.String(), gw.Addr.String(), "")
		}
	}
	return "digraph G {\n  rankdir = \"RL\";\n  node [fontname = \"sans-serif\"];\n" + g.nodes.String() + g.edges.String() + "}\n"
}

// graph is a document on its way.
type graph struct {
	nodes, edges strings.Builder
	blocks       map[*config.SSH]plan.Addr // which block has this ssh block
	drawn        map[string]bool           // the jump hosts and their edges that are there already
}

func (g *graph) addBlock(addr plan.Addr, shape string, ssh *config.SSH, lines []string) {
	g.addNode(addr.String(), shape, append([]string{addr.String()}, lines...))
	if ssh != nil {
		g.blocks[ssh] = addr
	}
}

func (g *graph) addNode(id, shape string, lines []string) {
	fmt.Fprintf(&g.nodes, "  %s [label=%s, shape=%s];\n", dotID(id), dotLabel(lines), shape)
}

func (g *graph) addEdge(from, to, attributes string) {
	fmt.Fprintf(&g.edges, "  %s -> %s%s;\n", dotID(from), dotID(to), attributes)
}

// addJumps draws the way to a machine or gateway back to its beginning, or to
// another block, which has its own. Hosts that are no blocks become nodes: one
// for all that are reached through it in the same way.
func (g *graph) addJumps(addr plan.Addr, ssh *config.SSH) {
	if ssh == nil {
		return
	}
	from := addr.String()
	for hop := ssh.Jump; hop != nil; hop = hop.Jump {
		block, isBlock := g.blocks[hop]
		to := block.String()
		if !isBlock {
			to = "jump " + wayTo(hop)
		}
		if edge := from + "\x00" + to; !g.drawn[edge] {
			g.drawn[edge] = true
			if !isBlock && !g.drawn[to] {
				g.drawn[to] = true
				g.addNode(to, "ellipse", []string{hostText(hop)})
			}
			g.addEdge(from, to, ` [label="jump", style=dotted]`)
		}
		if isBlock {
			return
		}
		from = to
	}
}

// wayTo are the hosts up to one that is no block, as jump has them. Before it
// are none that are blocks, for no such list can name them.
func wayTo(hop *config.SSH) string {
	text := hostText(hop)
	if hop.Jump != nil {
		text = wayTo(hop.Jump) + "," + text
	}
	return text
}

// hostText is a host as jump has it: "user@host:port".
func hostText(hop *config.SSH) string {
	text := hop.Host
	if hop.Port != 0 {
		text = net.JoinHostPort(hop.Host, strconv.Itoa(hop.Port))
	}
	if hop.User != "" {
		text = hop.User + "@" + text
	}
	return text
}

func machineLines(m *config.Machine) []string {
	address := m.Address.String()
	if m.Address6.IsValid() {
		address += ", " + m.Address6.String()
	}
	if m.Local {
		address += ", this computer"
	}
	lines := []string{address}
	if m.Firewall != nil {
		lines = append(lines, "firewall: "+m.Firewall.Type)
	}
	return append(lines, labelled("trackers: ", m.Trackers)...)
}

func gatewayLines(g *config.Gateway) []string {
	switch {
	case g.Local:
		return []string{g.Type + ", this computer"}
	case g.SSH != nil:
		return []string{g.Type + ", " + g.SSH.Host}
	}
	return []string{g.Type}
}

func portRangeLines(p *config.PortRange) []string {
	var protocols []string
	for _, protocol := range p.Protocols {
		protocols = append(protocols, string(protocol))
	}
	lines := labelled(strings.Join(protocols, ", ")+" ", p.Ports)
	if p.WANPorts != nil && !slices.Equal(p.WANPorts, p.Ports) {
		lines = append(lines, labelled("outside: ", p.WANPorts)...)
	}
	return append(lines, labelled("from: ", p.Sources)...)
}

// labelled is a line with the first few of a list; no line for an empty one.
func labelled[T fmt.Stringer](label string, list []T) []string {
	const most = 4
	if len(list) == 0 {
		return nil
	}
	var words []string
	for i, e := range list {
		if i == most && len(list) > most+1 {
			words = append(words, fmt.Sprintf("%d more", len(list)-most))
			break
		}
		words = append(words, e.String())
	}
	return []string{label + strings.Join(words, ", ")}
}

// dotID is the name of a node. In DOT's strings a backslash stands for itself
// everywhere but before a quote, a line end and a backslash, which it keeps: a
// name with backslashes has them twice, the same wherever it is written.
func dotID(s string) string { return `"` + dotEscape.Replace(plain.Line(s)) + `"` }

var dotEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// dotLabel are lines of text to be drawn: an escString, in which two backslashes
// are one and HTML's entities are read
// (https://graphviz.org/docs/attr-types/escString/).
func dotLabel(lines []string) string {
	escaped := make([]string, len(lines))
	for i, line := range lines {
		escaped[i] = strings.ReplaceAll(dotEscape.Replace(plain.Line(line)), "&", "&amp;")
	}
	return `"` + strings.Join(escaped, `\n`) + `"`
}
