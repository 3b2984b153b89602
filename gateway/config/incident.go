package config

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"bellcrank.example/core"
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

// reading is what an expression reads of an incident, so that no more of it is
// converted than that.
type reading struct {
	fields   []string
	labels   []string // that it names
	metadata []string // top-level members that it names
}

// read notes what the expression reads of an incident of that type.
func (r *reading) read(expr hcl.Expression, incident cty.Type) {
	all := slices.Sorted(maps.Keys(incident.AttributeTypes()))
	for _, t := range expr.Variables() {
		steps := names(t)
		switch {
		case t.RootName() != "incident":
		case len(steps) == 0:
			r.fields = all
		default:
			r.fields = append(r.fields, steps[0])
			if len(steps) > 1 && steps[0] == "labels" {
				r.labels = append(r.labels, steps[1])
			}
			if len(steps) > 1 && steps[0] == "metadata" {
				r.metadata = append(r.metadata, steps[1])
			}
		}
	}
	slices.Sort(r.fields)
	r.fields = slices.Compact(r.fields)
}

// incident converts the fields that are read.
func (r *reading) incident(in *core.Incident) cty.Value {
	fields := make(map[string]cty.Value, len(r.fields))
	for _, name := range r.fields {
		fields[name] = r.field(in, name)
	}
	return cty.ObjectVal(fields)
}

func (r *reading) field(in *core.Incident, name string) cty.Value {
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
		return r.labelMap(in.Labels)
	case "metadata":
		return r.metadataObject(in.Metadata)
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
func (r *reading) labelMap(labels map[string]string) cty.Value {
	values := make(map[string]cty.Value, len(labels)+len(r.labels))
	for _, name := range r.labels {
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
func (r *reading) metadataObject(metadata map[string]any) cty.Value {
	values := make(map[string]cty.Value, len(metadata)+len(r.metadata))
	for _, name := range r.metadata {
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
