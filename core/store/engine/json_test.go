package engine

import (
	"encoding/json"
	"math"
	"net/http"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/core"
)

// fill sets everything below v to something that isn't empty.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("a"), element)
	case reflect.Interface:
		v.Set(reflect.ValueOf([]any{"x", json.Number("1.50"), true, nil, map[string]any{"b": "\"", "e": map[string]any{}}}))
	case reflect.String:
		v.SetString("text of " + v.Type().String())
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(math.MaxInt32)
	}
}

func encoded(t *testing.T, s *snapshot) []byte {
	t.Helper()
	o := newObject(nil)
	s.write(&o)
	raw, err := o.end()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSnapshotsAreWrittenWhole(t *testing.T) {
	for name, change := range map[string]func(*snapshot){
		"nothing set":    func(*snapshot) {},
		"everything set": func(s *snapshot) { fill(reflect.ValueOf(s).Elem()) },
		"texts that need more than quotes": func(s *snapshot) {
			s.Title, s.Description = "\"quoted\" \\ \u2028 <b>", "line\nline\x00\x1f é 日本 \U0001f600"
			s.Labels = map[string]string{"a\"b": "", "é": "\t", "plain": "x", "": "y"}
			s.Metadata = map[string]any{"\\": "\n", "": nil, "none": map[string]any(nil)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want, got, plain snapshot
			change(&want)
			if err := decode(encoded(t, &want), &got); err != nil {
				t.Fatal(err)
			}
			// What encoding/json writes is read alike.
			raw, err := json.Marshal(&want)
			if err != nil {
				t.Fatal(err)
			}
			if err := decode(raw, &plain); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plain, got); diff != "" {
				t.Errorf("snapshot (-as encoding/json writes it +as we do):\n%s", diff)
			}
		})
	}
}

func TestWhatStandsBesideIncidentsIsWrittenWhole(t *testing.T) {
	var (
		a      core.Attempt
		why    why
		header = http.Header{"X-Quoted": {"\"a\" \\ <b>", "é"}, "X-Empty": {""}, "X-None": {}}
	)
	fill(reflect.ValueOf(&why).Elem())
	a.Sent, a.Header = core.Sent{Method: http.MethodPost, URL: "https://a.example", Header: header}, header

	var read core.Attempt
	if err := DecodeExchange(EncodeExchange(&a), &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(exchange{a.Sent, a.Header}, exchange{read.Sent, read.Header}); diff != "" {
		t.Errorf("exchange (-written +read):\n%s", diff)
	}
	if got, err := DecodeHeader(EncodeHeader(header)); err != nil || !cmp.Equal(got, header) {
		t.Errorf("header is read back as %v, %v; want %v", got, err, header)
	}
	raw, err := json.Marshal(why)
	if err != nil {
		t.Fatal(err)
	}
	decided, err := DecodeWhy(raw)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeWhy([]byte(EncodeWhy(decided))); err != nil || !cmp.Equal(got, decided) {
		t.Errorf("what decided a version is read back as %+v, %v; want %+v", got, err, decided)
	}
}

func TestValueThatJSONCannotHoldIsAnError(t *testing.T) {
	s := snapshot{Detail: Detail{Metadata: map[string]any{"a": map[string]any{"b": math.NaN()}}}}
	o := newObject(nil)
	s.write(&o)
	if raw, err := o.end(); err == nil {
		t.Errorf("got %s, want an error", raw)
	}
}

func FuzzText(f *testing.F) {
	for _, text := range []string{"", "plain", "\"", "\\", "\x00", "\xff", "é", "\u2028"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want, got string
		quoted, _ := json.Marshal(text)
		if err := json.Unmarshal(quoted, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(appendText(nil, text), &got); err != nil || got != want {
			t.Errorf("%q is read back as %q, %v; want %q", text, got, err, want)
		}
	})
}
