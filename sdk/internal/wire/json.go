package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Labels and metadata travel as JSON, and reading it was a third of what a
// call costs the gateway. The reader below knows only what is needed for maps
// and leaves to encoding/json what is rare; a fuzz test holds the two to the
// same answers.

// maxNesting is how deep metadata may be nested, as in encoding/json.
const maxNesting = 10_000

// readMetadata reads one JSON object. Numbers stay as they are written. An
// empty text and null are no map.
func readMetadata(text string) (map[string]any, error) {
	r := reader{text: text}
	if empty, err := r.empty(); empty {
		return nil, err
	}
	object, err := r.object()
	if err != nil {
		return nil, err
	}
	return object, r.end()
}

// readLabels reads one JSON object of strings. A null is an empty string, as
// in encoding/json.
func readLabels(text string) (map[string]string, error) {
	r := reader{text: text}
	if empty, err := r.empty(); empty {
		return nil, err
	}
	labels := map[string]string{}
	err := r.members(func(name string) (err error) {
		if r.peek() == 'n' {
			labels[name] = ""
			return r.word("null")
		}
		labels[name], err = r.string()
		return err
	})
	if err != nil {
		return nil, err
	}
	return labels, r.end()
}

// reader reads a JSON text from at on. The strings that it returns are parts of
// the text, which is copied once instead of each of them.
type reader struct {
	text  string
	at    int
	depth int
}

// empty reports whether there is no object: nothing at all, or null.
func (r *reader) empty() (bool, error) {
	if len(r.text) == 0 {
		return true, nil
	}
	if r.peek() != 'n' {
		return false, nil
	}
	if err := r.word("null"); err != nil {
		return true, err
	}
	return true, r.end()
}

// end is an error unless nothing follows.
func (r *reader) end() error {
	if r.peek() != 0 || r.at < len(r.text) {
		return errors.New("something follows the JSON object")
	}
	return nil
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (r *reader) unexpected(want string) error {
	if r.at >= len(r.text) {
		return errors.New("the JSON ends too early")
	}
	return fmt.Errorf("invalid JSON at byte %d: want %s", r.at, want)
}

func (r *reader) word(word string) error {
	if rest := r.text[r.at:]; !strings.HasPrefix(rest, word) {
		return r.unexpected(word)
	}
	r.at += len(word)
	return nil
}

func (r *reader) value() (any, error) {
	switch c := r.peek(); {
	case c == '"':
		return r.string()
	case c == '{':
		return r.object()
	case c == '[':
		return r.list()
	case c == 't':
		return true, r.word("true")
	case c == 'f':
		return false, r.word("false")
	case c == 'n':
		return nil, r.word("null")
	case c == '-' || '0' <= c && c <= '9':
		return r.number()
	}
	return nil, r.unexpected("a value")
}

func (r *reader) object() (map[string]any, error) {
	object := map[string]any{}
	err := r.members(func(name string) (err error) {
		object[name], err = r.value()
		return err
	})
	if err != nil {
		return nil, err
	}
	return object, nil
}

// members calls fn before the value of each member of an object.
func (r *reader) members(fn func(name string) error) error {
	return r.sequence('{', '}', func() error {
		if r.peek() != '"' {
			return r.unexpected("a name")
		}
		name, err := r.string()
		if err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.unexpected("a colon")
		}
		r.at++
		return fn(name)
	})
}

func (r *reader) list() ([]any, error) {
	list := []any{}
	err := r.sequence('[', ']', func() error {
		v, err := r.value()
		list = append(list, v)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// sequence calls fn before each item between two brackets.
func (r *reader) sequence(first, last byte, fn func() error) error {
	if r.peek() != first {
		return r.unexpected(string(first))
	}
	if r.depth++; r.depth > maxNesting {
		return errors.New("the JSON is nested too deeply")
	}
	r.at++
	if r.peek() == last {
		r.at++
		r.depth--
		return nil
	}
	for {
		if err := fn(); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.at++
		case last:
			r.at++
			r.depth--
			return nil
		default:
			return r.unexpected("a comma or " + string(last))
		}
	}
}

// string reads a string. One with escapes or broken UTF-8 is encoding/json's.
func (r *reader) string() (string, error) {
	if r.peek() != '"' {
		return "", r.unexpected("a string")
	}
	start, plain := r.at, true
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return unquote(r.text[start:r.at], plain)
		case c == '\\':
			plain = false
			r.at++
		case c < ' ':
			return "", r.unexpected("no control character")
		}
	}
	return "", r.unexpected("")
}

func unquote(quoted string, plain bool) (string, error) {
	if inner := quoted[1 : len(quoted)-1]; plain && utf8.ValidString(inner) {
		return inner, nil
	}
	var s string
	err := json.Unmarshal([]byte(quoted), &s)
	return s, err
}

// number reads -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (r *reader) number() (json.Number, error) {
	start := r.at
	r.skip("-")
	if !r.skip("0") && !r.digits() {
		return "", r.unexpected("a digit")
	}
	if r.skip(".") && !r.digits() {
		return "", r.unexpected("a digit")
	}
	if r.skip("eE") {
		r.skip("+-")
		if !r.digits() {
			return "", r.unexpected("a digit")
		}
	}
	return json.Number(r.text[start:r.at]), nil
}

// skip reads one byte if it is among those given.
func (r *reader) skip(among string) bool {
	if r.at < len(r.text) {
		for i := range len(among) {
			if r.text[r.at] == among[i] {
				r.at++
				return true
			}
		}
	}
	return false
}

func (r *reader) digits() bool {
	start := r.at
	for r.at < len(r.text) && '0' <= r.text[r.at] && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}

// maxQuick is the depth past which encoding/json writes: it notices a value
// that contains itself.
const maxQuick = 64

// appendMetadata appends a value as JSON, the same bytes for equal values.
func appendMetadata(to []byte, value any) ([]byte, error) { return writeNested(to, value, 0) }

// appendLabels appends labels as JSON, the same bytes for equal labels.
func appendLabels(to []byte, labels map[string]string) ([]byte, error) {
	return writeObject(to, labels, writeString)
}

func writeNested(to []byte, value any, depth int) ([]byte, error) {
	deeper := func(to []byte, value any) ([]byte, error) { return writeNested(to, value, depth+1) }
	switch v := value.(type) {
	case nil:
		return append(to, "null"...), nil
	case string:
		return writeString(to, v)
	case bool:
		return strconv.AppendBool(to, v), nil
	case map[string]string:
		if v != nil {
			return writeObject(to, v, writeString)
		}
	case map[string]any:
		if v != nil && depth < maxQuick {
			return writeObject(to, v, deeper)
		}
	case []any:
		if v != nil && depth < maxQuick {
			return writeList(to, v, deeper)
		}
	}
	encoded, err := json.Marshal(value)
	return append(to, encoded...), err
}

func writeObject[V any](to []byte, object map[string]V, write func([]byte, V) ([]byte, error)) (_ []byte, err error) {
	var room [16]string // most objects are small: no allocation
	names := room[:0]
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	to = append(to, '{')
	for i, name := range names {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = writeString(to, name); err != nil {
			return nil, err
		}
		if to, err = write(append(to, ':'), object[name]); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

func writeList(to []byte, list []any, write func([]byte, any) ([]byte, error)) (_ []byte, err error) {
	to = append(to, '[')
	for i, v := range list {
		if i > 0 {
			to = append(to, ',')
		}
		if to, err = write(to, v); err != nil {
			return nil, err
		}
	}
	return append(to, ']'), nil
}

// writeString appends a string. One that needs escapes is encoding/json's.
func writeString(to []byte, s string) ([]byte, error) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			encoded, err := json.Marshal(s)
			return append(to, encoded...), err
		}
	}
	to = append(to, '"')
	to = append(to, s...)
	return append(to, '"'), nil
}
