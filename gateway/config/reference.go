package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/sdk/expr"
)

// local is an argument of a locals block. Its value is unknown while it isn't
// evaluated, and for ever if it is mistaken.
type local struct {
	attr   *hcl.Attribute
	value  cty.Value
	state  int
	hidden bool // it is part of a secret
}

// The states of a local.
const (
	untouched = iota
	inProgress
	finished
)

// nameForm is what may be called.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// declare notes the name of a block.
func (l *loader) declare(b *hcl.Block) {
	if b.Type == "locals" {
		l.declareLocals(b)
		return
	}
	if _, planned := shapes[root].later[b.Type]; planned {
		return
	}
	for i, label := range b.Labels {
		// A key id or plugin may be spelt in any way, but these become parts
		// of references, URLs and metric labels.
		if !nameForm.MatchString(label) {
			l.errorf(&b.LabelRanges[i], "Invalid name", "%q: want lower case letters, digits, - and _, 63 at most.", label)
		}
	}
	name := strings.Join(b.Labels, "/")
	if before, ok := l.declared[b.Type][name]; ok {
		l.duplicate(b.DefRange, strings.TrimSpace(b.Type+" "+name), before)
		return
	}
	if l.declared[b.Type] == nil {
		l.declared[b.Type] = map[string]hcl.Range{}
	}
	l.declared[b.Type][name] = b.DefRange
	l.order[b.Type] = append(l.order[b.Type], name)
}

func (l *loader) declareLocals(b *hcl.Block) {
	attributes, diags := b.Body.JustAttributes()
	l.note(diags)
	for name, attr := range attributes {
		if before, ok := l.locals[name]; ok {
			l.duplicate(attr.NameRange, "local "+name, before.attr.NameRange)
			continue
		}
		l.locals[name] = &local{attr: attr, value: cty.DynamicVal}
	}
}

// referable are the kinds of blocks that references name, with the number of
// their labels.
var referable = map[string]int{"destination": 2, "retry": 1, "plugin": 1}

// nameReferences makes the values that references stand for: "TYPE/NAME" or
// "NAME".
func (l *loader) nameReferences() {
	for _, name := range slices.Sorted(maps.Keys(l.retries)) { // they are always there
		if l.declared["retry"][name] == (hcl.Range{}) {
			l.order["retry"] = append(l.order["retry"], name)
		}
	}
	byType := map[string]map[string]cty.Value{}
	for _, id := range l.order["destination"] {
		kind, name, _ := strings.Cut(id, "/")
		if byType[kind] == nil {
			byType[kind] = map[string]cty.Value{}
		}
		byType[kind][name] = cty.StringVal(id)
	}
	destinations := map[string]cty.Value{}
	for kind, names := range byType {
		destinations[kind] = cty.ObjectVal(names)
	}
	l.refs = map[string]cty.Value{"destination": cty.ObjectVal(destinations)}
	for _, kind := range []string{"retry", "plugin"} {
		names := map[string]cty.Value{}
		for _, name := range l.order[kind] {
			names[name] = cty.StringVal(name)
		}
		l.refs[kind] = cty.ObjectVal(names)
	}
}

// context is what an expression in a file can see.
func (l *loader) context(file string) *hcl.EvalContext {
	variables := maps.Clone(l.refs)
	locals := map[string]cty.Value{}
	for name, one := range l.locals {
		locals[name] = one.value
	}
	variables["local"] = cty.ObjectVal(locals)
	return &hcl.EvalContext{Variables: variables, Functions: l.functions(file)}
}

// checkReferences reports whether everything that an expression names exists,
// and evaluates the locals among it. HCL would complain as well, but knows no
// better name.
func (l *loader) checkReferences(expr hcl.Expression) bool {
	ok := true
	for _, t := range expr.Variables() {
		at := t.SourceRange()
		steps := names(t)
		switch n, isRef := referable[t.RootName()]; {
		case t.RootName() == "local" && len(steps) > 0:
			ok = l.checkLocal(steps[0], at) && ok
		case isRef && len(steps) >= n:
			ok = l.checkDeclared(t.RootName(), strings.Join(steps[:n], "/"), at) && ok
		case isRef && n == 2 && len(steps) == 1:
			ok = l.checkDeclared(t.RootName(), steps[0]+"/", at) && ok
		}
	}
	return ok
}

// names are the steps of a traversal behind its root, as far as they are
// fixed.
func names(t hcl.Traversal) []string {
	var steps []string
	for _, step := range t[1:] {
		switch s := step.(type) {
		case hcl.TraverseAttr:
			steps = append(steps, s.Name)
		case hcl.TraverseIndex:
			if s.Key.Type() != cty.String {
				return steps
			}
			steps = append(steps, s.Key.AsString())
		default:
			return steps
		}
	}
	return steps
}

func (l *loader) checkDeclared(kind, name string, at hcl.Range) bool {
	if slices.Contains(l.order[kind], name) {
		return true
	}
	l.errorf(&at, "Unknown "+kind, "There is no %s %s%s.", kind, strings.TrimSuffix(name, "/"), suggestion(name, l.order[kind]))
	return false
}

func (l *loader) checkLocal(name string, at hcl.Range) bool {
	one, ok := l.locals[name]
	if !ok {
		l.errorf(&at, "Unknown local", "There is no local %s%s.", name, suggestion(name, slices.Sorted(maps.Keys(l.locals))))
		return false
	}
	if one.state == inProgress {
		l.errorf(&at, "Circular local", "The value of local %s depends on itself.", name)
		return false
	}
	l.evaluateLocal(one)
	return true
}

func (l *loader) evaluateLocals() {
	for _, name := range slices.Sorted(maps.Keys(l.locals)) {
		l.evaluateLocal(l.locals[name])
	}
}

func (l *loader) evaluateLocal(one *local) {
	if one.state != untouched {
		return
	}
	one.state = inProgress
	if v, ok := l.evaluate(one.attr.Expr, cty.DynamicPseudoType); ok {
		one.value = v
	}
	one.state = finished
}

// suggestion is "; did you mean X?" for the closest of some names, else empty.
func suggestion(given string, known []string) string { return expr.Suggestion(given, known) }
