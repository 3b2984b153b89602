// Package expr compiles the expressions that operators write into their
// configuration: HCL's syntax over values as JSON has them, without a way to
// reach anything outside.
//
// What isn't there is null, and so is every member of it: an expression over a
// body that lacks a member doesn't fail for that. Numbers keep the digits that
// they were sent with. What an evaluation may cost is bounded by a Budget, and
// the same input costs the same each time.
package expr

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"bellcrank.example/sdk"
)

// maxSource bounds the text of an expression, in bytes, and maxNesting how
// deep it may be.
const (
	maxSource  = 64 << 10
	maxNesting = 100
)

// Rules say what an expression may be.
type Rules struct {
	// Variables names what the expression may read; the members of a variable
	// are known if they are listed.
	Variables map[string][]string
	// Result is what it has to give; anything if empty. Text may be a number
	// or a boolean as well, a list a single text.
	Result sdk.SettingType
	// Whole makes null of a template that has null in it: a key without one of
	// its parts would be that of everything else without it.
	Whole bool
	// Word says what is wrong with a constant text that the expression may
	// give; nil: nothing can be.
	Word func(string) error
}

// RulesOf returns what an adapter's setting says of its expression.
func RulesOf(s sdk.Setting) Rules {
	r := Rules{Variables: map[string][]string{}, Result: s.Gives}
	for _, name := range s.Reads {
		r.Variables[name] = nil
	}
	switch s.Gives {
	case sdk.TypeSeverity:
		r.Result, r.Word = sdk.TypeString, SeverityWord
	case sdk.TypeKey:
		r.Result, r.Whole = sdk.TypeString, true
	}
	return r
}

// SeverityWord says what is wrong with a word that is no severity.
func SeverityWord(word string) error {
	if sdk.SeverityOf(word) == "" {
		return fmt.Errorf("%q is no severity; want Critical, High, Medium, Low, Pre-emptive, or a vendor's word for one", word)
	}
	return nil
}

// Program is a compiled expression. It may be used by many goroutines.
type Program struct {
	run   eval
	place string
	reads []Path
}

// Path is what an expression reads: a variable's name and the members below
// it, as far as they are written out.
type Path []string

// Error is what is wrong with an expression. The ranges of its diagnostics
// count from the place that the expression names as its own; their bytes count
// from its beginning.
type Error struct{ Diagnostics hcl.Diagnostics }

// Error lists everything that is wrong, with its place.
func (e *Error) Error() string {
	var lines []string
	for _, d := range e.Diagnostics {
		lines = append(lines, fmt.Sprintf("%s:%d,%d: %s; %s",
			d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column, d.Summary, d.Detail))
	}
	return strings.Join(lines, "\n")
}

// Compile checks an expression. Its error is an *Error.
func Compile(e sdk.Expression, rules Rules) (*Program, error) {
	start := hcl.Pos{Line: max(e.Line, 1), Column: max(e.Column, 1)}
	c := &compiler{rules: rules, locals: e.Locals, whole: hcl.Range{Filename: e.File, Start: start, End: start}}
	if len(e.Source) > maxSource {
		c.errorf(c.whole, "Expression too long", "It has %d bytes, %d are the most.", len(e.Source), maxSource)
		return nil, &Error{c.diags}
	}
	parse := hclsyntax.ParseExpression
	if e.Template {
		parse = hclsyntax.ParseTemplate
	}
	parsed, diags := parse([]byte(e.Source), e.File, start)
	if diags.HasErrors() {
		for _, d := range diags {
			d.Subject = cmp.Or(d.Subject, &c.whole)
		}
		return nil, &Error{diags}
	}
	root := c.expression(parsed)
	c.checkResult(parsed, root)
	if c.diags.HasErrors() {
		return nil, &Error{c.diags}
	}
	return &Program{run: root.run, place: fmt.Sprintf("%s:%d", filepath.Base(e.File), start.Line), reads: c.reads}, nil
}

// Place returns "FILE:LINE", for people.
func (p *Program) Place() string { return p.place }

// Reads lists what the expression reads of a variable: the first member of
// each path, sorted. It reports false if it reads the variable as a whole.
func (p *Program) Reads(variable string) (members []string, ok bool) {
	ok = true
	for _, path := range p.reads {
		switch {
		case path[0] != variable:
		case len(path) == 1:
			ok = false
		default:
			members = append(members, path[1])
		}
	}
	slices.Sort(members)
	return slices.Compact(members), ok
}

// Value evaluates the expression. Variables hold what a JSON decoder makes,
// with json.Number for numbers, and map[string]string and []string; so does
// the answer, which may share parts with them.
func (p *Program) Value(b *Budget, variables map[string]any) (value any, err error) {
	// A hostile body must not end the process that many others use.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: evaluate: %v", p.place, r)
		}
	}()
	b.begin()
	value, err = p.run(&scope{variables: variables, budget: b})
	value = normal(value)
	if err == nil {
		err = b.weigh(value)
	}
	if b.spent != nil {
		err = b.spent
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.place, err)
	}
	return value, nil
}

// Text evaluates to text: numbers with their digits, empty for null.
func (p *Program) Text(b *Budget, variables map[string]any) (string, error) {
	value, err := p.Value(b, variables)
	if err != nil {
		return "", err
	}
	text, err := textOf(value)
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.place, err)
	}
	return text, nil
}

// Holds evaluates to a condition. Null is false.
func (p *Program) Holds(b *Budget, variables map[string]any) (bool, error) {
	value, err := p.Value(b, variables)
	if err != nil {
		return false, err
	}
	holds, err := truth(value)
	if err != nil {
		return false, fmt.Errorf("%s: %w", p.place, err)
	}
	return holds, nil
}

// IsExhausted reports whether an evaluation has failed because its budget was
// spent.
func IsExhausted(err error) bool { return errors.Is(err, errCost) }
