package loose

import (
	"encoding/json"
	"maps"
	"testing"
)

func TestTextTakesWhatComes(t *testing.T) {
	for raw, want := range map[string]Text{
		`"a"`: "a", `12345678901234567890`: "12345678901234567890", `1.50`: "1.50", `true`: "true",
		`null`: "", `"None"`: "", `"null"`: "", `"<no value>"`: "", `{"a":1}`: "", `[1]`: "", `"\ud800"`: "\ufffd",
	} {
		var v struct{ A Text }
		if err := json.Unmarshal([]byte(`{"a":`+raw+`}`), &v); err != nil || v.A != want {
			t.Errorf("%s = %q, %v; want %q", raw, v.A, err, want)
		}
	}
}

func TestAValueThatCannotBeReadStaysZero(t *testing.T) {
	for raw, want := range map[string]int{`{"n":3}`: 3, `"x"`: 0, `[]`: 0, `{"n":"x"}`: 0, `null`: 0} {
		var v struct{ A Value[struct{ N int }] }
		if err := json.Unmarshal([]byte(`{"a":`+raw+`}`), &v); err != nil || v.A.V.N != want {
			t.Errorf("%s = %d, %v; want %d", raw, v.A.V.N, err, want)
		}
	}
}

func TestFirstPassesOverBlanks(t *testing.T) {
	if got := First("", "  ", " a ", "b"); got != "a" {
		t.Errorf("First = %q, want a", got)
	}
}

func TestJSONIsKeptAsWrittenButInValidUTF8(t *testing.T) {
	var v struct{ A JSON }
	if err := json.Unmarshal([]byte("{\"a\":{\"n\":1.50,\"\x8a\":\"\xff\"}}"), &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(map[string]any{"a": v.A})
	if want := "{\"a\":{\"n\":1.50,\"\uFFFD\":\"\uFFFD\"}}"; err != nil || string(out) != want {
		t.Errorf("got %s, %v; want %s", out, err, want)
	}
}

// FuzzStrings holds the quick readers to what encoding/json reads.
func FuzzStrings(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { } `, `{"a":"b"}`, ` { "a" : "b" , "ä" : "" } `, `{"a":"b",}`, `{,}`, `{"a"}`, `{"a":"b" "c":"d"}`, `{"a":1}`,
		`{"a":"\""}`, `{"a":"b"}}`, `{"a":"b"`, `{"a":"b"},`, `"x"`, `"`, `""`, "\"\xff\"", "{\"a\":\"\n\"}", `{"a":"b","a":"c"}`, `"a\u0041"`, `{`, `{,"a":"b"}`, "{}\v",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want map[string]string
		if got, ok := Strings(text); ok && (json.Unmarshal(text, &want) != nil || !maps.Equal(got, want)) {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
		var s string
		if got, ok := unquote(text); ok && (json.Unmarshal(text, &s) != nil || got != s) {
			t.Errorf("%q is read as %q, want %q", text, got, s)
		}
	})
}

func TestOrdinaryLabelsAreReadQuickly(t *testing.T) {
	got, ok := Strings([]byte(` { "alertname" : "Down", "instance":"db-1:9100" } `))
	if want := map[string]string{"alertname": "Down", "instance": "db-1:9100"}; !ok || !maps.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, ok, want)
	}
}
