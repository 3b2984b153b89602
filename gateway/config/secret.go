package config

import (
	"errors"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/core"
)

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

// hide notes the text that is written out in an expression which gives a
// secret, and reports whether there is any. The arguments of env and file are
// none.
func (l *loader) hide(expr hcl.Expression) bool {
	found := l.hideLiterals(expr)
	for _, t := range expr.Variables() {
		steps := names(t)
		if t.RootName() != "local" || len(steps) == 0 {
			continue
		}
		if one := l.locals[steps[0]]; one != nil && !one.hidden {
			one.hidden = true // before its own locals, which may be circular
			found = l.hide(one.attr.Expr) || found
		}
	}
	return found
}

func (l *loader) hideLiterals(expr hcl.Expression) bool {
	node, ok := expr.(hclsyntax.Node)
	if !ok { // JSON
		v, diags := expr.Value(&hcl.EvalContext{}) // without a context it is all literal
		if diags.HasErrors() || v.IsNull() {
			return false
		}
		l.hideRange(expr.Range())
		return true
	}
	w := literals{l: l}
	// The walker reports nothing.
	_ = hclsyntax.Walk(node, &w)
	return w.found
}

func (l *loader) hideRange(at hcl.Range) {
	l.secrets[at.Filename] = append(l.secrets[at.Filename], at)
}

// literals walks an expression for texts outside of function calls.
type literals struct {
	l     *loader
	calls int
	found bool
}

// Enter is called before a node's children.
func (w *literals) Enter(node hclsyntax.Node) hcl.Diagnostics {
	switch n := node.(type) {
	case *hclsyntax.FunctionCallExpr:
		w.calls++
	case *hclsyntax.LiteralValueExpr:
		if w.calls == 0 && n.Val.Type() == cty.String && n.Val.AsString() != "" {
			w.found = true
			w.l.hideRange(n.SrcRange)
		}
	}
	return nil
}

// Exit is called after a node's children.
func (w *literals) Exit(node hclsyntax.Node) hcl.Diagnostics {
	if _, ok := node.(*hclsyntax.FunctionCallExpr); ok {
		w.calls--
	}
	return nil
}

// looksSecret finds quoted text that is given to a name which promises a
// secret. It is all there is to go by in a file that can't be parsed.
var looksSecret = regexp.MustCompile(`(?i)\b(?:value|url|[a-z_]*(?:secret|token|password|key)s?)"?\s*[=:]\s*\[?\s*"((?:[^"\\\n]|\\.)*)`)

// masked returns the file with what shall not be shown as stars, so that lines
// and columns stay.
func masked(f *hcl.File, ranges []hcl.Range) *hcl.File {
	src := slices.Clone(f.Bytes)
	for _, m := range looksSecret.FindAllSubmatchIndex(f.Bytes, -1) {
		stars(src, m[2], m[3])
	}
	for _, r := range ranges {
		stars(src, r.Start.Byte, r.End.Byte)
	}
	return &hcl.File{Body: f.Body, Bytes: src, Nav: f.Nav}
}

func stars(src []byte, from, to int) {
	for i := from; i < min(to, len(src)); i++ {
		if src[i] != '\n' && src[i] != '"' {
			src[i] = '*'
		}
	}
}
