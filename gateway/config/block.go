package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// block reads the arguments of one block into Go values. What is missing
// leaves the value as it is, and so does what is mistaken, which is noted
// where it stands.
type block struct {
	l       *loader
	kind    string // key of shapes
	labels  []string
	at      hcl.Range // of its header
	content *hcl.BodyContent
}

// open checks a body against the shape of its kind.
func (l *loader) open(kind string, body hcl.Body, at hcl.Range, labels ...string) *block {
	s := shapes[kind]
	content, diags := body.Content(s.schema())
	l.note(diags)
	for _, inner := range content.Blocks {
		if _, ok := s.later[inner.Type]; ok {
			l.errorf(&inner.DefRange, "Not supported yet", "This version knows no %q block here.", inner.Type)
		}
	}
	return &block{l: l, kind: kind, labels: labels, at: at, content: content}
}

// each reads all inner blocks of a kind.
func (b *block) each(kind string, read func(*block)) {
	for _, inner := range b.content.Blocks {
		if inner.Type == kind {
			read(b.l.open(strings.TrimPrefix(b.kind+"."+kind, "."), inner.Body, inner.DefRange, inner.Labels...))
		}
	}
}

// raw returns the one inner block of a kind that has no shape, nil if there is
// none.
func (b *block) raw(kind string) *hcl.Block {
	var first *hcl.Block
	for _, inner := range b.content.Blocks {
		switch {
		case inner.Type != kind:
		case first == nil:
			first = inner
		default:
			b.l.duplicate(inner.DefRange, kind, first.DefRange)
		}
	}
	return first
}

// one reads the inner block of a kind that may stand once.
func (b *block) one(kind string, read func(*block)) {
	if inner := b.raw(kind); inner != nil {
		read(b.l.open(b.kind+"."+kind, inner.Body, inner.DefRange))
	}
}

func (l *loader) duplicate(at hcl.Range, what string, before hcl.Range) {
	l.errorf(&at, "Duplicate "+what, "There is one already at %s.", before)
}

// where returns the place of an argument's value, the block's if it isn't
// given.
func (b *block) where(name string) *hcl.Range {
	if attr, ok := b.content.Attributes[name]; ok {
		return attr.Expr.Range().Ptr()
	}
	return &b.at
}

// has reports whether an argument is written.
func (b *block) has(name string) bool { return b.content.Attributes[name] != nil }

// value evaluates an argument.
func (b *block) value(name string, want cty.Type) (cty.Value, bool) {
	attr, ok := b.content.Attributes[name]
	if !ok {
		return cty.NilVal, false
	}
	return b.l.evaluate(attr.Expr, want)
}

// evaluate reports false for null, and for what is mistaken or depends on a
// mistake.
func (l *loader) evaluate(expr hcl.Expression, want cty.Type) (cty.Value, bool) {
	if !l.checkReferences(expr) {
		return cty.NilVal, false
	}
	v, diags := expr.Value(l.context(expr.Range().Filename))
	l.note(diags)
	if diags.HasErrors() || !v.IsWhollyKnown() || v.IsNull() {
		return cty.NilVal, false
	}
	converted, err := convert.Convert(v, want)
	if err != nil || anyNull(converted) {
		l.errorf(expr.Range().Ptr(), "Wrong type", "Want %s, got %s.", typeName(want), typeName(v.Type()))
		return cty.NilVal, false
	}
	return converted, true
}

// anyNull reports whether an element of a list or map is null.
func anyNull(v cty.Value) bool {
	if !v.CanIterateElements() {
		return false
	}
	for _, element := range v.Elements() {
		if element.IsNull() {
			return true
		}
	}
	return false
}

// typeName is a type in an operator's words.
func typeName(t cty.Type) string {
	switch {
	case t == cty.Bool:
		return "true or false"
	case t == cty.String || t == cty.Number:
		return "a " + t.FriendlyName()
	case t.IsListType() || t.IsSetType():
		return "a list of " + t.ElementType().FriendlyName() + "s"
	case t.IsMapType():
		return "a map of " + t.ElementType().FriendlyName() + "s"
	case t.IsObjectType():
		return "an object"
	case t.IsTupleType():
		return "a list"
	}
	return t.FriendlyName()
}

// read reads an argument and reports whether it was there and right.
func read[T any](b *block, name string, want cty.Type, to *T, parse func(cty.Value) (T, error)) bool {
	v, ok := b.value(name, want)
	if !ok {
		return false
	}
	parsed, err := parse(v)
	if err != nil {
		b.wrong(b.where(name), name, err)
		return false
	}
	*to = parsed
	return true
}

func (b *block) wrong(at *hcl.Range, name string, err error) {
	b.l.errorf(at, "Invalid "+name, "%s.", sentence(err))
}

// sentence begins an error's text as a sentence.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}
