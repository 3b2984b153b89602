package drift

import (
	"encoding/json"
	"strings"
)

// presentIn returns those of the paths that a JSON body has, with something
// there. A path like "alerts[].labels" is there if one element has it. Of a
// batch the first element counts.
func presentIn(body []byte, paths []string) []string {
	if len(paths) == 0 {
		return nil
	}
	var value any
	if json.Unmarshal(body, &value) != nil {
		return nil // a form, for instance
	}
	if list, ok := value.([]any); ok && len(list) > 0 {
		value = list[0]
	}
	var present []string
	for _, path := range paths {
		if has(value, strings.Split(path, ".")) {
			present = append(present, path)
		}
	}
	return present
}

func has(value any, path []string) bool {
	if len(path) == 0 {
		return value != nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return false
	}
	name, isList := strings.CutSuffix(path[0], "[]")
	value = member(object, name)
	if !isList {
		return has(value, path[1:])
	}
	list, _ := value.([]any)
	for _, element := range list {
		if has(element, path[1:]) {
			return true
		}
	}
	return false
}

// member finds a member as encoding/json does: capital letters don't matter
// where the exact name isn't there.
func member(object map[string]any, name string) any {
	if value, ok := object[name]; ok {
		return value
	}
	for key, value := range object {
		if strings.EqualFold(key, name) {
			return value
		}
	}
	return nil
}
