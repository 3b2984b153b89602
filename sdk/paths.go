package sdk

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Shaped is a type that decodes its JSON itself and says which other type has
// the shape of that JSON.
type Shaped interface {
	// JSONShape returns a value of the type with the shape.
	JSONShape() any
}

// maxPathDepth is how deep PathsOf looks: a type may hold itself.
const maxPathDepth = 8

// PathsOf lists the JSON paths that decoding into T reads, for Info.Reads:
// "alerts[].labels" is the member labels of each element of the member alerts.
// What decodes itself is one path, unless it is Shaped. A map's keys are the
// vendor's affair, and no paths. Paths stand below prefixes, if there are any:
// "data.issue" for what is in there.
func PathsOf[T any](below ...string) []string {
	var paths []string
	add := func(path string) { paths = append(paths, path) }
	if len(below) == 0 {
		below = []string{""}
	}
	for _, prefix := range below {
		pathsOf(reflect.TypeFor[T](), prefix, 0, add)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func pathsOf(t reflect.Type, at string, depth int, add func(string)) {
	if depth > maxPathDepth {
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if shaped, ok := reflect.New(t).Interface().(Shaped); ok {
		pathsOf(reflect.TypeOf(shaped.JSONShape()), at, depth+1, add)
		return
	}
	switch {
	case decodesItself(t):
		leaf(at, add)
	case t.Kind() == reflect.Struct:
		if at != "" {
			add(at)
		}
		for field := range t.Fields() {
			pathsOfField(field, at, depth, add)
		}
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		leaf(at, add)
		if at != "" {
			pathsOf(t.Elem(), at+"[]", depth+1, func(path string) {
				if path != at+"[]" {
					add(path)
				}
			})
		}
	default:
		leaf(at, add)
	}
}

func pathsOfField(field reflect.StructField, at string, depth int, add func(string)) {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	switch {
	case name == "-" || !field.IsExported() && !field.Anonymous:
		return
	case field.Anonymous && name == "":
		pathsOf(field.Type, at, depth+1, add)
		return
	case name == "":
		name = field.Name
	}
	if at != "" {
		name = at + "." + name
	}
	pathsOf(field.Type, name, depth+1, add)
}

func leaf(at string, add func(string)) {
	if at != "" {
		add(at)
	}
}

func decodesItself(t reflect.Type) bool {
	value := reflect.New(t).Interface()
	_, isJSON := value.(json.Unmarshaler)
	_, isText := value.(encoding.TextUnmarshaler)
	return isJSON || isText
}
