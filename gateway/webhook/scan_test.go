package webhook

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func TestScan(t *testing.T) {
	l := sdk.Limits{Depth: 3, Members: 4, Strings: 5}
	tests := map[string]struct {
		body string
		want string // part of the reason
	}{
		"within all limits":             {`{"a":[1,2,{}]}`, ""},
		"as deep as allowed":            {`[[[]]]`, ""},
		"too deep":                      {`[[[[]]]]`, "nested more than 3"},
		"too deep, never closed":        {`[[[[[[[[`, "nested more than 3"},
		"siblings aren't depth":         {`[[],[],[],[]]`, ""},
		"as many members as allowed":    {`[1,2,3,4]`, ""},
		"too many elements":             {`[1,2,3,4,5]`, "more than 4 members"},
		"too many members":              {`{"a":1,"b":2,"c":{"d":[],"e":1}}`, "more than 4 members"},
		"empty ones have no members":    {`[{},[],{},[]]`, ""},
		"keys are strings":              {`{"a":"b","c":"d"}`, ""},
		"too many strings":              {`{"a":"b","c":"d","e":"f"}`, "more than 5 strings"},
		"strings hide everything":       {`["[[[[[[,,,,,,,,"]`, ""},
		"escaped quotes":                {`["\"[[[[[[\\",1]`, ""},
		"a long number":                 {`[` + strings.Repeat("1", 65) + `]`, "number"},
		"a number as long as allowed":   {`[` + strings.Repeat("1", 64) + `]`, ""},
		"a long word is no number":      {`[` + strings.Repeat("x", 100) + `]`, ""},
		"white space before":            {" \r\n\t[[[[]]]]", "nested"},
		"text isn't looked at":          {`say [[[[]]]]`, ""},
		"a string never closed":         {`["abc`, ""},
		"closed more often than opened": {`[]]]]]]`, ""},
		"nothing":                       {``, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := scan([]byte(tt.body), l)
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("scan(%q) = %q, want %q", tt.body, got, tt.want)
			}
		})
	}
}

// count counts as scan promises to, the slow way.
func count(value any, depth int, c *sdk.Limits) {
	c.Depth = max(c.Depth, depth)
	switch v := value.(type) {
	case string:
		c.Strings++
	case []any:
		c.Depth = max(c.Depth, depth+1)
		c.Members += len(v)
		for _, e := range v {
			count(e, depth+1, c)
		}
	case object:
		c.Depth = max(c.Depth, depth+1)
		c.Members += len(v)
		c.Strings += len(v)
		for _, e := range v {
			count(e, depth+1, c)
		}
	}
}

// object is the values of a JSON object, repeated keys included.
type object []any

func parse(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	var values []any
	for d.More() {
		if delim == '{' {
			if _, err := d.Token(); err != nil {
				return nil, err
			}
		}
		v, err := parse(d)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if delim == '{' {
		return object(values), nil
	}
	return values, nil
}

// FuzzScan holds the scanner against a decoder: it lets valid JSON pass with
// exactly its own measures as limits, and not with less.
func FuzzScan(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,{}],"b":"c\"","":null}`))
	f.Add([]byte(`[[[[]],-1.5e3,true]`))
	f.Add([]byte("{\"\\\\\":\"\\u0000\"}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		scan(body, sdk.Limits{Depth: 8, Members: 8, Strings: 8})
		start := bytes.TrimLeft(body, " \t\r\n")
		if !json.Valid(body) || start[0] != '{' && start[0] != '[' {
			return
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		value, err := parse(d)
		if err != nil {
			return // deeper than the decoder goes
		}
		var exact sdk.Limits
		count(value, 0, &exact)
		if reason := scan(body, exact); reason != "" && !strings.Contains(reason, "number") {
			t.Errorf("scan(%q, %+v) = %q", body, exact, reason)
		}
		for _, less := range []sdk.Limits{
			{Depth: exact.Depth - 1, Members: exact.Members, Strings: exact.Strings},
			{Depth: exact.Depth, Members: exact.Members - 1, Strings: exact.Strings},
			{Depth: exact.Depth, Members: exact.Members, Strings: exact.Strings - 1},
		} {
			if less.Members >= 0 && less.Strings >= 0 && scan(body, less) == "" {
				t.Errorf("scan(%q, %+v) let it pass", body, less)
			}
		}
	})
}

// FuzzInflate holds the limit and the budget against whatever is called
// compressed.
func FuzzInflate(f *testing.F) {
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(bytes.Repeat([]byte("a"), 4096))
	w.Close()
	f.Add("gzip", gz.Bytes())
	f.Add("deflate", []byte("\x78\x9c\x03\x00\x00\x00\x00\x01"))
	f.Add("deflate", []byte("\x03\x00"))
	f.Add("zstd", []byte("\x28\xb5\x2f\xfd\x00\x58\x00\x00"))
	f.Add("br", []byte("x"))
	f.Fuzz(func(t *testing.T, encoding string, body []byte) {
		const limit = 2048
		b := &budget{limit: zstdWindow + 8*limit}
		h := &holding{budget: b}
		got, err := inflate(encoding, bytes.NewReader(body), int64(len(body)), limit, h)
		if len(got) > limit {
			t.Errorf("%d bytes, limit %d", len(got), limit)
		}
		if e, ok := errors.AsType[*core.Error](err); ok && e.Code == core.Overloaded {
			t.Errorf("took more than %d bytes of memory for %d", b.limit, limit)
		}
		if h.release(); b.used.Load() != 0 {
			t.Errorf("%d bytes of the budget are lost", b.used.Load())
		}
	})
}

func FuzzKeyInHeaderAndBody(f *testing.F) {
	f.Add("Token token=abc", []byte(`{"routing_key":"abc"}`))
	f.Add("", []byte(`[]`))
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		keyInHeader(header)
		if key := memberOf(body, "routing_key"); key != "" && !json.Valid(body) {
			t.Errorf("found key %q in %q", key, body)
		}
	})
}
