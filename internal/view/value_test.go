package view

import (
	"testing"

	"github.com/zclconf/go-cty/cty"
)

// What is sensitive in a value is not shown, and the rest is as ever.
func TestSensitiveValue(t *testing.T) {
	hidden := cty.StringVal("hunter2").Mark("sensitive")
	for _, test := range []struct {
		value cty.Value
		want  string
	}{
		{hidden, `(sensitive value)`},
		{cty.EmptyObjectVal.Mark("sensitive"), `(sensitive value)`},
		{cty.SetVal([]cty.Value{hidden, cty.StringVal("b")}), `(sensitive value)`},
		{cty.ListVal([]cty.Value{cty.StringVal("a"), hidden}), `["a", (sensitive value)]`},
		{cty.TupleVal([]cty.Value{cty.TupleVal([]cty.Value{hidden}), cty.True, cty.EmptyTupleVal}), `[[(sensitive value)], true, []]`},
		{cty.MapVal(map[string]cty.Value{"a b": hidden, "c": cty.StringVal("d")}), "{\n  \"a b\" = (sensitive value)\n  c     = \"d\"\n}"},
		{cty.ObjectVal(map[string]cty.Value{"o": cty.ObjectVal(map[string]cty.Value{"p": hidden, "q": cty.NullVal(cty.String)})}),
			"{\n  o = {\n    p = (sensitive value)\n    q = null\n  }\n}"},
	} {
		if got := ValueText(test.value); got != test.want {
			t.Errorf("%#v is shown as:\n%s\nwant:\n%s", test.value, got, test.want)
		}
		// Without the marks, it is what HCL itself writes.
		plain, _ := test.value.UnmarkDeep()
		if text := ValueText(plain); text == test.want {
			t.Errorf("%#v is shown as:\n%s", plain, text)
		}
	}
}
