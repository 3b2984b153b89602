package config

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// incidentType is what a condition knows as incident.
func incidentType() cty.Type {
	return cty.Object(map[string]cty.Type{
		"title":             cty.String,
		"description":       cty.String,
		"severity":          cty.String,
		"severity_raw":      cty.String,
		"status":            cty.String,
		"service":           cty.String,
		"affected_services": cty.List(cty.String),
		"customer_impact":   cty.Bool, // false if the vendor doesn't say
		"integration":       cty.Object(map[string]cty.Type{"id": cty.String, "type": cty.String, "name": cty.String}),
		"labels":            cty.Map(cty.String),
		"metadata":          cty.DynamicPseudoType,
		"source_url":        cty.String,
		"dedup_key":         cty.String,
		"count":             cty.Number,
		"test":              cty.Bool,
		"fallback":          cty.String, // empty, or why nobody could read the request
	})
}

// condition is a compiled expression. It is used by many goroutines at once.
type condition struct {
	expr     hcl.Expression
	ctx      *hcl.EvalContext
	fields   []string // of incident that the expression reads
	labels   []string // that it names
	metadata []string // top-level members that it names
}

// condition checks an expression against an incident of which nothing but the
// type is known, and compiles it. Nil if there are mistakes.
func (l *loader) condition(expr hcl.Expression) func(*core.Incident) (bool, error) {
	if ok := l.checkReferences(expr); !l.checkFields(expr) || !l.checkWords(expr) || !ok {
		return nil
	}
	variables := map[string]cty.Value{"incident": cty.UnknownVal(incidentType())}
	maps.Copy(variables, l.context(expr.Range().Filename).Variables)
	// Neither env nor file: what an incident leads to must not change between
	// two reloads, nor wait for a disk. A local may hold either.
	ctx := &hcl.EvalContext{Variables: variables, Functions: pure()}
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
	c.collect()
	return c.holds
}

// checkFields reports whether the incident has what the expression reads.
func (l *loader) checkFields(expr hcl.Expression) bool {
	ok := true
	for _, t := range expr.Variables() {
		steps, at := names(t), t.SourceRange()
		if t.RootName() != "incident" || len(steps) == 0 {
			continue
		}
		of, kind := "an incident", incidentType()
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

// collect notes what the expression reads, so that no more of an incident is
// converted than that.
func (c *condition) collect() {
	all := slices.Sorted(maps.Keys(incidentType().AttributeTypes()))
	for _, t := range c.expr.Variables() {
		steps := names(t)
		switch {
		case t.RootName() != "incident":
		case len(steps) == 0:
			c.fields = all
		default:
			c.fields = append(c.fields, steps[0])
			if len(steps) > 1 && steps[0] == "labels" {
				c.labels = append(c.labels, steps[1])
			}
			if len(steps) > 1 && steps[0] == "metadata" {
				c.metadata = append(c.metadata, steps[1])
			}
		}
	}
	slices.Sort(c.fields)
	c.fields = slices.Compact(c.fields)
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

// incident converts the fields that are read.
func (c *condition) incident(in *core.Incident) cty.Value {
	fields := make(map[string]cty.Value, len(c.fields))
	for _, name := range c.fields {
		fields[name] = c.field(in, name)
	}
	return cty.ObjectVal(fields)
}

func (c *condition) field(in *core.Incident, name string) cty.Value {
	switch name {
	case "title":
		return cty.StringVal(in.Title)
	case "description":
		return cty.StringVal(in.Description)
	case "severity":
		return cty.StringVal(string(in.Severity))
	case "severity_raw":
		return cty.StringVal(in.SeverityRaw)
	case "status":
		return cty.StringVal(string(in.Status))
	case "service":
		return cty.StringVal(in.Service)
	case "affected_services":
		return stringList(in.Affected)
	case "customer_impact":
		return cty.BoolVal(in.Impact != nil && *in.Impact)
	case "integration":
		kind, own, _ := strings.Cut(in.Integration, "/")
		return cty.ObjectVal(map[string]cty.Value{
			"id": cty.StringVal(in.Integration), "type": cty.StringVal(kind), "name": cty.StringVal(own),
		})
	case "labels":
		return c.labelMap(in.Labels)
	case "metadata":
		return c.metadataObject(in.Metadata)
	case "source_url":
		return cty.StringVal(in.SourceURL)
	case "dedup_key":
		return cty.StringVal(in.DedupKey)
	case "count":
		return cty.NumberIntVal(int64(in.Count))
	case "test":
		return cty.BoolVal(in.Test)
	case "fallback":
		return cty.StringVal(string(in.Fallback))
	}
	return cty.DynamicVal
}

// labelMap holds the labels and, empty, those that the expression names and
// the incident lacks: `incident.labels.team == "core"` must be false then, not
// an error.
func (c *condition) labelMap(labels map[string]string) cty.Value {
	values := make(map[string]cty.Value, len(labels)+len(c.labels))
	for _, name := range c.labels {
		values[name] = cty.StringVal("")
	}
	for name, value := range labels {
		values[name] = cty.StringVal(value)
	}
	if len(values) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	return cty.MapVal(values)
}

// metadataObject holds the metadata and null for what the expression names and
// the incident lacks.
func (c *condition) metadataObject(metadata map[string]any) cty.Value {
	values := make(map[string]cty.Value, len(metadata)+len(c.metadata))
	for _, name := range c.metadata {
		values[name] = cty.NullVal(cty.DynamicPseudoType)
	}
	for name, value := range metadata {
		values[name] = fromJSON(value)
	}
	return cty.ObjectVal(values)
}

func stringList(all []string) cty.Value {
	if len(all) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	values := make([]cty.Value, len(all))
	for i, s := range all {
		values[i] = cty.StringVal(s)
	}
	return cty.ListVal(values)
}

// fromJSON converts what a JSON decoder makes, with numbers as they are
// written or as floats.
func fromJSON(value any) cty.Value {
	switch v := value.(type) {
	case string:
		return cty.StringVal(v)
	case bool:
		return cty.BoolVal(v)
	case float64:
		return cty.NumberFloatVal(v)
	case fmt.Stringer: // json.Number
		if f, _, err := big.ParseFloat(v.String(), 10, 512, big.ToNearestEven); err == nil {
			return cty.NumberVal(f)
		}
		return cty.StringVal(v.String())
	case []any:
		values := make([]cty.Value, len(v))
		for i, element := range v {
			values[i] = fromJSON(element)
		}
		return cty.TupleVal(values)
	case map[string]any:
		values := make(map[string]cty.Value, len(v))
		for name, element := range v {
			values[name] = fromJSON(element)
		}
		return cty.ObjectVal(values)
	}
	return cty.NullVal(cty.DynamicPseudoType)
}
