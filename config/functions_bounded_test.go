package config

import (
	"strings"
	"testing"
)

// What a function would make far too much of all at once is refused.
func TestBoundedFunctions(t *testing.T) {
	const long = `a = join("", [for i in range(1000): "0123456789abcdef"])` + "\n"
	for call, want := range map[string]string{
		`format("%1000000000s", "a")`:                                       "widths and precisions are at most 9999",
		`format("%.100000f", 1)`:                                            "widths and precisions are at most 9999",
		`formatlist("%-99999d", [1])`:                                       "widths and precisions are at most 9999",
		`indent(1000000000000, "a\nb")`:                                     "longer than 16 MiB",
		`join(local.a, [for i in range(1024): i])`:                          "", // 15.6 MiB
		`join("${local.a}${local.a}", [for i in range(1024): tostring(i)])`: "longer than 16 MiB",
		`replace(local.a, "", local.a)`:                                     "longer than 16 MiB",
		`replace(local.a, "0", "zero")`:                                     "",
		`setproduct(range(1000), range(1000), range(1000), range(1000))`:    "more than 1048576 elements",
		`length(setproduct(range(100), range(100)))`:                        "",
		`pow(10, 1e9)`:     "beyond all bounds",
		`log(0, 10)`:       "beyond all bounds",
		`range(0, 1e9)`:    "more than 1024 values",
		`format("%5d", 1)`: "",
		`jsondecode("` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `")`: "more than 256 lists or objects within each other",
		`jsondecode("` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `")`: "",
		`length(jsondecode(replace(local.a, "/./", "[[[[[[[[[[")))`:                 "more than 1000 lists or objects within each other",
		`length(jsondecode("[${join(",", [for i in range(1000): "[\"[[[\"]"])}]"))`: "",
	} {
		_, _, diags := loadFiles(map[string][]byte{"main.btp.hcl": []byte("btplan { project = \"p\" }\nlocals {\n" + long + "}\noutput \"x\" { value = " + call + " }")}, testTypes())
		got := ""
		if len(diags) > 0 {
			got = diags[0].Detail
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", call, got, want)
		}
	}
}
