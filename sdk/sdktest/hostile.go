package sdktest

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// hostile returns bodies that no vendor should send: junk, and the given body
// with each of its members removed, emptied, retyped, grown or doubled. Each
// member is replaced by so many of the values of instead.
func hostile(body []byte, values int) [][]byte {
	bodies := [][]byte{
		nil, []byte("null"), []byte("{}"), []byte("[]"), []byte(`"x"`), []byte("1"), []byte("[{}]"), []byte("[null]"),
		[]byte("{"), []byte("\xff\xfe"), []byte("\x00"), []byte("a=b&c=d"), []byte("<xml/>"),
		[]byte(strings.Repeat("[", 5000)), []byte(strings.Repeat(`{"alerts":`, 2000)),
	}
	if len(body) > 2 {
		bodies = append(bodies,
			body[:len(body)/2],                                      // cut short
			append(slices.Clone(body), body...),                     // twice
			bytes.ReplaceAll(body, []byte("a"), []byte("\xc3\x28")), // invalid UTF-8
			bytes.ReplaceAll(body, []byte("e"), []byte(`\u0000`)),
		)
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if d.Decode(&value) != nil {
		return bodies
	}
	m := mutator{values: values}
	for _, mutated := range m.mutations(value, 0) {
		if encoded, err := json.Marshal(mutated); err == nil {
			bodies = append(bodies, encoded)
		}
	}
	return append(bodies, doubled(value)...)
}

// doubled gives each member of an object a second value, before or after its
// own: decoders differ in which one counts, but none may fall over.
func doubled(value any) [][]byte {
	object, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	var bodies [][]byte
	for _, name := range slices.Sorted(maps.Keys(object)) {
		for _, second := range seconds {
			for _, before := range []bool{true, false} {
				if encoded, err := json.Marshal(twice{object: object, name: name, second: second, before: before}); err == nil {
					bodies = append(bodies, encoded)
				}
			}
		}
	}
	return bodies
}

// seconds are the values that a doubled member gets.
var seconds = [...]string{`null`, `"x"`, `[]`, `{"a":1}`}

// grownSize is about how long a grown body is, in bytes.
const grownSize = 2 << 20

// grown returns the body with its first list of objects made long; without
// one, a long list of the body.
func grown(body []byte) []byte {
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if len(body) == 0 || d.Decode(&value) != nil {
		return body
	}
	longer, err := json.Marshal(grow(value, max(1, grownSize/len(body))))
	if err != nil {
		return body
	}
	return longer
}

func grow(value any, times int) any {
	switch v := value.(type) {
	case []any:
		return slices.Repeat(v, times)
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			list, ok := v[name].([]any)
			if !ok || len(list) == 0 {
				continue
			}
			if _, ok := list[0].(map[string]any); ok {
				return with(v, name, grow(list, times))
			}
		}
		return slices.Repeat([]any{v}, times)
	}
	return value
}

// instead are the values that a member is replaced with.
func instead() []any {
	return []any{
		nil, "", "None", "x", true, json.Number("0"), json.Number("-1e400"), json.Number("43434343434343434343"),
		[]any{}, []any{nil, "a", json.Number("1")}, map[string]any{}, map[string]any{"a": map[string]any{"b": nil}},
		strings.Repeat("long ", 2_000), "\u202e\u0000\ud7ff<script>",
	}
}

// maxDepth bounds how deep mutations go: below it they are all alike.
const maxDepth = 4

// mutator makes copies of values. It takes turns among the values of instead,
// so that the members of a few bodies together meet all of them.
type mutator struct {
	values int // for each member
	next   int
}

func (m *mutator) instead() []any {
	all := instead()
	var some []any
	for range min(m.values, len(all)) {
		some = append(some, all[m.next%len(all)])
		m.next++
	}
	return some
}

// mutations returns copies of a value that differ in one member each.
func (m *mutator) mutations(value any, depth int) []any {
	if depth > maxDepth {
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		return m.object(v, depth)
	case []any:
		return m.list(v, depth)
	}
	return nil
}

func (m *mutator) object(object map[string]any, depth int) []any {
	var out []any
	for _, name := range slices.Sorted(maps.Keys(object)) {
		without := maps.Clone(object)
		delete(without, name)
		out = append(out, without)
		for _, value := range m.instead() {
			out = append(out, with(object, name, value))
		}
		for _, value := range m.mutations(object[name], depth+1) {
			out = append(out, with(object, name, value))
		}
		renamed := maps.Clone(without)
		renamed[strings.ToUpper(name)] = object[name]
		out = append(out, renamed)
		if bigger, ok := bigger(object[name]); ok {
			out = append(out, with(object, name, bigger))
		}
		if depth > 0 { // those of the body itself are doubled with all values
			m.next++
			out = append(out, twice{object: object, name: name, second: seconds[m.next%len(seconds)], before: m.next%2 == 0})
		}
	}
	return out
}

// bigger returns a value that is as it was, and more of it.
func bigger(value any) (any, bool) {
	const times = 100
	switch v := value.(type) {
	case string:
		return strings.Repeat(v+" ", times), v != ""
	case json.Number:
		return json.Number(v.String() + strings.Repeat("0", times)), strings.Trim(v.String(), "-0") != "" && !strings.ContainsAny(v.String(), "eE")
	case []any:
		return slices.Repeat(v, times), len(v) > 0
	case map[string]any:
		grown := maps.Clone(v)
		for i := range times {
			grown["member"+strconv.Itoa(i)] = "x"
		}
		return grown, true
	}
	return nil, false
}

// twice is an object that gives one of its members a second value.
type twice struct {
	object map[string]any
	name   string
	second string // JSON
	before bool   // the member's own value
}

// MarshalJSON writes the member twice.
func (t twice) MarshalJSON() ([]byte, error) {
	encoded, err := json.Marshal(t.object)
	if err != nil {
		return nil, err
	}
	quoted, err := json.Marshal(t.name)
	if err != nil {
		return nil, err
	}
	if t.before {
		return slices.Concat([]byte("{"), quoted, []byte(":"+t.second+","), encoded[1:]), nil
	}
	return slices.Concat(encoded[:len(encoded)-1], []byte(","), quoted, []byte(":"+t.second+"}")), nil
}

func with(object map[string]any, name string, value any) map[string]any {
	c := maps.Clone(object)
	c[name] = value
	return c
}

// list mutates only the first element: they are of one kind.
func (m *mutator) list(list []any, depth int) []any {
	if len(list) == 0 {
		return nil
	}
	out := []any{list[1:], append(slices.Clone(list), list...)}
	for _, value := range append(m.instead(), m.mutations(list[0], depth+1)...) {
		c := slices.Clone(list)
		c[0] = value
		out = append(out, c)
	}
	return out
}
