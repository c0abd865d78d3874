package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fileCache reads the files that functions name, each once: a block with
// for_each may ask for the same one thousands of times, and all its instances
// have to see the same.
type fileCache struct {
	dir  string
	read func(path string) ([]byte, error)
	seen map[string]cachedFile
}

type cachedFile struct {
	text    string
	err     error
	missing bool
}

// get is a file, whose path may be relative to the configuration's directory.
func (c *fileCache) get(path string) cachedFile {
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.dir, path)
	}
	if f, known := c.seen[path]; known {
		return f
	}
	var f cachedFile
	text, err := c.read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.missing, f.err = true, fmt.Errorf("there is no file %s", path)
	case err != nil:
		f.err = err
	case !utf8.Valid(text):
		f.err = fmt.Errorf("the file %s is not text in UTF-8", path)
	default:
		f.text = string(text)
	}
	c.seen[path] = f
	return f
}

var pathParam = function.Parameter{Name: "path", Type: cty.String}

// fileFunc is file(path): what is in a text file.
func fileFunc(files *fileCache) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{pathParam},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			f := files.get(args[0].AsString())
			if f.err != nil {
				return cty.NilVal, function.NewArgError(0, f.err)
			}
			return cty.StringVal(f.text), nil
		},
	})
}

// fileExistsFunc is fileexists(path).
func fileExistsFunc(files *fileCache) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{pathParam},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			f := files.get(args[0].AsString())
			if f.err != nil && !f.missing {
				return cty.NilVal, function.NewArgError(0, f.err)
			}
			return cty.BoolVal(!f.missing), nil
		},
	})
}

// templateFileFunc is templatefile(path, vars): a file as an HCL template with
// the given variables. It may call all the functions but templatefile, which
// could go on for ever.
func templateFileFunc(files *fileCache, all map[string]function.Function) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{pathParam, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path, vars := args[0].AsString(), args[1]
			if ty := vars.Type(); !ty.IsMapType() && !ty.IsObjectType() {
				return cty.NilVal, function.NewArgErrorf(1, "a map of the template's variables is required")
			}
			f := files.get(path)
			if f.err != nil {
				return cty.NilVal, function.NewArgError(0, f.err)
			}
			tmpl, diags := parseTemplate([]byte(f.text), path)
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgError(0, oneLine(diags))
			}
			ctx := &hcl.EvalContext{Variables: vars.AsValueMap(), Functions: maps.Clone(all)}
			if ctx.Variables == nil {
				ctx.Variables = map[string]cty.Value{}
			}
			ctx.Functions["templatefile"] = nestedTemplateFunc
			v, diags := tmpl.Value(ctx)
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgError(0, oneLine(diags))
			}
			return v, nil
		},
	})
}

// nestedTemplateFunc is what a template finds under the name templatefile.
var nestedTemplateFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "args", Type: cty.DynamicPseudoType},
	Type: func([]cty.Value) (cty.Type, error) {
		return cty.NilType, errors.New("a template can't call templatefile")
	},
})

// oneLine makes an error of what is wrong with a template.
func oneLine(diags hcl.Diagnostics) error {
	for _, d := range tidy(diags) {
		if d.Severity == hcl.DiagError {
			return fmt.Errorf("at %s: %s", subject(d), strings.TrimSuffix(d.Detail, "."))
		}
	}
	panic("no error among the diagnostics")
}
