package sdktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// difference lists the members in which two JSON values differ, each with what
// was wanted and what came.
func difference(wanted, got []byte) string {
	want, have := leaves(wanted), leaves(got)
	paths := slices.Sorted(maps.Keys(want))
	for path := range have {
		if _, both := want[path]; !both {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var lines []string
	for _, path := range paths {
		if want[path] != have[path] {
			lines = append(lines, fmt.Sprintf("%s: want %s, got %s", path, orNothing(want[path]), orNothing(have[path])))
		}
	}
	return strings.Join(lines, "\n")
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// leaves returns the simple values of a JSON document by their path.
func leaves(raw []byte) map[string]string {
	var value any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return map[string]string{"": err.Error()}
	}
	found := map[string]string{}
	addLeaves(found, "", value)
	return found
}

func addLeaves(found map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			addLeaves(found, strings.TrimPrefix(path+"."+name, "."), member)
		}
	case []any:
		for i, element := range v {
			addLeaves(found, fmt.Sprintf("%s[%d]", path, i), element)
		}
	default:
		encoded, _ := json.Marshal(v) // it came out of a decoder
		found[path] = string(encoded)
	}
}
