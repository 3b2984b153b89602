package expr

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// function is what a name stands for in a call.
type function struct {
	params   []kind
	optional int  // how many of the last may be left out
	variadic bool // the last may be repeated
	gives    kind
	run      func(b *Budget, args []any) (any, error)
}

// functions are those that expressions may call. None reaches anything but its
// arguments.
var functions = map[string]function{
	"lower":      {params: []kind{text}, gives: text, run: mapText(strings.ToLower)},
	"upper":      {params: []kind{text}, gives: text, run: mapText(strings.ToUpper)},
	"trimspace":  {params: []kind{text}, gives: text, run: mapText(strings.TrimSpace)},
	"sha256":     {params: []kind{text}, gives: text, run: mapText(digest)},
	"text":       {params: []kind{anything}, gives: text, run: mapText(func(s string) string { return s })},
	"trimprefix": {params: []kind{text, text}, gives: text, run: mapTexts(strings.TrimPrefix)},
	"trimsuffix": {params: []kind{text, text}, gives: text, run: mapTexts(strings.TrimSuffix)},
	"startswith": {params: []kind{text, text}, gives: boolean, run: askTexts(strings.HasPrefix)},
	"endswith":   {params: []kind{text, text}, gives: boolean, run: askTexts(strings.HasSuffix)},
	"replace":    {params: []kind{text, text, text}, gives: text, run: replace},
	"split":      {params: []kind{text, text}, gives: list, run: split},
	"join":       {params: []kind{text, list}, gives: text, run: join},
	"format":     {params: []kind{text, anything}, optional: 1, variadic: true, gives: text, run: format},
	"jsondecode": {params: []kind{text}, run: jsonDecode},
	"jsonencode": {params: []kind{anything}, gives: text, run: jsonEncode},
	"number":     {params: []kind{anything}, gives: number, run: toNumber},
	"length":     {params: []kind{anything}, gives: number, run: length},
	"concat":     {params: []kind{list}, variadic: true, gives: list, run: concat},
	"flatten":    {params: []kind{list}, gives: list, run: flatten},
	"contains":   {params: []kind{anything, anything}, gives: boolean, run: contains},
	"keys":       {params: []kind{object}, gives: list, run: keys},
	"values":     {params: []kind{object}, gives: list, run: values},
	"merge":      {params: []kind{object}, variadic: true, gives: object, run: merge},
	"lookup":     {params: []kind{object, anything, anything}, optional: 1, run: lookup},
	"coalesce":   {params: []kind{anything}, variadic: true, run: coalesce},
}

// form compiles what is called like a function, but decides what of its
// arguments is evaluated, and when.
func (c *compiler) form(e *hclsyntax.FunctionCallExpr) (n node, ok bool) {
	switch e.Name {
	case "try":
		return c.try(e), true
	case "can":
		return c.can(e), true
	case "regex":
		return c.regex(e), true
	case "regexall":
		return c.regexAll(e), true
	}
	return node{}, false
}

func (c *compiler) call(e *hclsyntax.FunctionCallExpr) node {
	if e.ExpandFinal {
		c.errorf(e.Range(), "Unsupported expression", "A list can't stand for several arguments here.")
		return fixed(nil)
	}
	if n, ok := c.form(e); ok {
		return n
	}
	f, ok := functions[e.Name]
	if !ok {
		known := append(slices.Sorted(maps.Keys(functions)), "try", "can", "regex", "regexall")
		c.errorf(e.NameRange, "Unknown function", "There is no function %s%s", e.Name, hint(e.Name, known))
		return fixed(nil)
	}
	least, most := len(f.params)-f.optional, len(f.params)
	if !c.count(e, least, most, f.variadic) {
		return fixed(nil)
	}
	args, constant := c.arguments(e)
	for i, arg := range args {
		switch wanted := f.params[min(i, most-1)]; wanted {
		case anything:
		case text:
			c.want(arg, e.Args[i].Range(), text, number, boolean)
		default:
			c.want(arg, e.Args[i].Range(), wanted)
		}
	}
	return node{kind: f.gives, constant: constant, run: func(s *scope) (any, error) {
		given := make([]any, len(args))
		for i, arg := range args {
			value, err := arg.run(s)
			if err != nil {
				return nil, err
			}
			given[i] = normal(value)
		}
		if err := s.budget.charge(1 + len(given)); err != nil {
			return nil, err
		}
		value, err := f.run(s.budget, given)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		return value, nil
	}}
}

func (c *compiler) arguments(e *hclsyntax.FunctionCallExpr) (args []node, constant bool) {
	constant = true
	for _, arg := range e.Args {
		n := c.expression(arg)
		args, constant = append(args, n), constant && n.constant
	}
	return args, constant
}

// count holds a call to the number of arguments that it must have.
func (c *compiler) count(e *hclsyntax.FunctionCallExpr, least, most int, more bool) bool {
	n := len(e.Args)
	if n >= least && (n <= most || more) {
		return true
	}
	wanted := strconv.Itoa(most)
	switch {
	case more:
		wanted = fmt.Sprintf("%d or more", least)
	case least < most:
		wanted = fmt.Sprintf("%d or %d", least, most)
	}
	c.errorf(e.Range(), "Wrong number of arguments", "%s takes %s, this gives it %d.", e.Name, wanted, n)
	return false
}

// try gives the value of the first argument that doesn't fail.
func (c *compiler) try(e *hclsyntax.FunctionCallExpr) node {
	if !c.count(e, 1, 1, true) {
		return fixed(nil)
	}
	args, constant := c.arguments(e)
	return node{constant: constant, run: func(s *scope) (value any, err error) {
		for _, arg := range args {
			if value, err = arg.run(s); err == nil || s.budget.spent != nil {
				return value, err
			}
		}
		return nil, err
	}}
}

// can tells whether its argument doesn't fail.
func (c *compiler) can(e *hclsyntax.FunctionCallExpr) node {
	if !c.count(e, 1, 1, false) {
		return fixed(nil)
	}
	args, constant := c.arguments(e)
	return node{kind: boolean, constant: constant, run: func(s *scope) (any, error) {
		_, err := args[0].run(s)
		return err == nil, s.budget.spent
	}}
}

// maxPattern bounds a pattern, in bytes, and maxMatched the text that is
// searched.
const (
	maxPattern = 1 << 10
	maxMatched = 64 << 10
)

// pattern compiles the first argument, which has to be constant: a sender must
// not choose it, and a mistake in it is to be found before anything is sent.
func (c *compiler) pattern(e *hclsyntax.FunctionCallExpr) (*regexp.Regexp, node) {
	if !c.count(e, 2, 2, false) {
		return nil, node{}
	}
	args, _ := c.arguments(e)
	c.want(args[1], e.Args[1].Range(), text, number, boolean)
	if !args[0].constant {
		c.errorf(e.Args[0].Range(), "Pattern isn't constant", "A pattern may not depend on what was sent.")
		return nil, node{}
	}
	value, err := args[0].run(&scope{budget: NewBudget(nil)})
	source, ok := value.(string)
	if err != nil || !ok || len(source) > maxPattern {
		c.errorf(e.Args[0].Range(), "Invalid pattern", "Want text of at most %d bytes.", maxPattern)
		return nil, node{}
	}
	re, err := regexp.Compile(source)
	if err != nil {
		c.errorf(e.Args[0].Range(), "Invalid pattern", "%v.", err)
		return nil, node{}
	}
	return re, args[1]
}

// searched evaluates the text that a pattern is looked for in.
func searched(s *scope, n node) (string, error) {
	value, err := n.run(s)
	if err != nil {
		return "", err
	}
	where, err := textOf(value)
	if err != nil {
		return "", err
	}
	where = where[:min(len(where), maxMatched)]
	return where, s.budget.charge(1 + len(where))
}

// regex gives what a pattern finds: the text, or its groups as a list, or as
// an object if they have names. Null if it finds nothing.
func (c *compiler) regex(e *hclsyntax.FunctionCallExpr) node {
	re, subject := c.pattern(e)
	if re == nil {
		return fixed(nil)
	}
	return node{run: func(s *scope) (any, error) {
		where, err := searched(s, subject)
		if err != nil {
			return nil, err
		}
		return found(re, re.FindStringSubmatch(where)), nil
	}}
}

// regexAll gives all that a pattern finds, as a list.
func (c *compiler) regexAll(e *hclsyntax.FunctionCallExpr) node {
	re, subject := c.pattern(e)
	if re == nil {
		return fixed(nil)
	}
	return node{kind: list, run: func(s *scope) (any, error) {
		where, err := searched(s, subject)
		if err != nil {
			return nil, err
		}
		all := []any{}
		for _, match := range re.FindAllStringSubmatch(where, -1) {
			all = append(all, found(re, match))
		}
		return all, s.budget.charge(len(all))
	}}
}

func found(re *regexp.Regexp, match []string) any {
	switch {
	case match == nil:
		return nil
	case len(match) == 1:
		return match[0]
	}
	groups, names := []any{}, map[string]any{}
	for i, group := range match[1:] {
		groups = append(groups, group)
		if name := re.SubexpNames()[i+1]; name != "" {
			names[name] = group
		}
	}
	if len(names) > 0 {
		return names
	}
	return groups
}

// texts are arguments as text.
func texts(b *Budget, args []any) ([]string, error) {
	all := make([]string, len(args))
	for i, arg := range args {
		s, err := textOf(arg)
		if err != nil {
			return nil, err
		}
		if err := b.chargeText(len(s)); err != nil {
			return nil, err
		}
		all[i] = s
	}
	return all, nil
}

func mapText(f func(string) string) func(*Budget, []any) (any, error) {
	return func(b *Budget, args []any) (any, error) {
		t, err := texts(b, args)
		if err != nil {
			return nil, err
		}
		return f(t[0]), nil
	}
}

func mapTexts(f func(string, string) string) func(*Budget, []any) (any, error) {
	return func(b *Budget, args []any) (any, error) {
		t, err := texts(b, args)
		if err != nil {
			return nil, err
		}
		return f(t[0], t[1]), nil
	}
}

func askTexts(f func(string, string) bool) func(*Budget, []any) (any, error) {
	return func(b *Budget, args []any) (any, error) {
		t, err := texts(b, args)
		if err != nil {
			return nil, err
		}
		return f(t[0], t[1]), nil
	}
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// replace pays for what it makes before it makes it.
func replace(b *Budget, args []any) (any, error) {
	t, err := texts(b, args)
	if err != nil {
		return nil, err
	}
	if err := b.chargeText(strings.Count(t[0], t[1]) * len(t[2])); err != nil {
		return nil, err
	}
	return strings.ReplaceAll(t[0], t[1], t[2]), nil
}

// split takes the separator first, as ever in HCL.
func split(b *Budget, args []any) (any, error) {
	t, err := texts(b, args)
	if err != nil {
		return nil, err
	}
	if err := b.charge(1 + strings.Count(t[1], t[0])); err != nil {
		return nil, err
	}
	parts := []any{}
	if t[1] == "" {
		return parts, nil
	}
	for part := range strings.SplitSeq(t[1], t[0]) {
		parts = append(parts, part)
	}
	return parts, nil
}

func join(b *Budget, args []any) (any, error) {
	separator, err := textOf(args[0])
	if err != nil {
		return nil, err
	}
	return joined(b, separator, args[1])
}

// verbs are what format knows: %s, %d, %q and %v, without widths, by which a
// sender's text could fill the memory.
var verbs = regexp.MustCompile(`%.?`)

func format(b *Budget, args []any) (any, error) {
	t, err := texts(b, args)
	if err != nil {
		return nil, err
	}
	next := 1
	made := verbs.ReplaceAllStringFunc(t[0], func(verb string) string {
		if verb == "%%" {
			return "%"
		}
		if next >= len(t) || !strings.ContainsAny(verb[1:], "sdqv") || verb == "%" {
			err = fmt.Errorf("%q isn't known here, or has no value: want %%s, %%d, %%q or %%v and a value for each", verb)
			return ""
		}
		next++
		if verb == "%q" {
			return strconv.Quote(t[next-1])
		}
		return t[next-1]
	})
	return made, err
}

func jsonDecode(b *Budget, args []any) (any, error) {
	t, err := texts(b, args)
	if err != nil || args[0] == nil {
		return nil, err
	}
	if err := b.charge(len(t[0])); err != nil {
		return nil, err
	}
	value, err := Decode([]byte(t[0]))
	if err != nil {
		return nil, errors.New("this text isn't JSON")
	}
	return value, nil
}

func jsonEncode(b *Budget, args []any) (any, error) {
	if err := b.weigh(args[0]); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(args[0]); err != nil {
		return nil, err
	}
	return strings.TrimSpace(out.String()), nil
}

func toNumber(_ *Budget, args []any) (any, error) {
	switch v := args[0].(type) {
	case nil, json.Number:
		return v, nil
	}
	f, err := numeric(args[0])
	if err != nil {
		return nil, err
	}
	return written(f)
}

func length(b *Budget, args []any) (any, error) {
	switch v := args[0].(type) {
	case nil:
		return intNumber(0), nil
	case string:
		return intNumber(utf8.RuneCountInString(v)), b.chargeText(len(v))
	case []any:
		return intNumber(len(v)), nil
	case map[string]any:
		return intNumber(len(v)), nil
	}
	return nil, fmt.Errorf("%s has no length", kindOf(args[0]))
}

func intNumber(n int) json.Number { return json.Number(strconv.Itoa(n)) }

func concat(b *Budget, args []any) (any, error) {
	all := []any{}
	for _, arg := range args {
		if err := each(b, arg, func(_, value any) error { all = append(all, value); return nil }); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// flatten gives the elements of the lists in a list; what is no list stands for
// itself.
func flatten(b *Budget, args []any) (any, error) {
	all := []any{}
	err := each(b, args[0], func(_, value any) error {
		inner, ok := value.([]any)
		if !ok {
			inner = []any{value}
		}
		all = append(all, inner...)
		return b.charge(len(inner))
	})
	return all, err
}

// contains also finds a text within a text.
func contains(b *Budget, args []any) (any, error) {
	if whole, ok := args[0].(string); ok {
		part, err := textOf(args[1])
		if err != nil {
			return nil, err
		}
		return part != "" && strings.Contains(whole, part), b.chargeText(len(whole))
	}
	holds := false
	err := each(b, args[0], func(_, value any) error {
		same, err := equal(b, value, args[1])
		holds = holds || same
		return err
	})
	return holds, err
}

func keys(b *Budget, args []any) (any, error) {
	return members(b, args[0], func(key, _ any) any { return key })
}

func values(b *Budget, args []any) (any, error) {
	return members(b, args[0], func(_, value any) any { return value })
}

func members(b *Budget, of any, pick func(key, value any) any) (any, error) {
	all := []any{}
	if k := kindOf(of); k != object && k != null {
		return nil, fmt.Errorf("this is %s, where an object is wanted", k)
	}
	err := each(b, of, func(key, value any) error { all = append(all, pick(key, value)); return nil })
	return all, err
}

// merge gives all members; those of the later objects win.
func merge(b *Budget, args []any) (any, error) {
	all := map[string]any{}
	for _, arg := range args {
		if k := kindOf(arg); k != object && k != null {
			return nil, fmt.Errorf("this is %s, where an object is wanted", k)
		}
		err := each(b, arg, func(key, value any) error {
			name, err := textOf(key)
			all[name] = value
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// lookup gives a member, or the default if there is none or it is null.
func lookup(_ *Budget, args []any) (any, error) {
	if value := member(args[0], args[1]); value != nil || len(args) < 3 {
		return value, nil
	}
	return args[2], nil
}

// coalesce gives the first value that is neither null nor empty text: vendors
// send both for what they have nothing to say of.
func coalesce(_ *Budget, args []any) (any, error) {
	for _, arg := range args {
		if arg != nil && arg != "" {
			return arg, nil
		}
	}
	return nil, nil
}
