package config

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/expr"
)

// expression compiles what an operator wrote, and returns it in the form in
// which it travels. It reports false if there are mistakes.
func (l *loader) expression(written hcl.Expression, rules expr.Rules) (*expr.Program, sdk.Expression, bool) {
	e, ok := l.travelling(written)
	if !ok {
		return nil, e, false
	}
	program, err := expr.Compile(e, rules)
	if mistakes, is := errors.AsType[*expr.Error](err); is {
		for _, d := range mistakes.Diagnostics {
			l.note(hcl.Diagnostics{moved(d, written.Range().Start.Byte)})
		}
		return nil, e, false
	}
	return program, e, true
}

// moved returns a diagnostic whose bytes count from the beginning of its file.
func moved(d *hcl.Diagnostic, by int) *hcl.Diagnostic {
	at := *d.Subject
	at.Start.Byte += by
	at.End.Byte += by
	return &hcl.Diagnostic{Severity: d.Severity, Summary: d.Summary, Detail: d.Detail, Subject: &at}
}

// travelling takes an expression out of its file, with the locals that it
// reads.
func (l *loader) travelling(written hcl.Expression) (sdk.Expression, bool) {
	at := written.Range()
	e := sdk.Expression{File: at.Filename, Line: at.Start.Line, Column: at.Start.Column}
	if _, native := written.(hclsyntax.Node); native {
		e.Source = string(at.SliceBytes(l.files[at.Filename].Bytes))
		if strings.HasPrefix(e.Source, "<<") {
			e.Source += "\n" // the end of a heredoc is a line of its own
		}
	} else if v, diags := written.Value(nil); !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
		e.Source, e.Template = v.AsString(), true // a JSON string is a template as it stands
	} else {
		l.errorf(&at, "Wrong type", "In JSON an expression is text, such as \"${body.title}\".")
		return e, false
	}
	if !l.checkReferences(written) {
		return e, false
	}
	for _, t := range written.Variables() {
		if steps := names(t); t.RootName() == "local" && len(steps) > 0 {
			if !l.carry(&e, steps[0]) {
				return e, false
			}
		}
	}
	return e, true
}

// carry adds a local's value. It reports false if the local is mistaken, which
// has been noted where it stands.
func (l *loader) carry(e *sdk.Expression, name string) bool {
	value := l.locals[name].value
	if !value.IsWhollyKnown() {
		return false
	}
	raw, err := ctyjson.Marshal(value, value.Type())
	if err != nil {
		return false
	}
	if e.Locals == nil {
		e.Locals = map[string]json.RawMessage{}
	}
	e.Locals[name] = raw
	return true
}

// eventExpression compiles an argument that is an expression over an event.
// Nil if it isn't written, or mistaken.
func (b *block) eventExpression(name string, rules expr.Rules) *core.EventExpression {
	if !b.has(name) {
		return nil
	}
	rules.Variables, rules.Result = map[string][]string{"event": core.EventFields()}, sdk.TypeString
	program, _, ok := b.l.expression(b.content.Attributes[name].Expr, rules)
	if !ok {
		return nil
	}
	fields, some := program.Reads("event")
	if !some {
		fields = core.EventFields()
	}
	return &core.EventExpression{Place: program.Place(), Eval: func(e *sdk.Event) (string, error) {
		return program.Text(expr.NewBudget(nil), map[string]any{"event": core.EventValue(e, fields)})
	}}
}

// identityPolicy reads what events belong together by.
func (b *block) identityPolicy(to *core.IdentityPolicy) {
	list(b, "fields", &to.Fields, func(field string) (string, error) {
		if !core.KnownField(field) {
			return "", errors.New("there is no field " + field + " of an event" + suggestion(field, core.EventFields()))
		}
		return field, nil
	})
	to.Expression = b.eventExpression("expression", expr.Rules{Whole: true})
	switch {
	case b.has("fields") == b.has("expression"):
		b.l.errorf(&b.at, "Invalid identity", "Set one of fields and expression.")
	case slices.ContainsFunc(to.Fields, func(f string) bool { return f == "action" || f == "severity" }):
		b.l.warnf(b.where("fields"), "Resolves don't match", "A resolve has another action and no severity, so it never finds what it resolves.")
	}
}
