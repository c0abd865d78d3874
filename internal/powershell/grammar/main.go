// Grammar reads a PowerShell script on its standard input and prints, as JSON,
// where it is not PowerShell and which commands it has. It is a program and a
// module of its own so that btplan depends neither on C nor on the grammar,
// which is that of tree-sitter; see TestScripts in ../grammar_test.go.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	powershell "github.com/airbus-cert/tree-sitter-powershell/bindings/go"
	sitter "github.com/tree-sitter/go-tree-sitter"
)

// Command is one command of a script.
type Command struct {
	Line       int      `json:"line"`
	Name       string   `json:"name"`
	Parameters []string `json:"parameters"` // with their dashes
}

// Report is what is printed.
type Report struct {
	Errors   []string  `json:"errors"`
	Commands []Command `json:"commands"`
}

func main() {
	report, err := read(os.Stdin)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(report)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(from io.Reader) (*Report, error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return nil, err
	}
	parser := sitter.NewParser()
	defer parser.Close()
	if err := parser.SetLanguage(sitter.NewLanguage(powershell.Language())); err != nil {
		return nil, err
	}
	tree := parser.Parse(text, nil)
	defer tree.Close()
	report := &Report{}
	report.walk(tree.RootNode(), text)
	return report, nil
}

func (r *Report) walk(n *sitter.Node, text []byte) {
	line := int(n.StartPosition().Row) + 1
	switch {
	case n.IsMissing():
		r.Errors = append(r.Errors, fmt.Sprintf("line %d: %s is missing", line, n.Kind()))
	case n.IsError():
		r.Errors = append(r.Errors, fmt.Sprintf("line %d: %q", line, n.Utf8Text(text)))
	case n.Kind() == "command":
		r.command(n, text)
	}
	for i := range n.ChildCount() {
		r.walk(n.Child(i), text)
	}
}

func (r *Report) command(n *sitter.Node, text []byte) {
	name := n.ChildByFieldName("command_name")
	if name == nil {
		return
	}
	c := Command{Line: int(n.StartPosition().Row) + 1, Name: name.Utf8Text(text)}
	elements := n.ChildByFieldName("command_elements")
	if elements != nil {
		for i := range elements.ChildCount() {
			if e := elements.Child(i); e.Kind() == "command_parameter" {
				c.Parameters = append(c.Parameters, e.Utf8Text(text))
			}
		}
	}
	r.Commands = append(r.Commands, c)
}
