// Package loose has types for members whose type vendors don't keep: ids that
// are numbers or strings, objects that are sometimes a name. They take what
// comes, since one odd member must not cost an alert.
package loose

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
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
		s, plain := unquote(raw)
		if !plain && json.Unmarshal(raw, &s) != nil {
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

// unquote returns the text of a JSON string that stands for itself. One with
// escapes, control characters or broken UTF-8 is encoding/json's.
func unquote(raw []byte) (s string, plain bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c < ' ' || c == '"' || c == '\\' {
			return "", false
		}
	}
	if !utf8.Valid(inner) {
		return "", false
	}
	return string(inner), true
}

// Strings reads a JSON object of strings that stand for themselves, as labels
// mostly are; false for every other text, which may still be one.
func Strings(raw []byte) (map[string]string, bool) {
	rest := bytes.Trim(raw, white)
	if len(rest) < 2 || rest[0] != '{' {
		return nil, false
	}
	object := map[string]string{}
	for sign := byte('{'); ; sign = ',' {
		rest = bytes.TrimLeft(rest, white)
		if sign == ',' && len(rest) == 1 && rest[0] == '}' || sign == '{' && empty(rest) {
			return object, true
		}
		if len(rest) == 0 || rest[0] != sign {
			return nil, false
		}
		name, after, ok := plainString(rest[1:])
		if after = bytes.TrimLeft(after, white); !ok || len(after) == 0 || after[0] != ':' {
			return nil, false
		}
		if object[name], rest, ok = plainString(after[1:]); !ok {
			return nil, false
		}
	}
}

// white is what may stand between the parts of a JSON text.
const white = " \t\r\n"

// empty reports whether a text is an object without members.
func empty(text []byte) bool {
	return text[len(text)-1] == '}' && len(bytes.TrimLeft(text[1:], white)) == 1
}

// plainString reads a string at the beginning of a text.
func plainString(text []byte) (s string, rest []byte, ok bool) {
	text = bytes.TrimLeft(text, white)
	if len(text) == 0 || text[0] != '"' {
		return "", nil, false
	}
	end := bytes.IndexByte(text[1:], '"')
	if end < 0 {
		return "", nil, false
	}
	s, ok = unquote(text[:end+2])
	return s, text[end+2:], ok
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
