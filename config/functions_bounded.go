package config

import (
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// What one call of a function may make. What is made with many, in a for within
// a for, is not bounded.
const (
	maxText     = 16 << 20 // in bytes
	maxElements = 1 << 20
)

// bounded is f with a check of its arguments. These may be marked, null or
// unknown where f takes such; check has only those that are none of it.
func bounded(f function.Function, check func(args []cty.Value) error) function.Function {
	return function.New(&function.Spec{
		Params:   f.Params(),
		VarParam: f.VarParam(),
		Type:     f.ReturnTypeForValues,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			var known []cty.Value
			for _, arg := range args {
				if arg, _ = arg.UnmarkDeep(); arg.IsWhollyKnown() && !arg.IsNull() {
					known = append(known, arg)
				}
			}
			if len(known) == len(args) {
				if err := check(known); err != nil {
					return cty.NilVal, err
				}
			}
			return f.Call(args)
		},
	})
}

// finite is f with a check of its result.
func finite(f function.Function) function.Function {
	return function.New(&function.Spec{
		Params: f.Params(),
		Type:   f.ReturnTypeForValues,
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err == nil && v.IsKnown() && v.AsBigFloat().IsInf() {
				return cty.NilVal, function.NewArgErrorf(0, "the result is beyond all bounds")
			}
			return v, err
		},
	})
}

func tooLong(arg int) error {
	return function.NewArgErrorf(arg, "the text would be longer than %d MiB", maxText>>20)
}

var (
	joinFunc = bounded(stdlib.JoinFunc, func(args []cty.Value) error {
		separator, size := len(args[0].AsString()), 0
		for i, list := range args[1:] {
			for it := list.ElementIterator(); it.Next(); {
				_, v := it.Element()
				if size += separator; !v.IsNull() {
					size += len(v.AsString())
				}
				if size > maxText {
					return tooLong(i + 1)
				}
			}
		}
		return nil
	})

	indentFunc = bounded(stdlib.IndentFunc, func(args []cty.Value) error {
		lines := 1 + strings.Count(args[1].AsString(), "\n")
		if spaces, _ := args[0].AsBigFloat().Int64(); spaces > int64(maxText/lines) {
			return tooLong(0)
		}
		return nil
	})

	formatFunc     = bounded(stdlib.FormatFunc, checkWidths)
	formatListFunc = bounded(stdlib.FormatListFunc, checkWidths)

	setProductFunc = bounded(stdlib.SetProductFunc, func(args []cty.Value) error {
		elements := 1
		for i, arg := range args {
			if elements *= arg.LengthInt(); elements > maxElements {
				return function.NewArgErrorf(i, "the product would have more than %d elements", maxElements)
			}
		}
		return nil
	})
)

// jsonDecodeFunc is jsondecode of a text that is not nested so deep that to read
// it takes all of the stack. Its type comes from the text too.
var jsonDecodeFunc = function.New(&function.Spec{
	Params: stdlib.JSONDecodeFunc.Params(),
	Type: func(args []cty.Value) (cty.Type, error) {
		if text := args[0]; text.IsKnown() {
			if _, deep := deepJSON([]byte(text.AsString())); deep {
				return cty.NilType, function.NewArgErrorf(0, "it has more than %d lists or objects within each other", maxNesting)
			}
		}
		return stdlib.JSONDecodeFunc.ReturnTypeForValues(args)
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return stdlib.JSONDecodeFunc.Call(args) },
})

// wide is a verb with a width or precision that nobody means.
var wide = regexp.MustCompile(`%[^%a-zA-Z]*[0-9]{5}`)

// checkWidths bounds what a format pads.
func checkWidths(args []cty.Value) error {
	if at := wide.FindString(args[0].AsString()); at != "" {
		return function.NewArgErrorf(0, "widths and precisions are at most 9999, but here is %s...", at)
	}
	return nil
}
