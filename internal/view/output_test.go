package view

import (
	"testing"

	"github.com/btplan/btplan/config"
	"github.com/zclconf/go-cty/cty"
)

func TestOutputs(t *testing.T) {
	outputs := []*config.Output{
		{Name: "escaped", Value: cty.StringVal("a\"b\n${c}\x1b")},
		{Name: "list", Value: cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")})},
		{Name: "map", Value: cty.MapVal(map[string]cty.Value{"k": cty.True})},
		{Name: "nothing", Value: cty.NullVal(cty.String)},
		{Name: "secret", Value: cty.StringVal("hunter2"), Sensitive: true},
	}
	const want = `escaped = "a\"b\n$${c}\u001b"
list = ["a", "b"]
map = {
  k = true
}
nothing = null
secret = <sensitive>
`
	if got := OutputsText(outputs); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	const wantJSON = `{
  "secret": {
    "sensitive": true,
    "type": "string",
    "value": "hunter2"
  }
}
`
	if got := string(OutputsJSON(outputs[4:])); got != wantJSON {
		t.Errorf("got:\n%s\nwant:\n%s", got, wantJSON)
	}
}

func TestRawText(t *testing.T) {
	for _, test := range []struct {
		value cty.Value
		want  string
	}{
		{cty.StringVal("a \"b\""), `a "b"`},
		{cty.NumberIntVal(6881), "6881"},
		{cty.True, "true"},
		{cty.NullVal(cty.String), ""},
		{cty.EmptyTupleVal, ""},
	} {
		got, err := RawText(test.value)
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("RawText(%#v) = %q, %v", test.value, got, err)
		}
	}
}
