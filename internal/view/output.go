package view

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/btplan/btplan/config"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// OutputsText lists outputs, "name = value" each, the sensitive ones without
// their values.
func OutputsText(outputs []*config.Output) string {
	var w strings.Builder
	for _, o := range outputs {
		text := "<sensitive>"
		if !o.Sensitive {
			text = ValueText(o.Value)
		}
		w.WriteString(o.Name + " = " + text + "\n")
	}
	return w.String()
}

// RawText is a value as it is: for a script, which would have to take the
// quotes off again. Only strings, numbers and booleans have such a form.
func RawText(v cty.Value) (string, error) {
	if v.IsNull() {
		return "", fmt.Errorf("the value is null, which has no raw form")
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", fmt.Errorf("a raw value must be a string, a number or true or false, but this is a %s", v.Type().FriendlyName())
	}
	return text.AsString(), nil
}

// output is one output in Terraform's JSON.
type output struct {
	Sensitive bool            `json:"sensitive"`
	Type      json.RawMessage `json:"type"`
	Value     json.RawMessage `json:"value,omitempty"`
}

// outputsOf gives outputs by name. Without secrets, the sensitive ones have
// no value.
func outputsOf(outputs []*config.Output, secrets bool) map[string]output {
	out := map[string]output{}
	for _, o := range outputs {
		one := output{Sensitive: o.Sensitive, Type: typeJSON(o.Value.Type())}
		if secrets || !o.Sensitive {
			one.Value = ValueJSON(o.Value)
		}
		out[o.Name] = one
	}
	return out
}

// OutputsJSON is all outputs as `terraform output -json` gives them: with
// their values, the sensitive ones' too.
func OutputsJSON(outputs []*config.Output) []byte { return indented(outputsOf(outputs, true)) }

// ValueJSON is one value as JSON.
func ValueJSON(v cty.Value) json.RawMessage {
	raw, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		panic("an output that is not wholly known: " + err.Error())
	}
	return raw
}

func typeJSON(t cty.Type) json.RawMessage {
	raw, err := ctyjson.MarshalType(t)
	if err != nil {
		panic("a type that has no JSON form: " + err.Error())
	}
	return raw
}

// indented is a document of our own making as JSON for files and eyes.
func indented(v any) []byte {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic("a document that has no JSON form: " + err.Error())
	}
	return append(raw, '\n')
}
