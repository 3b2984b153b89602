package pluginhost

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is one field of an answer that two versions give differently.
type Difference struct {
	Field string `json:"field"` // such as "events[0].severity"
	Old   string `json:"old"`   // as JSON; empty: not there
	New   string `json:"new"`
}

// Compare lists the fields in which the JSON forms of two answers differ, by
// name.
func Compare(before, after any) []Difference {
	old, now := map[string]string{}, map[string]string{}
	flatten("", plain(before), old)
	flatten("", plain(after), now)
	all := maps.Clone(old)
	maps.Copy(all, now)
	var changes []Difference
	for _, field := range slices.Sorted(maps.Keys(all)) {
		if old[field] != now[field] {
			changes = append(changes, Difference{Field: field, Old: old[field], New: now[field]})
		}
	}
	return changes
}

// plain is a value as JSON sees it.
func plain(v any) (out any) {
	encoded, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(encoded, &out)
	}
	if err != nil {
		return map[string]any{"error": err.Error()}
	}
	return out
}

// flatten writes every leaf of a JSON value under its path.
func flatten(path string, v any, to map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			flatten(strings.TrimPrefix(path+"."+name, "."), inner, to)
		}
	case []any:
		for i, inner := range v {
			flatten(fmt.Sprintf("%s[%d]", path, i), inner, to)
		}
	default:
		leaf, _ := json.Marshal(v) // it came from JSON
		to[path] = string(leaf)
	}
}
