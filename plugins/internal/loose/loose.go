// Package loose has types for members whose type vendors don't keep: ids that
// are numbers or strings, objects that are sometimes a name. They take what
// comes, since one odd member must not cost an alert.
package loose

import (
	"bytes"
	"encoding/json"
	"strings"
)

// Text takes strings, and numbers and booleans as written. The words that
// templates write for nothing are nothing.
type Text string

// UnmarshalJSON makes Text a json.Unmarshaler that never fails.
func (t *Text) UnmarshalJSON(raw []byte) error {
	*t = Text(Scalar(raw))
	return nil
}

// Scalar returns the text of a JSON string, number or boolean. Objects, lists,
// null and the words for nothing give "".
func Scalar(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		if s == "None" || s == "null" || s == "<no value>" {
			return ""
		}
		return s
	case '{', '[', 'n':
		return ""
	}
	return string(raw)
}

// First returns the first text that isn't empty or white space.
func First(texts ...Text) string {
	for _, t := range texts {
		if s := strings.TrimSpace(string(t)); s != "" {
			return s
		}
	}
	return ""
}

// Value holds a value that stays zero where it can't be read.
type Value[T any] struct{ V T }

// UnmarshalJSON makes Value a json.Unmarshaler that never fails.
func (v *Value[T]) UnmarshalJSON(raw []byte) error {
	var value T
	if json.Unmarshal(raw, &value) == nil {
		v.V = value
	}
	return nil
}

// JSONShape makes Value an sdk.Shaped.
func (v *Value[T]) JSONShape() any { return v.V }

// JSON keeps a value of any kind as it was written, but in valid UTF-8, which
// encoding/json doesn't ask of what it only copies.
type JSON json.RawMessage

// UnmarshalJSON makes JSON a json.Unmarshaler that never fails.
func (j *JSON) UnmarshalJSON(raw []byte) error {
	*j = JSON(bytes.ToValidUTF8(raw, []byte("\uFFFD")))
	return nil
}

// MarshalJSON makes JSON a json.Marshaler.
func (j JSON) MarshalJSON() ([]byte, error) { return json.RawMessage(j).MarshalJSON() }
