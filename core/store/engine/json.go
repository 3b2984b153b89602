package engine

import (
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"

	"bellcrank.example/core"
)

// object writes a JSON object, member by member, and leaves out what is empty:
// reading it back gives the same. Reflection would cost more than the row that
// the object is stored in. The first error sticks.
type object struct {
	raw []byte
	err error
}

// newObject begins an object behind what raw has already.
func newObject(raw []byte) object { return object{raw: append(raw, '{')} }

// end returns the whole object.
func (o *object) end() ([]byte, error) { return append(o.raw, '}'), o.err }

// name begins a member.
func (o *object) name(name string) {
	if o.raw[len(o.raw)-1] != '{' {
		o.raw = append(o.raw, ',')
	}
	o.raw = append(appendText(o.raw, name), ':')
}

func (o *object) text(name, v string) {
	if v != "" {
		o.name(name)
		o.raw = appendText(o.raw, v)
	}
}

func (o *object) num(name string, v int64) {
	if v != 0 {
		o.name(name)
		o.raw = strconv.AppendInt(o.raw, v, 10)
	}
}

func (o *object) id(name string, v core.ID) { o.num(name, int64(v)) }

func (o *object) flag(name string, v bool) {
	if v {
		o.name(name)
		o.raw = append(o.raw, "true"...)
	}
}

func (o *object) texts(name string, list []string) {
	if len(list) > 0 {
		o.name(name)
		o.list(list)
	}
}

func (o *object) list(list []string) {
	o.raw = append(o.raw, '[')
	for i, v := range list {
		if i > 0 {
			o.raw = append(o.raw, ',')
		}
		o.raw = appendText(o.raw, v)
	}
	o.raw = append(o.raw, ']')
}

func (o *object) labels(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	o.name(name)
	o.raw = append(o.raw, '{')
	for name, v := range m {
		o.name(name)
		o.raw = appendText(o.raw, v)
	}
	o.raw = append(o.raw, '}')
}

func (o *object) header(name string, h http.Header) {
	if len(h) == 0 {
		return
	}
	o.name(name)
	o.raw = append(o.raw, '{')
	o.fields(h)
	o.raw = append(o.raw, '}')
}

func (o *object) fields(h http.Header) {
	for name, list := range h {
		o.name(name)
		o.list(list)
	}
}

// values writes members that may be anything.
func (o *object) values(name string, m map[string]any) {
	if len(m) > 0 {
		o.name(name)
		o.members(m)
	}
}

func (o *object) members(m map[string]any) {
	o.raw = append(o.raw, '{')
	for name, v := range m {
		o.name(name)
		o.value(v)
	}
	o.raw = append(o.raw, '}')
}

// value writes what JSON is mostly decoded to, and leaves the rest to
// encoding/json.
func (o *object) value(v any) {
	switch v := v.(type) {
	case string:
		o.raw = appendText(o.raw, v)
		return
	case map[string]any:
		if v != nil {
			o.members(v)
			return
		}
	}
	raw, err := json.Marshal(v)
	if o.err == nil {
		o.err = err
	}
	o.raw = append(o.raw, raw...)
}

// appendText appends a text in quotes. One that needs more is for
// encoding/json.
func appendText(raw []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(text) // texts can't fail
			return append(raw, quoted...)
		}
	}
	raw = append(raw, '"')
	raw = append(raw, text...)
	return append(raw, '"')
}
