package expr

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func (c *compiler) binary(e *hclsyntax.BinaryOpExpr) node {
	left, right := c.expression(e.LHS), c.expression(e.RHS)
	n := node{constant: left.constant && right.constant, kind: boolean}
	switch e.Op {
	case hclsyntax.OpEqual, hclsyntax.OpNotEqual:
		n.run = equality(left, right, e.Op == hclsyntax.OpEqual)
	case hclsyntax.OpLogicalAnd, hclsyntax.OpLogicalOr:
		c.want(left, e.LHS.Range(), boolean)
		c.want(right, e.RHS.Range(), boolean)
		n.run = logic(left, right, e.Op == hclsyntax.OpLogicalOr)
	default:
		c.want(left, e.LHS.Range(), number, text)
		c.want(right, e.RHS.Range(), number, text)
		if order, ok := orders[e.Op]; ok {
			n.run = comparison(left, right, order)
			break
		}
		n.kind, n.run = number, arithmetic(left, right, e.Op)
	}
	return n
}

func (c *compiler) unary(e *hclsyntax.UnaryOpExpr) node {
	value := c.expression(e.Val)
	if e.Op == hclsyntax.OpNegate {
		c.want(value, e.Val.Range(), number, text)
		return node{kind: number, constant: value.constant, run: arithmetic(fixed("0"), value, hclsyntax.OpSubtract)}
	}
	c.want(value, e.Val.Range(), boolean)
	return node{kind: boolean, constant: value.constant, run: func(s *scope) (any, error) {
		holds, err := condition(s, value)
		return !holds, err
	}}
}

func condition(s *scope, n node) (bool, error) {
	value, err := n.run(s)
	if err != nil {
		return false, err
	}
	return truth(value)
}

func both(s *scope, left, right node) (x, y any, err error) {
	if x, err = left.run(s); err != nil {
		return nil, nil, err
	}
	y, err = right.run(s)
	return x, y, err
}

func equality(left, right node, want bool) eval {
	return func(s *scope) (any, error) {
		x, y, err := both(s, left, right)
		if err != nil {
			return nil, err
		}
		same, err := equal(s.budget, x, y)
		return same == want, err
	}
}

// logic asks the right side only if the left one doesn't decide.
func logic(left, right node, decisive bool) eval {
	return func(s *scope) (any, error) {
		holds, err := condition(s, left)
		if err != nil || holds == decisive {
			return holds, err
		}
		return condition(s, right)
	}
}

// orders tell which outcomes of a comparison an operator wants.
var orders = map[*hclsyntax.Operation]func(int) bool{
	hclsyntax.OpGreaterThan:        func(c int) bool { return c > 0 },
	hclsyntax.OpGreaterThanOrEqual: func(c int) bool { return c >= 0 },
	hclsyntax.OpLessThan:           func(c int) bool { return c < 0 },
	hclsyntax.OpLessThanOrEqual:    func(c int) bool { return c <= 0 },
}

func comparison(left, right node, wanted func(int) bool) eval {
	return func(s *scope) (any, error) {
		x, y, err := numbers(s, left, right)
		if err != nil {
			return nil, err
		}
		return wanted(x.Cmp(y)), nil
	}
}

func numbers(s *scope, left, right node) (*big.Float, *big.Float, error) {
	a, b, err := both(s, left, right)
	if err != nil {
		return nil, nil, err
	}
	x, err := numeric(a)
	if err != nil {
		return nil, nil, err
	}
	y, err := numeric(b)
	if err != nil {
		return nil, nil, err
	}
	return x, y, s.budget.charge(4)
}

func arithmetic(left, right node, op *hclsyntax.Operation) eval {
	return func(s *scope) (any, error) {
		x, y, err := numbers(s, left, right)
		if err != nil {
			return nil, err
		}
		z, err := calculate(x, y, op)
		if err != nil {
			return nil, err
		}
		return written(z)
	}
}

func calculate(x, y *big.Float, op *hclsyntax.Operation) (*big.Float, error) {
	z := new(big.Float).SetPrec(precision)
	switch op {
	case hclsyntax.OpAdd:
		return z.Add(x, y), nil
	case hclsyntax.OpSubtract:
		return z.Sub(x, y), nil
	case hclsyntax.OpMultiply:
		return z.Mul(x, y), nil
	}
	if y.Sign() == 0 {
		return nil, errors.New("division by zero")
	}
	z.Quo(x, y)
	if op == hclsyntax.OpDivide {
		return z, nil
	}
	whole, _ := z.Int(nil)
	z.SetInt(whole)
	return z.Sub(x, z.Mul(z, y)), nil
}

// each calls do for the elements of a list, by their positions, or the members
// of an object in the order of their names. Null has none.
func each(b *Budget, collection any, do func(key, value any) error) error {
	switch v := normal(collection).(type) {
	case nil:
		return nil
	case []any:
		for i, value := range v {
			if err := b.charge(1); err != nil {
				return err
			}
			if err := do(i, value); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		if err := b.charge(len(v)); err != nil {
			return err
		}
		for _, name := range sortedKeys(v) {
			if err := do(name, v[name]); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("this is %s, where a list or an object is wanted", kindOf(collection))
}

// loop is a for expression: [for v in list : ...] or {for k, v in object : ...}.
func (c *compiler) loop(e *hclsyntax.ForExpr) node {
	collection := c.expression(e.CollExpr)
	c.want(collection, e.CollExpr.Range(), list, object)
	// The names hide those around; an empty one is never found.
	depth := len(c.names)
	c.names = append(c.names, e.KeyVar, e.ValVar)
	defer func() { c.names = c.names[:depth] }()
	l := loopOf{collection: collection, value: c.expression(e.ValExpr), keyed: e.KeyVar != "", group: e.Group}
	l.constant = collection.constant && l.value.constant
	if e.CondExpr != nil {
		n := c.expression(e.CondExpr)
		c.want(n, e.CondExpr.Range(), boolean)
		l.condition, l.constant = &n, l.constant && n.constant
	}
	if e.KeyExpr == nil {
		return node{kind: list, constant: l.constant, run: l.list}
	}
	n := c.expression(e.KeyExpr)
	c.want(n, e.KeyExpr.Range(), text, number, boolean)
	l.key = &n
	return node{kind: object, constant: l.constant && n.constant, run: l.object}
}

type loopOf struct {
	collection node
	condition  *node // nil: every element
	key        *node // nil: a list
	value      node
	keyed      bool // its key is read
	group      bool
	constant   bool
}

// over calls do within the loop for each element that is wanted.
func (l *loopOf) over(s *scope, do func(*scope) error) error {
	collection, err := l.collection.run(s)
	if err != nil {
		return err
	}
	depth := len(s.loop)
	inner := &scope{variables: s.variables, budget: s.budget, loop: append(s.loop[:depth:depth], nil, nil)}
	return each(s.budget, collection, func(key, value any) error {
		if i, ok := key.(int); ok && l.keyed {
			key = intNumber(i)
		}
		inner.loop[depth], inner.loop[depth+1] = key, value
		if l.condition != nil {
			if holds, err := condition(inner, *l.condition); err != nil || !holds {
				return err
			}
		}
		return do(inner)
	})
}

func (l *loopOf) list(s *scope) (any, error) {
	values := []any{}
	err := l.over(s, func(s *scope) error {
		value, err := l.value.run(s)
		values = append(values, value)
		return err
	})
	return values, err
}

func (l *loopOf) object(s *scope) (any, error) {
	members := map[string]any{}
	err := l.over(s, func(s *scope) error {
		if !l.group {
			return put(s, members, *l.key, l.value)
		}
		one := map[string]any{}
		if err := put(s, one, *l.key, l.value); err != nil {
			return err
		}
		for name, value := range one {
			all, _ := members[name].([]any)
			members[name] = append(all, value)
		}
		return nil
	})
	return members, err
}

// splat is list[*].member. What isn't a list stands for a list of itself, null
// for an empty one.
func (c *compiler) splat(e *hclsyntax.SplatExpr) node {
	source := c.expression(e.Source)
	depth := len(c.names)
	c.names = append(c.names, "", "*")
	defer func() { c.names = c.names[:depth] }()
	l := loopOf{value: c.expression(e.Each)}
	l.collection = node{run: func(s *scope) (any, error) {
		value, err := source.run(s)
		switch kindOf(value) {
		case list, null:
			return value, err
		}
		return []any{value}, err
	}}
	return node{kind: list, run: l.list}
}

// joined makes one text of a list.
func joined(b *Budget, separator string, values any) (any, error) {
	var out strings.Builder
	first := true
	err := each(b, values, func(_, value any) error {
		piece, err := textOf(value)
		if err != nil {
			return err
		}
		if !first {
			piece = separator + piece
		}
		first = false
		out.WriteString(piece)
		return b.chargeText(len(piece))
	})
	return out.String(), err
}
