package config

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/btplan/btplan/plan"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/gocty"
)

// textTest makes a function of two strings that is true or false.
func textTest(second string, test func(s, other string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}, {Name: second, Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// textMap makes a function from a string to a string.
func textMap(f func(string) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := f(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

var (
	startsWithFunc  = textTest("prefix", strings.HasPrefix)
	endsWithFunc    = textTest("suffix", strings.HasSuffix)
	strContainsFunc = textTest("substr", strings.Contains)

	base64EncodeFunc = textMap(func(s string) (string, error) { return base64.StdEncoding.EncodeToString([]byte(s)), nil })
	base64DecodeFunc = textMap(func(s string) (string, error) {
		out, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "", fmt.Errorf("not base64: %w", err)
		}
		if !utf8.Valid(out) {
			return "", fmt.Errorf("what it encodes is not text in UTF-8")
		}
		return string(out), nil
	})
	urlEncodeFunc = textMap(func(s string) (string, error) { return url.QueryEscape(s), nil })
)

// replaceFunc is replace(str, substr, replacement); a substr between slashes
// is a regular expression.
var replaceFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "str", Type: cty.String}, {Name: "substr", Type: cty.String}, {Name: "replace", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		s, old, replacement := args[0].AsString(), args[1].AsString(), args[2].AsString()
		if len(old) > 1 && old[0] == '/' && old[len(old)-1] == '/' {
			re, err := regexp.Compile(old[1 : len(old)-1])
			if err != nil {
				return cty.NilVal, function.NewArgError(1, err)
			}
			return cty.StringVal(re.ReplaceAllString(s, replacement)), nil
		}
		if n := strings.Count(s, old); n > 0 && len(replacement) > (maxText-len(s))/n {
			return cty.NilVal, tooLong(2)
		}
		return cty.StringVal(strings.ReplaceAll(s, old, replacement)), nil
	},
})

// portsFunc is ports(first, count): count ports from first on, as a range.
var portsFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "first", Type: cty.Number}, {Name: "count", Type: cty.Number}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		var first, count int
		if err := gocty.FromCtyValue(args[0], &first); err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		if err := gocty.FromCtyValue(args[1], &count); err != nil {
			return cty.NilVal, function.NewArgError(1, err)
		}
		switch {
		case first < 1 || first > 65535:
			return cty.NilVal, function.NewArgErrorf(0, "%d is outside 1-65535", first)
		case count < 1:
			return cty.NilVal, function.NewArgErrorf(1, "at least one port is needed, not %d", count)
		case count > 65536-first:
			return cty.NilVal, function.NewArgErrorf(1, "%d ports from %d on would go beyond 65535", count, first)
		}
		r := plan.PortRange{First: uint16(first), Last: uint16(first + count - 1)}
		return cty.StringVal(r.String()), nil
	},
})

// anything is a parameter that takes every value as it is.
var anything = function.Parameter{
	Name: "value", Type: cty.DynamicPseudoType,
	AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true,
}

// typeFunc is type(value): the type as a type constraint is written.
var typeFunc = function.New(&function.Spec{
	Params: []function.Parameter{anything},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if args[0].Type() == cty.DynamicPseudoType && !args[0].IsNull() {
			return cty.UnknownVal(cty.String), nil
		}
		return cty.StringVal(typeexpr.TypeString(args[0].Type())), nil
	},
})

func sameType(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil }

// sensitiveFunc is sensitive(value), nonsensitiveFunc its opposite, and
// isSensitiveFunc tells which it is.
var (
	sensitiveFunc = function.New(&function.Spec{
		Params: []function.Parameter{anything},
		Type:   sameType,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return args[0].Mark(sensitive), nil
		},
	})
	nonsensitiveFunc = function.New(&function.Spec{
		Params: []function.Parameter{anything},
		Type:   sameType,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			plain, _ := args[0].UnmarkDeep()
			return plain, nil
		},
	})
	isSensitiveFunc = function.New(&function.Spec{
		Params: []function.Parameter{anything},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(args[0].ContainsMarked()), nil
		},
	})
)
