package expr

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/sdk"
)

// eval is a compiled part of an expression.
type eval func(*scope) (any, error)

// scope is what an evaluation knows.
type scope struct {
	variables map[string]any
	loop      []any // values of the loops around, outermost first
	budget    *Budget
}

// node is a part of an expression, with what is known of its value.
type node struct {
	run      eval
	kind     kind
	constant bool // depends on nothing that is read
}

// fixed returns a node for a value that is known.
func fixed(value any) node {
	return node{run: func(*scope) (any, error) { return value, nil }, kind: kindOf(value), constant: true}
}

// compiler makes closures of HCL's syntax tree. HCL's own evaluation would
// convert whole bodies first, and fail where a member is missing.
type compiler struct {
	rules   Rules
	locals  map[string]json.RawMessage
	whole   hcl.Range
	names   []string // of the loop's values, as scope.loop has them
	nesting int
	reads   []Path
	diags   hcl.Diagnostics
}

func (c *compiler) errorf(at hcl.Range, summary, detail string, args ...any) {
	c.diags = append(c.diags, &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at,
	})
}

// want notes a constant or a kind that can't be what is needed.
func (c *compiler) want(n node, at hcl.Range, kinds ...kind) {
	if n.kind != anything && n.kind != null && !slices.Contains(kinds, n.kind) {
		c.errorf(at, "Wrong type", "This is %s, where %s is wanted.", n.kind, kinds[0])
	}
}

func (c *compiler) expression(e hclsyntax.Expression) node {
	if c.nesting++; c.nesting > maxNesting {
		if c.nesting == maxNesting+1 && !c.diags.HasErrors() {
			c.errorf(e.Range(), "Expression too deep", "It is nested more than %d times.", maxNesting)
		}
		c.nesting--
		return fixed(nil)
	}
	defer func() { c.nesting-- }()
	switch e := e.(type) {
	case *hclsyntax.LiteralValueExpr:
		return fixed(literal(e.Val))
	case *hclsyntax.ParenthesesExpr:
		return c.expression(e.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return c.expression(e.Wrapped)
	case *hclsyntax.TemplateExpr:
		return c.template(e.Parts)
	case *hclsyntax.TemplateJoinExpr:
		return c.templateJoin(e)
	case *hclsyntax.ScopeTraversalExpr:
		return c.variable(e)
	case *hclsyntax.RelativeTraversalExpr:
		return c.steps(c.expression(e.Source), e.Traversal)
	case *hclsyntax.IndexExpr:
		return c.index(e)
	case *hclsyntax.ConditionalExpr:
		return c.conditional(e)
	case *hclsyntax.BinaryOpExpr:
		return c.binary(e)
	case *hclsyntax.UnaryOpExpr:
		return c.unary(e)
	case *hclsyntax.FunctionCallExpr:
		return c.call(e)
	case *hclsyntax.TupleConsExpr:
		return c.tuple(e)
	case *hclsyntax.ObjectConsExpr:
		return c.object(e)
	case *hclsyntax.ForExpr:
		return c.loop(e)
	case *hclsyntax.SplatExpr:
		return c.splat(e)
	case *hclsyntax.AnonSymbolExpr:
		return c.local("*")
	}
	c.errorf(e.Range(), "Unsupported expression", "This form isn't known here.")
	return fixed(nil)
}

// literal converts what the parser makes: text, a number, a boolean or null.
func literal(v cty.Value) any {
	switch {
	case v.IsNull() || !v.IsKnown():
		return nil
	case v.Type() == cty.String:
		return v.AsString()
	case v.Type() == cty.Bool:
		return v.True()
	}
	f := v.AsBigFloat()
	if inRange(f) != nil {
		return nil
	}
	return json.Number(f.Text('f', -1))
}

// template joins the parts of a text; null adds nothing to it, unless the text
// has to be whole.
func (c *compiler) template(parts []hclsyntax.Expression) node {
	nodes := make([]node, len(parts))
	constant := true
	for i, part := range parts {
		nodes[i] = c.expression(part)
		c.want(nodes[i], part.Range(), text, number, boolean)
		constant = constant && nodes[i].constant
	}
	return node{kind: text, constant: constant, run: func(s *scope) (any, error) {
		var out strings.Builder
		for _, part := range nodes {
			value, err := part.run(s)
			if err != nil {
				return nil, err
			}
			if value == nil && c.rules.Whole {
				return nil, nil
			}
			piece, err := textOf(value)
			if err != nil {
				return nil, err
			}
			if err := s.budget.chargeText(len(piece)); err != nil {
				return nil, err
			}
			out.WriteString(piece)
		}
		return out.String(), nil
	}}
}

// templateJoin is the loop of a template: %{ for ... }.
func (c *compiler) templateJoin(e *hclsyntax.TemplateJoinExpr) node {
	tuple := c.expression(e.Tuple)
	return node{kind: text, constant: tuple.constant, run: func(s *scope) (any, error) {
		value, err := tuple.run(s)
		if err != nil {
			return nil, err
		}
		return joined(s.budget, "", value)
	}}
}

// variable reads what the caller hands in, a local, or the value of a loop.
func (c *compiler) variable(e *hclsyntax.ScopeTraversalExpr) node {
	root := e.Traversal.RootName()
	if slices.Contains(c.names, root) {
		return c.steps(c.local(root), e.Traversal[1:])
	}
	path := Path{root}
	for _, step := range e.Traversal[1:] {
		name, ok := stepName(step)
		if !ok {
			break
		}
		path = append(path, name)
	}
	if root == "local" {
		return c.localValue(e, path)
	}
	members, known := c.rules.Variables[root]
	switch {
	case !known:
		c.errorf(e.SrcRange, "Unknown variable", "There is no %s here%s", root, hint(root, slices.Sorted(maps.Keys(c.rules.Variables))))
		return fixed(nil)
	case len(path) > 1 && len(members) > 0 && !slices.Contains(members, path[1]):
		c.errorf(e.SrcRange, "Unknown field", "There is no %s in %s%s", path[1], root, hint(path[1], members))
		return fixed(nil)
	}
	c.reads = append(c.reads, path)
	read := node{run: func(s *scope) (any, error) { return s.variables[root], nil }}
	return c.steps(read, e.Traversal[1:])
}

// local reads the value of a loop around.
func (c *compiler) local(name string) node {
	for i := len(c.names) - 1; i >= 0; i-- {
		if c.names[i] == name {
			return node{run: func(s *scope) (any, error) { return s.loop[i], nil }}
		}
	}
	c.errorf(c.whole, "Unsupported expression", "This form isn't known here.")
	return fixed(nil)
}

// localValue reads an argument of a locals block, whose value came along.
func (c *compiler) localValue(e *hclsyntax.ScopeTraversalExpr, path Path) node {
	if len(path) < 2 {
		c.errorf(e.SrcRange, "Unknown local", "Name one: local.NAME.")
		return fixed(nil)
	}
	raw, ok := c.locals[path[1]]
	if !ok {
		c.errorf(e.SrcRange, "Unknown local", "There is no local %s%s", path[1],
			hint(path[1], slices.Sorted(maps.Keys(c.locals))))
		return fixed(nil)
	}
	value, err := Decode(raw)
	if err != nil {
		c.errorf(e.SrcRange, "Unknown local", "The value of local %s isn't known: %v.", path[1], err)
		return fixed(nil)
	}
	return c.steps(fixed(value), e.Traversal[2:])
}

// hint ends a sentence about a name that doesn't exist.
func hint(given string, known []string) string {
	return cmp.Or(Suggestion(given, known), ".")
}

// Suggestion is "; did you mean X?" for the closest of some names, empty if
// none is close.
func Suggestion(given string, known []string) string {
	best, least := "", 4
	for _, name := range known {
		if d := levenshtein.Distance(strings.ToLower(given), strings.ToLower(name), nil); d < least && d < len(name) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

func stepName(step hcl.Traverser) (string, bool) {
	switch s := step.(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// steps follows the members that are written out. What isn't there is null.
func (c *compiler) steps(from node, steps hcl.Traversal) node {
	if len(steps) == 0 {
		return from
	}
	keys := make([]any, len(steps))
	for i, step := range steps {
		if name, ok := stepName(step); ok {
			keys[i] = name
		} else if s, ok := step.(hcl.TraverseIndex); ok {
			keys[i] = literal(s.Key)
		} else {
			c.errorf(step.SourceRange(), "Unsupported expression", "This form isn't known here.")
			return fixed(nil)
		}
	}
	return node{constant: from.constant, run: func(s *scope) (any, error) {
		value, err := from.run(s)
		for _, key := range keys {
			value = member(value, key)
		}
		if err == nil {
			err = s.budget.charge(len(keys))
		}
		return value, err
	}}
}

func (c *compiler) index(e *hclsyntax.IndexExpr) node {
	collection, key := c.expression(e.Collection), c.expression(e.Key)
	c.want(collection, e.Collection.Range(), list, object)
	c.want(key, e.Key.Range(), text, number)
	return node{constant: collection.constant && key.constant, run: func(s *scope) (any, error) {
		from, err := collection.run(s)
		if err != nil {
			return nil, err
		}
		at, err := key.run(s)
		if err != nil {
			return nil, err
		}
		return member(from, at), s.budget.charge(1)
	}}
}

func (c *compiler) conditional(e *hclsyntax.ConditionalExpr) node {
	condition, yes, no := c.expression(e.Condition), c.expression(e.TrueResult), c.expression(e.FalseResult)
	c.want(condition, e.Condition.Range(), boolean)
	n := node{constant: condition.constant && yes.constant && no.constant}
	switch {
	case yes.kind == no.kind || no.kind == null:
		n.kind = yes.kind
	case yes.kind == null:
		n.kind = no.kind
	}
	n.run = func(s *scope) (any, error) {
		value, err := condition.run(s)
		if err != nil {
			return nil, err
		}
		holds, err := truth(value)
		if err != nil {
			return nil, err
		}
		if holds {
			return yes.run(s)
		}
		return no.run(s)
	}
	return n
}

func (c *compiler) tuple(e *hclsyntax.TupleConsExpr) node {
	nodes := make([]node, len(e.Exprs))
	constant := true
	for i, element := range e.Exprs {
		nodes[i] = c.expression(element)
		constant = constant && nodes[i].constant
	}
	return node{kind: list, constant: constant, run: func(s *scope) (any, error) {
		values := make([]any, len(nodes))
		for i, n := range nodes {
			value, err := n.run(s)
			if err != nil {
				return nil, err
			}
			values[i] = value
		}
		return values, s.budget.charge(len(values))
	}}
}

func (c *compiler) object(e *hclsyntax.ObjectConsExpr) node {
	type item struct{ key, value node }
	items := make([]item, len(e.Items))
	constant := true
	for i, one := range e.Items {
		items[i] = item{c.key(one.KeyExpr), c.expression(one.ValueExpr)}
		constant = constant && items[i].key.constant && items[i].value.constant
	}
	return node{kind: object, constant: constant, run: func(s *scope) (any, error) {
		members := make(map[string]any, len(items))
		for _, one := range items {
			if err := put(s, members, one.key, one.value); err != nil {
				return nil, err
			}
		}
		return members, s.budget.charge(len(items))
	}}
}

// key compiles an object's key: a bare word stands for itself.
func (c *compiler) key(e hclsyntax.Expression) node {
	if wrapped, ok := e.(*hclsyntax.ObjectConsKeyExpr); ok {
		if word := hcl.ExprAsKeyword(wrapped.Wrapped); word != "" && !wrapped.ForceNonLiteral {
			return fixed(word)
		}
		e = wrapped.Wrapped
	}
	n := c.expression(e)
	c.want(n, e.Range(), text, number, boolean)
	return n
}

// put adds a member, unless its name is null or there is one of that name.
func put(s *scope, members map[string]any, key, value node) error {
	name, err := key.run(s)
	if err != nil || name == nil {
		return err
	}
	word, err := textOf(name)
	if err != nil {
		return err
	}
	v, err := value.run(s)
	if err != nil {
		return err
	}
	if _, there := members[word]; !there {
		members[word] = v
	}
	return nil
}

// results are the wanted results' kinds, the one to name first.
var results = map[sdk.SettingType][]kind{
	sdk.TypeString: {text, number, boolean},
	sdk.TypeBool:   {boolean},
	sdk.TypeNumber: {number},
	sdk.TypeList:   {list, text},
	sdk.TypeMap:    {object},
}

// checkResult holds what is known of the result to the rules.
func (c *compiler) checkResult(e hclsyntax.Expression, root node) {
	kinds := results[c.rules.Result]
	if kinds == nil || c.diags.HasErrors() {
		return
	}
	c.want(root, e.Range(), kinds...)
	if c.rules.Word == nil {
		return
	}
	for _, leaf := range leaves(e) {
		inner := &compiler{rules: c.rules, locals: c.locals, whole: c.whole, names: c.names}
		n := inner.expression(leaf)
		if !n.constant || inner.diags.HasErrors() {
			continue
		}
		value, err := n.run(&scope{budget: NewBudget(nil)})
		word, ok := value.(string)
		if err != nil || !ok || word == "" {
			continue
		}
		if err := c.rules.Word(word); err != nil {
			c.errorf(leaf.Range(), "Unknown word", "%v.", err)
		}
	}
}

// leaves are the parts of an expression that it may give as they stand.
func leaves(e hclsyntax.Expression) []hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return leaves(e.Expression)
	case *hclsyntax.TemplateWrapExpr:
		return leaves(e.Wrapped)
	case *hclsyntax.ConditionalExpr:
		return append(leaves(e.TrueResult), leaves(e.FalseResult)...)
	case *hclsyntax.IndexExpr:
		return memberLeaves(e.Collection)
	case *hclsyntax.FunctionCallExpr:
		var all []hclsyntax.Expression
		switch {
		case e.Name == "coalesce" || e.Name == "try":
			for _, arg := range e.Args {
				all = append(all, leaves(arg)...)
			}
		case e.Name == "lookup" && len(e.Args) == 3:
			all = append(memberLeaves(e.Args[0]), leaves(e.Args[2])...)
		}
		return all
	case *hclsyntax.TemplateExpr, *hclsyntax.LiteralValueExpr:
		return []hclsyntax.Expression{e}
	}
	return nil
}

func memberLeaves(e hclsyntax.Expression) []hclsyntax.Expression {
	var all []hclsyntax.Expression
	if o, ok := e.(*hclsyntax.ObjectConsExpr); ok {
		for _, item := range o.Items {
			all = append(all, leaves(item.ValueExpr)...)
		}
	}
	return all
}
