package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// Numbers that take minutes to be written out are refused where they stand,
// before anything is evaluated.
func TestBoundlessLiterals(t *testing.T) {
	for name, test := range map[string]struct{ file, text, at string }{
		"a text":              {"main.btp.hcl", `output "x" { value = "a${1e10000000}" }`, "1,26-36"},
		"close to zero":       {"main.btp.hcl", `output "x" { value = tostring(1e-10000000) }`, "1,31-42"},
		"a port":              {"main.btp.hcl", "machine \"m\" {\n  address = 1e10000000\n}", "2,13-23"},
		"within a function":   {"main.btp.hcl", `output "x" { value = try(ceil(1e99999999), 1) }`, "1,31-41"},
		"a default":           {"main.btp.hcl", "variable \"x\" {\n  type    = string\n  default = 1e10000000\n}", "3,13-23"},
		"JSON":                {"main.btp.json", "{\"output\":\n {\"x\": {\"value\": [1, 1e10000000]}}}", "2,22-32"},
		"worked out in JSON":  {"main.btp.json", `{"output": {"x": {"value": "${1e300 * 1e300}"}}}`, "1,28-46"},
		"a template in JSON":  {"main.btp.json", "{\"output\": {\"x\": {\n\"value\": \"\\n${1e10000000}\"}}}", "2,10-27"},
		"a name in JSON":      {"main.btp.json", `{"output": {"x": {"value": {"${1e10000000}": 1}}}}`, "1,29-44"},
		"digits":              {"main.btp.hcl", `output "x" { value = ` + strings.Repeat("1", 400) + ` }`, "1,22-422"},
		"digits in JSON":      {"main.btp.json", `{"output": {"x": {"value": ` + strings.Repeat("1", 4000) + `}}}`, "1,28-4028"},
		"a text that is none": {"main.btp.json", `{"output": {"x": {"value": "1e10000000"}}}`, ""},
		"as large as they go": {"main.btp.hcl", `output "x" { value = "${1e300}" }`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{test.file: []byte(test.text), "p.btp.hcl": []byte(`btplan { project = "p" }`)}
			_, _, diags := loadFiles(files, testTypes())
			var at []string
			for _, d := range diags {
				if d.Summary == "Number beyond all bounds" {
					at = append(at, strings.TrimPrefix(d.Subject.String(), test.file+":"))
				}
			}
			if got := strings.Join(at, " "); got != test.at {
				t.Errorf("got it at %q, want %q: %v", got, test.at, diags)
			}
		})
	}
}

// Numbers that come about in other ways are refused where they come about.
func TestBoundlessValues(t *testing.T) {
	load := func(text string, inputs ...Input) hcl.Diagnostics {
		opts := testTypes()
		opts.Inputs = inputs
		_, _, diags := loadFiles(map[string][]byte{"main.btp.hcl": []byte("btplan { project = \"p\" }\n" + text)}, opts)
		return diags
	}
	doubled := "locals {\n  a0 = 1e300\n"
	for i := range 25 {
		doubled += fmt.Sprintf("  a%d = local.a%d * local.a%d\n", i+1, i, i)
	}
	for name, test := range map[string]struct {
		diags hcl.Diagnostics
		line  int
	}{
		"doubled over and over":    {load(doubled + "}\noutput \"x\" { value = \"${local.a25}\" }"), 4},
		"an output":                {load("output \"x\" { value = [1e300 * 1e300] }"), 2},
		"a text made a number":     {load("variable \"x\" {\n  type = number\n  default = \"1e100000\"\n}"), 4},
		"an option":                {load("variable \"x\" { type = number }\n", Input{Var: "x=1e100000"}), 2},
		"an option, and sensitive": {load("variable \"x\" {\n  type = string\n  sensitive = true\n}", Input{Var: "x=\"a\""}), 0},
	} {
		switch {
		case test.line == 0 && len(test.diags) > 0:
			t.Errorf("%s: got %v", name, test.diags)
		case test.line > 0 && (len(test.diags) != 1 || test.diags[0].Summary != "Number beyond all bounds" || test.diags[0].Subject.Start.Line != test.line):
			t.Errorf("%s: got %v", name, test.diags)
		}
	}
}
