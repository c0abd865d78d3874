package view

import (
	"fmt"
	"html"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/btplan/btplan/config"
	"github.com/btplan/btplan/internal/plain"
	"github.com/btplan/btplan/plan"
)

// FuzzGraph draws names that nobody would give. What comes out is a document in
// DOT with just the nodes and edges that there are.
func FuzzGraph(f *testing.F) {
	for _, s := range []string{"alice", `a"b`, `a\`, `\"`, `\N\l`, "a\nb", "&lt;b&gt;", "<b>", "\xff\x00", "\u202eevil", "}", `"];x->y[`} {
		f.Add(s, "bob", "jump.example")
	}
	f.Add("alice", `b"o\b`, "&amp;")
	f.Fuzz(func(t *testing.T, key, user, host string) {
		jump := &config.SSH{User: user, Host: host, Jump: &config.SSH{Host: "first.example", Port: 2222}}
		pc := &config.Machine{Addr: plan.Addr{Block: plan.BlockMachine, Name: "pc"}, Address: netip.MustParseAddr("192.168.1.11"), SSH: &config.SSH{Jump: jump}}
		nas := &config.Machine{Addr: plan.Addr{Block: plan.BlockMachine, Name: "nas"}, Address: netip.MustParseAddr("192.168.1.12"), SSH: &config.SSH{Jump: jump}}
		router := &config.Gateway{Addr: plan.Addr{Block: plan.BlockGateway, Name: "home"}, Type: "upnp", Via: pc}
		edge := &config.Gateway{Addr: plan.Addr{Block: plan.BlockGateway, Name: "edge", Key: plan.TextKey(key)}, Type: "linux", SSH: &config.SSH{Host: "192.168.1.1", Jump: pc.SSH}}
		bt := &config.PortRange{Addr: plan.Addr{Block: plan.BlockPortRange, Name: "bt", Key: plan.TextKey(key)}, Machine: pc, Gateways: []*config.Gateway{edge, router},
			Ports: []plan.PortRange{{First: 6881, Last: 6889}}, Protocols: []plan.Protocol{plan.TCP, plan.UDP}}
		c := &config.Config{Machines: []*config.Machine{nas, pc}, Gateways: []*config.Gateway{edge, router}, PortRanges: []*config.PortRange{bt}}

		hop := plain.Line(hostText(jump))
		way := plain.Line("jump " + wayTo(jump))
		want := []string{
			"machine.nas: machine.nas|192.168.1.12",
			"machine.pc: machine.pc|192.168.1.11",
			edge.Addr.String() + ": " + edge.Addr.String() + "|linux, 192.168.1.1",
			"gateway.home: gateway.home|upnp",
			bt.Addr.String() + ": " + bt.Addr.String() + "|tcp, udp 6881-6889",
			way + ": " + hop,
			"jump first.example:2222: first.example:2222",
			"machine.nas -> " + way + " jump",
			way + " -> jump first.example:2222 jump",
			"machine.pc -> " + way + " jump",
			edge.Addr.String() + " -> machine.pc jump",
			"gateway.home -> machine.pc via",
			bt.Addr.String() + " -> machine.pc ",
			bt.Addr.String() + " -> " + edge.Addr.String() + " ",
			bt.Addr.String() + " -> gateway.home ",
		}
		document := Graph(c)
		got, err := readDOT(document)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v\n%s\nread as:\n%s\nwant:\n%s", err, document, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

var (
	dotToken     = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z_0-9]*|"(?s:\\.|[^"\\])*"|->|[{}\[\]=,;])`)
	dotSpace     = regexp.MustCompile(`^[ \n]+`)
	dotStatement = regexp.MustCompile(`^(?:(I)=I|node\[(I=I(?:,I=I)*)\]|(I)->(I)(?:\[(I=I(?:,I=I)*)\])?|(I)\[(I=I(?:,I=I)*)\])$`)
)

// readDOT reads a document strictly by DOT's grammar, as far as Graph uses it,
// and by the rules for what layout engines show. It gives "ID: LABEL" for each
// node and "ID -> ID LABEL" for each edge.
func readDOT(document string) ([]string, error) {
	var tokens []string
	for rest := document; rest != ""; {
		if space := dotSpace.FindString(rest); space != "" {
			rest = rest[len(space):]
			continue
		}
		token := dotToken.FindString(rest)
		if token == "" {
			return nil, fmt.Errorf("no token at %q", rest)
		}
		tokens, rest = append(tokens, token), rest[len(token):]
	}
	if len(tokens) < 5 || !slices.Equal(tokens[:3], []string{"digraph", "G", "{"}) || tokens[len(tokens)-1] != "}" {
		return nil, fmt.Errorf("not a digraph")
	}
	var out, statement []string
	for _, token := range tokens[3 : len(tokens)-1] {
		if token != ";" {
			statement = append(statement, token)
			continue
		}
		line, err := readStatement(statement)
		if err != nil {
			return out, err
		}
		if statement = nil; line != "" {
			out = append(out, line)
		}
	}
	if statement != nil {
		return out, fmt.Errorf("no ; behind %q", statement)
	}
	return out, nil
}

// readStatement reads one statement; nothing comes of one that is about the
// whole document.
func readStatement(tokens []string) (string, error) {
	// Its form, with I for an identifier.
	form := ""
	for i, token := range tokens {
		if (token[0] == '"' || strings.Trim(token, "->[]=,{}") != "") && (i > 0 || token != "node") {
			token = "I"
		}
		form += token
	}
	if !dotStatement.MatchString(form) {
		return "", fmt.Errorf("not a statement: %q", tokens)
	}
	label := ""
	for i, token := range tokens {
		if token == "label" {
			label = readLabel(tokens[i+2])
		}
	}
	switch {
	case tokens[0] == "node" || tokens[1] == "=":
		return "", nil
	case tokens[1] == "->":
		return readID(tokens[0]) + " -> " + readID(tokens[2]) + " " + label, nil
	}
	return readID(tokens[0]) + ": " + label, nil
}

// readString is what Graphviz's scanner makes of a string: a backslash goes
// before a quote, and stays before anything else.
func readString(token string) string {
	return strings.NewReplacer(`\\`, `\\`, `\"`, `"`).Replace(token[1 : len(token)-1])
}

// readID is a node's name, in which Graph has each backslash twice.
func readID(token string) string { return strings.ReplaceAll(readString(token), `\\`, `\`) }

// readLabel is what is drawn of a label, with a | for each line end.
func readLabel(token string) string {
	return regexp.MustCompile(`(?s)\\.|[^\\]+`).ReplaceAllStringFunc(readString(token), func(part string) string {
		switch part {
		case `\\`:
			return `\`
		case `\n`:
			return "|"
		}
		if part[0] == '\\' {
			return "(" + part[1:] + ")" // something else than is meant
		}
		return html.UnescapeString(part)
	})
}
