package sdk

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Labels is a set of names with short values, however a vendor writes it: an
// object, a list of objects with a name (or key) and a value, or a list or one
// text of "name:value" or "name=value" with commas. A text without a value is a
// label with the value "true". What is empty, a list or an object is left out.
type Labels map[string]string

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (l *Labels) UnmarshalJSON(raw []byte) error {
	*l = nil
	var object map[string]Text
	var list []labelItem
	switch {
	case json.Unmarshal(raw, &object) == nil:
		for _, name := range slices.Sorted(maps.Keys(object)) { // two names may be one once they are cleaned
			l.add(name, string(object[name]))
		}
	case json.Unmarshal(raw, &list) == nil:
		for _, item := range list {
			l.add(item.name, item.value)
		}
	default:
		var words Texts
		_ = words.UnmarshalJSON(raw) // it never fails
		for _, word := range words {
			l.add(splitLabel(word))
		}
	}
	return nil
}

func (l *Labels) add(name, value string) {
	if name, value = Line(name), Line(value); name == "" || value == "" {
		return
	}
	if *l == nil {
		*l = Labels{}
	}
	(*l)[name] = value
}

// labelItem is an element of a list of labels.
type labelItem struct{ name, value string }

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (i *labelItem) UnmarshalJSON(raw []byte) error {
	var pair struct{ Name, Key, Value Text }
	if json.Unmarshal(raw, &pair) == nil {
		i.name, i.value = string(pair.Name+pair.Key), string(pair.Value)
		return nil
	}
	var word Text
	_ = word.UnmarshalJSON(raw) // it never fails
	i.name, i.value = splitLabel(string(word))
	return nil
}

// splitLabel reads "name:value" and "name=value"; a word alone is true.
func splitLabel(word string) (name, value string) {
	if i := strings.IndexAny(word, ":="); i >= 0 {
		return word[:i], word[i+1:]
	}
	return word, "true"
}

// Kept returns those members that aren't empty, for Event.Metadata.
func Kept(members map[string]Text) map[string]any {
	kept := make(map[string]any, len(members))
	for name, value := range members {
		if value != "" {
			kept[name] = string(value)
		}
	}
	return kept
}
