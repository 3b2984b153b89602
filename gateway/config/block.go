package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"bellcrank.example/core"
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

func (b *block) text(name string, to *string) bool {
	return read(b, name, cty.String, to, func(v cty.Value) (string, error) { return v.AsString(), nil })
}

func (b *block) path(name string, to *string) {
	if b.text(name, to) {
		*to = resolve(*to, *b.where(name))
	}
}

func (b *block) boolean(name string, to *bool) {
	read(b, name, cty.Bool, to, func(v cty.Value) (bool, error) { return v.True(), nil })
}

func (b *block) count(name string, to *int) {
	read(b, name, cty.Number, to, func(v cty.Value) (int, error) {
		f := v.AsBigFloat()
		n, _ := f.Int64()
		if !f.IsInt() || n < 1 || n > 1<<31-1 {
			return 0, errors.New("want a whole number of 1 or more")
		}
		return int(n), nil
	})
}

func (b *block) duration(name string, to *time.Duration) bool {
	return read(b, name, cty.String, to, func(v cty.Value) (time.Duration, error) { return parseDuration(v.AsString()) })
}

// positive reads a duration that isn't zero.
func (b *block) positive(name string, to *time.Duration) bool {
	return read(b, name, cty.String, to, func(v cty.Value) (time.Duration, error) {
		d, err := parseDuration(v.AsString())
		if err == nil && d == 0 {
			err = errors.New("want a duration above zero")
		}
		return d, err
	})
}

func (b *block) size(name string, to *int64) {
	read(b, name, cty.String, to, func(v cty.Value) (int64, error) {
		n, err := parseSize(v.AsString())
		if err == nil && n == 0 {
			err = errors.New("want a size above zero")
		}
		return n, err
	})
}

// oneOf reads one of a few words.
func (b *block) oneOf(name string, to *string, words ...string) {
	read(b, name, cty.String, to, func(v cty.Value) (string, error) { return v.AsString(), among(v.AsString(), words) })
}

func among(word string, words []string) error {
	switch {
	case slices.Contains(words, word):
		return nil
	case len(words) == 1:
		return fmt.Errorf("%q isn't known here; want %q", word, words[0])
	}
	return fmt.Errorf("%q is none of %s%s", word, strings.Join(words, ", "), suggestion(word, words))
}

// list reads a list, each element by parse.
func list[T any](b *block, name string, to *[]T, parse func(string) (T, error)) bool {
	v, ok := b.value(name, cty.List(cty.String))
	if !ok {
		return false
	}
	var parsed []T
	for i, element := range v.AsValueSlice() {
		one, err := parse(element.AsString())
		if err != nil {
			b.wrong(b.element(name, i), name, err)
			ok = false
		}
		parsed = append(parsed, one)
	}
	if ok {
		*to = parsed
	}
	return ok
}

// element returns the place of one element, if the list is written out.
func (b *block) element(name string, i int) *hcl.Range {
	elements, diags := hcl.ExprList(b.content.Attributes[name].Expr)
	if diags.HasErrors() || i >= len(elements) {
		return b.where(name)
	}
	return elements[i].Range().Ptr()
}

// listOrOne reads a list, or a single text as a list of one.
func (b *block) listOrOne(name string, to *[]string) {
	v, ok := b.value(name, cty.DynamicPseudoType)
	switch {
	case !ok:
	case v.Type() == cty.String:
		*to = []string{v.AsString()}
	default:
		b.strings(name, to)
	}
}

func (b *block) strings(name string, to *[]string) {
	list(b, name, to, func(s string) (string, error) { return s, nil })
}

func (b *block) cidrs(name string, to *[]netip.Prefix) {
	list(b, name, to, func(s string) (netip.Prefix, error) {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			return netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return p, fmt.Errorf(`%q is no network; write one such as "192.0.2.0/24" or "2001:db8::/32"`, s)
		}
		if p != p.Masked() {
			return p, fmt.Errorf("%s has bits behind its prefix; the network is %s", p, p.Masked())
		}
		return p, nil
	})
}

func (b *block) stringMap(name string, to *map[string]string) bool {
	return read(b, name, cty.Map(cty.String), to, func(v cty.Value) (map[string]string, error) {
		m := map[string]string{}
		for key, value := range v.AsValueMap() {
			m[key] = value.AsString()
		}
		return m, nil
	})
}

// secret reads text that is never shown again.
func (b *block) secret(name string, to *core.Secret) bool {
	b.hide(name)
	ok := read(b, name, cty.String, to, func(v cty.Value) (core.Secret, error) {
		s := core.NewSecret(v.AsString())
		if s.Empty() {
			return s, errors.New("want a secret that isn't empty")
		}
		return s, nil
	})
	return ok
}

func (b *block) secrets(name string, to *[]core.Secret) bool {
	b.hide(name)
	return list(b, name, to, func(s string) (core.Secret, error) {
		secret := core.NewSecret(s)
		if secret.Empty() {
			return secret, errors.New("want a secret that isn't empty")
		}
		return secret, nil
	})
}

// hide keeps a secret that is written out of every snippet, and doubts that it
// should be written there.
func (b *block) hide(name string) {
	if attr, ok := b.content.Attributes[name]; ok && b.l.hide(attr.Expr) {
		b.l.warnf(attr.Expr.Range().Ptr(), "Secret in the file",
			"Whoever can read the file can use it. Keep it elsewhere and write env(\"NAME\") or file(\"PATH\").")
	}
}
