package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
)

type problem struct {
	Title Text   `json:"title"`
	Tags  Labels `json:"tags"`
	Host  struct {
		Name Text `json:"name"`
	} `json:"host"`
}

func TestAnOddMemberDoesNotCostTheRest(t *testing.T) {
	for body, want := range map[string]Text{
		`{"title": "a", "host": "web-1"}`: "a", `{"host": [], "tags": 7, "title": "b"}`: "b", `{"host": null, "title": 7}`: "7",
	} {
		got, err := Decode[problem]([]byte(body))
		if err != nil || got.Title != want || got.Host.Name != "" {
			t.Errorf("%s: got %+v, %v; want the title %q", body, got, err, want)
		}
	}
}

func TestABodyOfAnotherKindIsTheSendersFault(t *testing.T) {
	for body, want := range map[string]string{
		``: "MALFORMED: the body is empty", ` `: "MALFORMED: the body is empty", `{`: "MALFORMED: invalid JSON at byte 1",
		`[]`: "MALFORMED: want a JSON object, not a JSON array", `7`: "MALFORMED: want a JSON object, not a JSON number",
		` null `: "MALFORMED: want a JSON object, not null", `{}{}`: "MALFORMED: invalid JSON at byte 3",
	} {
		_, err := Decode[problem]([]byte(body))
		failure, ok := errors.AsType[*Failure](err)
		if !ok || failure.Error() != want {
			t.Errorf("%q: got %v, want %s", body, err, want)
		}
	}
	if _, err := Elements([]byte(`[1,`)); err == nil {
		t.Error("half a list has elements")
	}
}

func eventOfProblem(p problem) (Event, error) {
	switch p.Title {
	case "":
		return Event{}, &Failure{Code: Malformed, Path: "title", Message: "there is no title"}
	case "bug":
		return Event{}, errors.New("a bug")
	}
	return Event{Action: Trigger, Title: string(p.Title)}, nil
}

func TestEachElementStandsForItself(t *testing.T) {
	tests := map[string]struct {
		body     string
		titles   []string
		rejected []string
		err      string
	}{
		"one object":           {body: `{"title":"a"}`, titles: []string{"a"}},
		"a list":               {body: `[{"title":"a"},{"title":"b"}]`, titles: []string{"a", "b"}},
		"an element is broken": {body: `[{"title":"a"},null,{"title":""},3]`, titles: []string{"a"}, rejected: []string{"list[1] want a JSON object, not null", "list[2].title there is no title", "list[3] want a JSON object, not a JSON number"}},
		"nothing can be read":  {body: `[{},{}]`, err: "MALFORMED: list[0].title: there is no title"},
		"an empty list":        {body: `[]`, err: "MALFORMED: list: there is nothing in the list"},
		"the adapter's fault":  {body: `[{"title":"a"},{"title":"bug"}]`, err: "element 1: a bug"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			elements, err := Elements([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			result, err := Each(t.Context(), "list", elements, eventOfProblem)
			if (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			var titles, rejected []string
			for _, e := range result.Events {
				titles = append(titles, e.Title)
			}
			for _, r := range result.Rejected {
				rejected = append(rejected, r.Path+" "+r.Reason)
			}
			if !slices.Equal(titles, tt.titles) || !slices.Equal(rejected, tt.rejected) {
				t.Errorf("titles %q, rejected %q; want %q, %q", titles, rejected, tt.titles, tt.rejected)
			}
		})
	}
}

func TestEachEndsWithItsCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Each(ctx, "", []json.RawMessage{[]byte(`{"title":"a"}`)}, eventOfProblem); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

func TestLabelsTakeWhateverComes(t *testing.T) {
	for raw, want := range map[string]map[string]string{
		`{"a": "1", "b": 2, "c": true, "d": null, "e": {}, "f": " x\n"}`: {"a": "1", "b": "2", "c": "true", "f": "x"},
		`["team:pay", "env=prod", "muted", "", ":x", 7]`:                 {"team": "pay", "env": "prod", "muted": "true", "7": "true"},
		`[{"name": "a", "value": "1"}, {"key": "b", "value": 2}, {}]`:    {"a": "1", "b": "2"},
		`"team:pay, url:http://a.example"`:                               {"team": "pay", "url": "http://a.example"},
		`null`:                                                           nil,
		`7`:                                                              {"7": "true"},
		`[null, []]`:                                                     nil,
	} {
		var got struct {
			Labels Labels `json:"l"`
		}
		if err := json.Unmarshal([]byte(`{"l":`+raw+`}`), &got); err != nil || !maps.Equal(got.Labels, want) {
			t.Errorf("%s: got %q, %v; want %q", raw, got.Labels, err, want)
		}
	}
}

func TestMetadataKeepsWhatHasAValue(t *testing.T) {
	got := Kept(map[string]Text{"a": "1", "b": ""})
	if len(got) != 1 || got["a"] != "1" {
		t.Errorf("got %v, want a alone", got)
	}
}

func TestASampleIsARecordedCase(t *testing.T) {
	got := SampleOf("one", []byte(`{"method": "PUT", "path": "x", "headers": {"content-type": "application/json"}, "body": {"a": 1}}`))
	if got.Name != "one" || got.Method != "PUT" || got.Path != "x" || got.Header.Get("Content-Type") != "application/json" || string(got.Body) != `{"a": 1}` {
		t.Errorf("got %+v", got)
	}
	for _, broken := range []string{`{`, `{"body_base64": "AA=="}`} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is a sample", broken)
				}
			}()
			SampleOf("broken", []byte(broken))
		}()
	}
}
