package config

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// A template's time and size are bounded by what goes into it (see bounded),
// by the length of its source, and by what it may not do: loops within loops,
// and formats that a sender has written.
const (
	maxTemplate = 16 << 10 // bytes of source
	maxRendered = 64 << 10 // bytes of result; what is longer is cut
	maxReplaced = 1 << 20  // bytes that one replace makes
)

// template is a compiled text. It is used by many goroutines at once.
type template struct {
	reading
	expr hcl.Expression
	ctx  *hcl.EvalContext
}

// templates compiles the settings that are templates, and reports false if
// there are mistakes.
func (l *loader) templates(attributes hcl.Attributes, schema []sdk.Setting) (map[string]core.Template, bool) {
	all, ok := map[string]core.Template{}, true
	for _, s := range schema {
		attr := attributes[s.Name]
		if s.Type != sdk.TypeTemplate || attr == nil {
			continue
		}
		t := l.template(attr.Expr)
		all[s.Name], ok = t, ok && t != nil
	}
	return all, ok
}

// template checks a text against an incident of which nothing but the type is
// known, and compiles it. Nil if there are mistakes.
func (l *loader) template(expr hcl.Expression) core.Template {
	expr, diags := native(expr)
	l.note(diags)
	if diags.HasErrors() || !l.checkCost(expr) {
		return nil
	}
	ctx, ok := l.scope(expr, map[string]cty.Type{"incident": toldType(), "change": changeType()}, templateFunctions())
	if !ok {
		return nil
	}
	v, diags := expr.Value(ctx)
	l.note(diags)
	if diags.HasErrors() {
		return nil
	}
	if kind := v.Type(); kind != cty.String && kind != cty.DynamicPseudoType && convert.GetConversion(kind, cty.String) == nil {
		l.errorf(expr.Range().Ptr(), "Wrong type", "A template makes a text, this is %s.", typeName(kind))
		return nil
	}
	t := &template{expr: expr, ctx: ctx}
	t.read(expr, toldType())
	return t.text
}

// native returns the expression in HCL's own syntax, which alone shows its
// inside: a JSON string is a template as it stands.
func native(expr hcl.Expression) (hcl.Expression, hcl.Diagnostics) {
	if _, ok := expr.(hclsyntax.Node); ok {
		return expr, nil
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
		return expr, diags
	}
	start := expr.Range().Start
	parsed, diags := hclsyntax.ParseTemplate([]byte(v.AsString()), expr.Range().Filename, start)
	return parsed, diags
}

// checkCost refuses what could make much of little.
func (l *loader) checkCost(expr hcl.Expression) bool {
	at := expr.Range()
	if at.End.Byte-at.Start.Byte > maxTemplate {
		l.errorf(&at, "Template too long", "A template has %d bytes at most.", maxTemplate)
		return false
	}
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return true // neither a text nor an expression: its type is refused
	}
	w := costs{}
	diags := hclsyntax.Walk(node, &w)
	l.note(diags)
	return !diags.HasErrors()
}

// costs walks a template for loops within loops and foreign formats.
type costs struct{ loops int }

// Enter is called before a node's children.
func (w *costs) Enter(node hclsyntax.Node) hcl.Diagnostics {
	switch n := node.(type) {
	case *hclsyntax.ForExpr:
		w.loops++
		if w.loops > 1 {
			return mistake(n.Range(), "Loop in a loop", "A template may go through lists one after the other, but not one within another.")
		}
	case *hclsyntax.FunctionCallExpr:
		if n.Name == "format" && len(n.Args) > 0 && len(n.Args[0].Variables()) > 0 {
			return mistake(n.Args[0].Range(), "Foreign format", "The first argument of format must be written out.")
		}
	}
	return nil
}

// Exit is called after a node's children.
func (w *costs) Exit(node hclsyntax.Node) hcl.Diagnostics {
	if _, ok := node.(*hclsyntax.ForExpr); ok {
		w.loops--
	}
	return nil
}

func mistake(at hcl.Range, summary, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}}
}

// templateFunctions are the pure ones and those that only texts need.
func templateFunctions() map[string]function.Function {
	all := pure()
	all["formatdate"] = stdlib.FormatDateFunc
	all["jsonencode"] = stdlib.JSONEncodeFunc
	all["substr"] = stdlib.SubstrFunc
	all["title"] = stdlib.TitleFunc
	all["replace"] = function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "str", Type: cty.String}, {Name: "substr", Type: cty.String}, {Name: "replace", Type: cty.String},
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			in, old, with := args[0].AsString(), args[1].AsString(), args[2].AsString()
			if len(in)+strings.Count(in, old)*len(with) > maxReplaced {
				return cty.NilVal, function.NewArgErrorf(0, "the result is longer than %d bytes", maxReplaced)
			}
			return cty.StringVal(strings.ReplaceAll(in, old, with)), nil
		},
	})
	return all
}

// text evaluates the template for one message.
func (t *template) text(m core.Message) (text string, err error) {
	// A bug of an evaluator must not cost a delivery.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("evaluate template: %v", r)
		}
	}()
	ctx := t.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"incident": t.told(m), "change": change(m)}
	v, diags := t.expr.Value(ctx)
	if diags.HasErrors() {
		d := diags[0]
		return "", fmt.Errorf("evaluate template: %s: %s; %s", place(d), d.Summary, d.Detail)
	}
	v, err = convert.Convert(v, cty.String)
	if err != nil || v.IsNull() || !v.IsKnown() {
		return "", fmt.Errorf("evaluate template: %s: the result is no text", t.expr.Range())
	}
	return cut(v.AsString(), maxRendered), nil
}

// toldType is what a template knows as incident: what a condition knows, and
// what there is once an incident is stored.
func toldType() cty.Type {
	fields := incidentType().AttributeTypes()
	for _, name := range []string{"id", "url", "opened_at", "acknowledged_at", "resolved_at"} {
		fields[name] = cty.String
	}
	return cty.Object(fields)
}

// told converts what the template reads of the message's incident.
func (t *template) told(m core.Message) cty.Value {
	in := bounded(m.Incident)
	fields := make(map[string]cty.Value, len(t.fields))
	for _, name := range t.fields {
		switch name {
		case "id":
			fields[name] = cty.StringVal(in.Name())
		case "url":
			fields[name] = cty.StringVal(m.IncidentURL)
		case "opened_at":
			fields[name] = timeVal(in.OpenedAt)
		case "acknowledged_at":
			fields[name] = timeVal(in.AckedAt)
		case "resolved_at":
			fields[name] = timeVal(in.ResolvedAt)
		default:
			fields[name] = t.field(in, name)
		}
	}
	return cty.ObjectVal(fields)
}

// timeVal is a time as formatdate reads it, empty if there is none.
func timeVal(at time.Time) cty.Value {
	if at.IsZero() {
		return cty.StringVal("")
	}
	return cty.StringVal(at.UTC().Format(time.RFC3339))
}

// changeType is what a template knows as change.
func changeType() cty.Type {
	return cty.Object(map[string]cty.Type{"kind": cty.String, "at": cty.String, "version": cty.Number})
}

func change(m core.Message) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"kind": cty.StringVal(string(m.Kind)), "at": timeVal(m.At), "version": cty.NumberIntVal(int64(m.Incident.Version)),
	})
}

// cut returns the beginning of s, n bytes at most, whole characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
