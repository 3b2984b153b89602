package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// condition is a compiled expression. It is used by many goroutines at once.
type condition struct {
	reading
	expr hcl.Expression
	ctx  *hcl.EvalContext
}

// condition checks an expression against an incident of which nothing but the
// type is known, and compiles it. Nil if there are mistakes.
func (l *loader) condition(expr hcl.Expression) func(*core.Incident) (bool, error) {
	ctx, ok := l.scope(expr, map[string]cty.Type{"incident": incidentType()}, pure())
	if !ok {
		return nil
	}
	v, diags := expr.Value(ctx)
	l.note(diags)
	if diags.HasErrors() {
		return nil
	}
	if kind := v.Type(); kind != cty.Bool && kind != cty.DynamicPseudoType {
		l.errorf(expr.Range().Ptr(), "Wrong type", "A condition is true or false, this is %s.", typeName(v.Type()))
		return nil
	}
	c := &condition{expr: expr, ctx: ctx}
	c.read(expr, incidentType())
	return c.holds
}

// scope checks what an expression names, and returns what it may read: things
// of which nothing but the type is known, and the references.
func (l *loader) scope(expr hcl.Expression, known map[string]cty.Type, functions map[string]function.Function) (*hcl.EvalContext, bool) {
	if ok := l.checkReferences(expr); !l.checkFields(expr, known) || !l.checkWords(expr) || !ok {
		return nil, false
	}
	variables := map[string]cty.Value{}
	for name, kind := range known {
		variables[name] = cty.UnknownVal(kind)
	}
	maps.Copy(variables, l.context(expr.Range().Filename).Variables)
	// Neither env nor file: what an incident leads to must not change between
	// two reloads, nor wait for a disk. A local may hold either.
	return &hcl.EvalContext{Variables: variables, Functions: functions}, true
}

// checkFields reports whether the things that are known have what the
// expression reads.
func (l *loader) checkFields(expr hcl.Expression, things map[string]cty.Type) bool {
	ok := true
	for _, t := range expr.Variables() {
		steps, at := names(t), t.SourceRange()
		kind, isThing := things[t.RootName()]
		if of := owner(things, t.RootName()); !isThing && of != "" {
			l.errorf(&at, "Unknown variable", "There is no variable named %q. Did you mean %s.%s?", t.RootName(), of, t.RootName())
			ok = false
			continue
		}
		if !isThing || len(steps) == 0 {
			continue
		}
		of := t.RootName()
		if steps[0] == "integration" && len(steps) > 1 {
			of, kind, steps = "incident.integration", kind.AttributeType("integration"), steps[1:]
		}
		if !kind.HasAttribute(steps[0]) {
			known := slices.Sorted(maps.Keys(kind.AttributeTypes()))
			l.errorf(&at, "Unknown field", "There is no %s in %s%s.", steps[0], of, suggestion(steps[0], known))
			ok = false
		}
	}
	return ok
}

// owner names the thing that has such a field, as what people forget to write.
func owner(things map[string]cty.Type, field string) string {
	for _, of := range slices.Sorted(maps.Keys(things)) {
		if things[of].IsObjectType() && things[of].HasAttribute(field) {
			return of
		}
	}
	return ""
}

// checkWords reports whether the severities and statuses that the expression
// compares with exist: a mistyped one would never match, and nobody would hear
// of it.
func (l *loader) checkWords(expr hcl.Expression) bool {
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return true // JSON doesn't show its inside
	}
	diags := hclsyntax.VisitAll(node, func(node hclsyntax.Node) hcl.Diagnostics {
		if n, ok := node.(*hclsyntax.BinaryOpExpr); ok && (n.Op == hclsyntax.OpEqual || n.Op == hclsyntax.OpNotEqual) {
			return append(checkWord(n.LHS, n.RHS), checkWord(n.RHS, n.LHS)...)
		}
		return nil
	})
	l.note(diags)
	return !diags.HasErrors()
}

func checkWord(field, word hcl.Expression) hcl.Diagnostics {
	t, diags := hcl.AbsTraversalForExpr(field)
	if diags.HasErrors() || t.RootName() != "incident" || len(names(t)) != 1 {
		return nil
	}
	name := names(t)[0]
	known, ok := knownWords()[name]
	v, diags := word.Value(nil)
	if !ok || diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return nil
	}
	err := among(v.AsString(), known)
	if err == nil {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Unknown " + name, Detail: sentence(err), Subject: word.Range().Ptr(),
	}}
}

// knownWords are the values of those fields that have only a few.
func knownWords() map[string][]string {
	var severities []string
	for _, s := range sdk.Severities() {
		severities = append(severities, string(s))
	}
	return map[string][]string{
		"severity": severities,
		"status":   {string(core.Investigating), string(core.Acknowledged), string(core.Resolved)},
	}
}

// holds evaluates the expression for one incident.
func (c *condition) holds(in *core.Incident) (ok bool, err error) {
	// A bug of an evaluator must not stop the writer, for which this runs.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("evaluate condition: %v", r)
		}
	}()
	ctx := c.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"incident": c.incident(in)}
	v, diags := c.expr.Value(ctx)
	if diags.HasErrors() {
		d := diags[0]
		return false, fmt.Errorf("evaluate condition: %s: %s; %s", place(d), d.Summary, d.Detail)
	}
	v, err = convert.Convert(v, cty.Bool)
	if err != nil || v.IsNull() || !v.IsKnown() {
		return false, errors.New("evaluate condition: the result is neither true nor false")
	}
	return v.True(), nil
}
