package config

import (
	"maps"
	"slices"

	"bellcrank.example/core"
)

// What a template sees of an incident. Senders choose how large it is; a text
// for people needs no more.
const (
	maxDescription = 16 << 10 // bytes
	maxValue       = 4 << 10  // bytes of every other text
	maxMembers     = 256      // labels, elements, and members at each level
	maxNodes       = 2000     // of the metadata altogether
)

// bounded returns a copy of the incident that is cut to what a template may
// see.
func bounded(in *core.Incident) *core.Incident {
	c := *in
	c.Title, c.Service = cut(in.Title, maxValue), cut(in.Service, maxValue)
	c.Description = cut(in.Description, maxDescription)
	c.SourceURL, c.DedupKey = cut(in.SourceURL, maxValue), cut(in.DedupKey, maxValue)
	c.SeverityRaw = cut(in.SeverityRaw, maxValue)
	c.Affected = nil
	for _, service := range in.Affected[:min(len(in.Affected), maxMembers)] {
		c.Affected = append(c.Affected, cut(service, maxValue))
	}
	c.Labels = make(map[string]string, min(len(in.Labels), maxMembers))
	for _, name := range firstNames(in.Labels) {
		c.Labels[name] = cut(in.Labels[name], maxValue)
	}
	left := maxNodes
	c.Metadata, _ = boundedValue(in.Metadata, &left).(map[string]any)
	return &c
}

// firstNames returns the names in order, as many as a template may see.
func firstNames[V any](m map[string]V) []string {
	names := slices.Sorted(maps.Keys(m))
	return names[:min(len(names), maxMembers)]
}

// boundedValue copies a JSON value until no node is left.
func boundedValue(value any, left *int) any {
	*left--
	switch v := value.(type) {
	case string:
		return cut(v, maxValue)
	case []any:
		var list []any
		for _, element := range v[:min(len(v), maxMembers)] {
			if *left <= 0 {
				break
			}
			list = append(list, boundedValue(element, left))
		}
		return list
	case map[string]any:
		object := map[string]any{}
		for _, name := range firstNames(v) {
			if *left <= 0 {
				break
			}
			object[name] = boundedValue(v[name], left)
		}
		return object
	}
	return value
}
