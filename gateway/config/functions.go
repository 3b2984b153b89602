package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// pure are the functions that depend on nothing but their arguments.
func pure() map[string]function.Function {
	return map[string]function.Function{
		"can":        tryfunc.CanFunc,
		"coalesce":   stdlib.CoalesceFunc,
		"concat":     stdlib.ConcatFunc,
		"contains":   stdlib.ContainsFunc,
		"format":     stdlib.FormatFunc,
		"join":       stdlib.JoinFunc,
		"jsondecode": stdlib.JSONDecodeFunc,
		"keys":       stdlib.KeysFunc,
		"length":     stdlib.LengthFunc,
		"lookup":     stdlib.LookupFunc,
		"lower":      stdlib.LowerFunc,
		"merge":      stdlib.MergeFunc,
		"regex":      stdlib.RegexFunc,
		"regexall":   stdlib.RegexAllFunc,
		"replace":    stdlib.ReplaceFunc,
		"split":      stdlib.SplitFunc,
		"trimspace":  stdlib.TrimSpaceFunc,
		"try":        tryfunc.TryFunc,
		"upper":      stdlib.UpperFunc,
		"values":     stdlib.ValuesFunc,
	}
}

// functions are those that a file may call while it is loaded.
func (l *loader) functions(file string) map[string]function.Function {
	if l.calls[file] == nil {
		all := pure()
		all["env"], all["file"] = l.envFunction(), l.fileFunction(file)
		l.calls[file] = all
	}
	return l.calls[file]
}

// envFunction is env(NAME, [DEFAULT]). A variable that isn't set is a mistake
// unless there is a default; one that is set to nothing counts as set.
func (l *loader) envFunction() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.String},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if len(args) > 2 {
				return cty.NilVal, function.NewArgErrorf(2, "env takes a name and one default")
			}
			if value, ok := l.src.Getenv(name); ok {
				return cty.StringVal(value), nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return cty.NilVal, function.NewArgErrorf(0, "environment variable %s isn't set", name)
		},
	})
}

// fileFunction is file(PATH), relative to the file that calls it. Line ends at
// the end of what it reads are not part of the value: editors add them.
func (l *loader) fileFunction(caller string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := resolve(args[0].AsString(), hcl.Range{Filename: caller})
			text, err := l.src.ReadFile(path)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			if len(text) > maxFile {
				return cty.NilVal, function.NewArgErrorf(0, "%s is longer than %d bytes", path, maxFile)
			}
			return cty.StringVal(strings.TrimRight(string(text), "\r\n")), nil
		},
	})
}
