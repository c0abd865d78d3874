package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// nests are ways to nest deeper and deeper. What is repeated in text counts as so
// many brackets.
var nests = map[string]struct {
	brackets int
	text     func(n int) string
}{
	"lists":       {1, func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }},
	"open lists":  {1, func(n int) string { return strings.Repeat("[\n", n) }},
	"objects":     {1, func(n int) string { return strings.Repeat("{\na = ", n) + "1" + strings.Repeat("}", n) }},
	"parentheses": {1, func(n int) string { return strings.Repeat("(", n) + "1" + strings.Repeat(")", n) }},
	"calls":       {1, func(n int) string { return strings.Repeat("abs(", n) + "1" + strings.Repeat(")", n) }},
	"for":         {1, func(n int) string { return strings.Repeat("[for x in ", n) + "[]" + strings.Repeat(": 1]", n) }},
	"indices":     {1, func(n int) string { return strings.Repeat("local.l[", n) + "0" + strings.Repeat("]", n) }},
	"templates":   {2, func(n int) string { return strings.Repeat(`"${`, n) + "1" + strings.Repeat(`}"`, n) }},
	"directives":  {2, func(n int) string { return strings.Repeat(`"%{ if `, n) }},
}

// What makes the parser go down is counted.
func TestNesting(t *testing.T) {
	for name, nest := range nests {
		for n, deep := range map[int]bool{maxNesting/nest.brackets - 5: false, maxNesting + 2: true, 20_000: true} {
			_, diags := ParseExpression([]byte(nest.text(n)), "test")
			if got := isTooDeep(diags); got != deep {
				t.Errorf("%s, %d times: too deep: %t; %v", name, n, got, first(diags))
			}
		}
	}
}

func isTooDeep(diags hcl.Diagnostics) bool {
	return len(diags) == 1 && diags[0].Summary == "Nested too deep" && diags[0].Subject != nil
}

func first(diags hcl.Diagnostics) string {
	if len(diags) == 0 {
		return "nothing"
	}
	return diags[0].Error()
}

// What is long isn't deep.
func TestNotNested(t *testing.T) {
	const many = 3000
	for name, text := range map[string]string{
		"elements":      "x = [\n" + strings.Repeat("  -1, [2 + 3],\n", many) + "]",
		"attributes":    "x = {\n" + strings.Repeat("  (1 + 1) = -1\n", many) + "}",
		"one line":      "x = { " + strings.Repeat("a = -1, ", many) + " }",
		"pairs":         "x = [\n" + strings.Repeat("  { a = 1\n b = [1] },\n", many) + "]",
		"blocks":        strings.Repeat("a \"b\" { # a block\n  c = -1 /* and */ # more\n  d {\n  } // d\n}\n", many),
		"lines":         strings.Repeat("a { b = -1 }\nc {}\n", many),
		"comments":      strings.Repeat("a { /* one\nline */ b = -1 }\nc {}\n", many),
		"interpolation": `x = "` + strings.Repeat("${a[1] + 1}-", many) + `"`,
		"directives":    "x = <<EOT\n" + strings.Repeat("%{ if a }-%{ else }!%{ endif }\n%{ for b in c }${b}%{ endfor ~}\n", many) + "EOT\n",
		"text":          `x = "` + strings.Repeat("[({-!$${", many) + `"`,
		"names":         "x = a" + strings.Repeat(".b", many),
	} {
		if _, diags := ParseFile([]byte(text), "main.btp.hcl"); len(diags) > 0 {
			t.Errorf("%s: %s", name, first(diags))
		}
	}
	list := strings.Repeat(`{"a": ["[", "\"{[", "${a[1] + 1}%{ if b }%{ endif }", -1]}, `, many)
	if _, diags := ParseFile([]byte(`{"locals": {"x": [`+list+`1]}}`), "main.btp.json"); len(diags) > 0 {
		t.Errorf("JSON: %s", first(diags))
	}
}

// Wherever text is parsed, what is nested too deep is a diagnostic with a place.
func TestNestingPlaces(t *testing.T) {
	const far = 70_000 // from 65,536 on, brackets are fatal
	brackets := strings.Repeat("[", far)
	for name, test := range map[string]struct{ file, text, want string }{
		"expression":     {"main.btp.hcl", "btplan {\n  project = " + brackets, "main.btp.hcl:2,1012-1013 Nested too deep"},
		"blocks":         {"main.btp.hcl", strings.Repeat("a {\n", far), "main.btp.hcl:1001,3-4 Nested too deep"},
		"a stray closer": {"main.btp.hcl", "x = 1\n]\ny = " + brackets, "main.btp.hcl:3,1005-1006 Nested too deep"},
		"JSON":           {"main.btp.json", "{\"a\": \"[\",\n\"b\": " + brackets, "main.btp.json:2,1005-1006 Nested too deep"},
		"JSON objects":   {"main.btp.json", strings.Repeat("{\"a\":\n", far), "main.btp.json:1001,1-2 Nested too deep"},
		"JSON, mistaken": {"main.btp.json", `["` + "\n" + brackets, "main.btp.json:2,1000-1001 Nested too deep"},
		"JSON template":  {"main.btp.json", "{\"a\": \n  \"\\u0024{" + brackets + "\"}", "main.btp.json:2,3-70012 Nested too deep"},
		"JSON type":      {"main.btp.json", `{"variable": {"a": {"default": 1, "type": "` + strings.Repeat("(", far) + `"}}}`, "main.btp.json:1,43-70045 Nested too deep"},
		"a value":        {"btplan.btpvars.hcl", "x = " + brackets, "btplan.btpvars.hcl:1,1005-1006 Nested too deep"},
		"a template":     {"main.btp.hcl", "locals {\n  a = templatefile(\"deep\", {})\n}", `main.btp.hcl:2,21-25 Invalid function argument`},
		"an option":      {"main.btp.hcl", "variable \"list\" { type = list(string) }", "<-var for list>:1,1001-1002 Nested too deep"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{test.file: []byte(test.text), "deep": []byte("${" + brackets), "p.btp.hcl": []byte("btplan { project = \"p\" }")}
			opts := testTypes()
			if name == "an option" {
				opts.Inputs = []Input{{Var: "list=" + brackets}}
			}
			_, _, diags := loadFiles(files, opts)
			var got []string
			for _, d := range diags {
				if d.Severity == hcl.DiagError {
					got = append(got, fmt.Sprintf("%s %s", d.Subject, d.Summary))
				}
			}
			if strings.Join(got, "\n") != test.want {
				t.Errorf("got  %.200s\nwant %s", strings.Join(got, "\n"), test.want)
			}
		})
	}
}
