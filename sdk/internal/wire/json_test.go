package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// decode is what the reader must agree with.
func decode[T any](text []byte) (T, error) {
	var value T
	if len(text) == 0 {
		return value, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return value, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return value, errors.New("something follows")
	}
	return value, nil
}

func compare[T any](t *testing.T, text []byte, got T, err error) bool {
	t.Helper()
	want, wantErr := decode[T](text)
	if (err != nil) != (wantErr != nil) {
		t.Errorf("%q: error %v, want %v", text, err, wantErr)
	}
	if err != nil || wantErr != nil {
		return false
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q (-want +got):\n%s", text, diff)
	}
	return true
}

// FuzzJSON holds the reader to encoding/json's answers, and has it read what
// the writer wrote.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		``, ` `, `null`, ` null `, `nul`, `{}`, `{} x`, `{"a":"b"}`, ` { "a" : [ 1 , -0.5e+10 , true , false , null , {} , [ ] ] } `,
		`{"a":"\u00e9\n\ud800\"","\\":"ä"}`, "{\"a\":\"\xff\"}", "{\"a\":\"\n\"}", `{"a":01}`, `{"a":1.}`, `{"a":-}`, `{"a":1e}`,
		`{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `[1]`, `"x"`, `{"a":1,"a":{"b":2}}`, `{"a":"\`, `{"a":"\"`, `{"a":nul}`, `{"a":[1 2]}`,
		`{"a":12345678901234567890.123456789012345678901234567890}`, "{\"a\":\"\u2028<>&\"}", `{"a":null}`, `{"a":"\x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		labels, err := readLabels(string(text))
		if compare(t, text, labels, err) && labels != nil {
			written, err := appendLabels(nil, labels)
			again, readErr := readLabels(string(written))
			if diff := cmp.Diff(labels, again); diff != "" || err != nil || readErr != nil {
				t.Errorf("labels %q written as %q: %v, %v\n%s", text, written, err, readErr, diff)
			}
		}
		metadata, err := readMetadata(string(text))
		if compare(t, text, metadata, err) && metadata != nil {
			written, err := appendMetadata(nil, metadata)
			again, readErr := readMetadata(string(written))
			if diff := cmp.Diff(metadata, again); diff != "" || err != nil || readErr != nil {
				t.Errorf("metadata %q written as %q: %v, %v\n%s", text, written, err, readErr, diff)
			}
		}
	})
}

func TestDeepNestingIsRefused(t *testing.T) {
	deep := append(append([]byte(`{"a":`), bytes.Repeat([]byte("["), 20_000)...), bytes.Repeat([]byte("]"), 20_000)...)
	if _, err := readMetadata(string(append(deep, '}'))); err == nil {
		t.Error("20,000 levels are read, want an error")
	}
}

func TestAnyGoValueCanBeWritten(t *testing.T) {
	value := map[string]any{
		"int": 1, "float": 0.1, "struct": struct{ A int }{1}, "strings": []string{"a"}, "nil list": []any(nil),
		"nil map": map[string]any(nil), "number": json.Number("1.50"), "labels": map[string]string{"b": "<", "a": "\x00"},
	}
	got, err := appendMetadata(nil, value)
	if err != nil {
		t.Fatal(err)
	}
	want, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil || !cmp.Equal(a, b) {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := appendMetadata(nil, map[string]any{"f": func() {}}); err == nil {
		t.Error("a function was written, want an error")
	}
}

func TestAValueThatContainsItselfIsRefused(t *testing.T) {
	object := map[string]any{}
	object["self"] = []any{object}
	if _, err := appendMetadata(nil, object); err == nil {
		t.Error("it was written, want an error")
	}
}
