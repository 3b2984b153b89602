package flat

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"bellcrank.example/sdk"
)

func TestEvent(t *testing.T) {
	yes := true
	tests := map[string]struct {
		body  string
		want  sdk.Event
		notes int
	}{
		"the least": {
			body: `{"title":"Server is down"}`,
			want: sdk.Event{Action: sdk.Trigger, Title: "Server is down"},
		},
		"every published member": {
			body: `{"title":"Pool exhausted","description":"500s","severity":"High","service":"db","affected_services":["api","db"],"customer_impact":true}`,
			want: sdk.Event{
				Action: sdk.Trigger, Title: "Pool exhausted", Description: "500s", Severity: sdk.High, SeverityRaw: "High",
				Service: "db", AffectedServices: []string{"api", "db"}, CustomerImpact: &yes,
			},
		},
		"unknown members are metadata": {
			body: `{"title":"t","region":"eu","metadata":{"team":"a","region":"x"}}`,
			want: sdk.Event{Action: sdk.Trigger, Title: "t", Metadata: map[string]any{"region": "eu", "team": "a"}},
		},
		"tolerated forms": {
			body: `{"title":"a\n b","severity":2,"affected_services":"x, y,","customer_impact":"yes"}`,
			want: sdk.Event{
				Action: sdk.Trigger, Title: "a b", Severity: sdk.High, SeverityRaw: "2",
				AffectedServices: []string{"x", "y"}, CustomerImpact: &yes,
			},
		},
		"a key and a status": {
			body: `{"title":"t","status":"resolved","severity":"High","dedup_key":"k1","url":"https://x.example/1"}`,
			want: sdk.Event{
				Action: sdk.Resolve, Title: "t", SeverityRaw: "High", DedupKey: "key:k1", IdentityRule: "dedup_key",
				SourceURL: "https://x.example/1",
			},
		},
		"a title from elsewhere": {
			body:  `{"message":"disk full"}`,
			want:  sdk.Event{Action: sdk.Trigger, Title: "disk full"},
			notes: 1,
		},
		"a placeholder": {
			body:  `{"title":"{{alert.name}}"}`,
			want:  sdk.Event{Action: sdk.Trigger, Title: "{{alert.name}}", Test: true, DedupKey: TitleKey("{{alert.name}}", ""), IdentityRule: "title and service"},
			notes: 1,
		},
		"a placeholder beside a title costs nobody a page": {
			body:  `{"title":"Disk full","severity":"{{alert.priority}}","service":"%host%"}`,
			want:  sdk.Event{Action: sdk.Trigger, Title: "Disk full", SeverityRaw: "{{alert.priority}}"},
			notes: 2,
		},
		"a placeholder is no key": {
			body:  `{"title":"Disk full","dedup_key":"$ALERT_ID"}`,
			want:  sdk.Event{Action: sdk.Trigger, Title: "Disk full"},
			notes: 1,
		},
		"published members that say nothing": {
			body: `{"title":"t","message":"","severity":"","description":null,"affected_services":[],"customer_impact":null,"dedup_key":"","other":""}`,
			want: sdk.Event{Action: sdk.Trigger, Title: "t", Metadata: map[string]any{"other": ""}},
		},
		"a published member of another kind is kept": {
			body: `{"title":"t","description":{"a":1},"customer_impact":"maybe"}`,
			want: sdk.Event{Action: sdk.Trigger, Title: "t", Metadata: map[string]any{
				"description": map[string]any{"a": json.Number("1")}, "customer_impact": "maybe",
			}},
		},
		"the first of two members with one name": {
			body: `{"title":"one","title":"two"}`,
			want: sdk.Event{Action: sdk.Trigger, Title: "one"},
		},
		"a relative link is none": {
			body: `{"title":"t","url":"/incidents/1"}`,
			want: sdk.Event{Action: sdk.Trigger, Title: "t"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := Parse([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			got, notes, err := Event(m)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("event %+v\nwant  %+v", got, tt.want)
			}
			if len(notes) != tt.notes {
				t.Errorf("notes %q, want %d", notes, tt.notes)
			}
		})
	}
}

func TestTriggerAndResolveWithoutKeyShareOne(t *testing.T) {
	key := func(body string) string {
		m, err := Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		e, _, err := Event(m)
		if err != nil {
			t.Fatal(err)
		}
		return e.DedupKey
	}
	firing, resolved := key(`{"title":"t","service":"s","status":"firing"}`), key(`{"title":"t","service":"s","status":"ok"}`)
	if firing == "" || firing != resolved {
		t.Errorf("keys %q and %q, want one", firing, resolved)
	}
	if other := key(`{"title":"t","service":"other","status":"firing"}`); other == firing {
		t.Error("another service has the same key")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `"x"`, `{`, `{"a":1`, `{"a":1}{}`, `{"a":}`, "{\"a\":1}\x00"} {
		_, err := Parse([]byte(body))
		if f, ok := errors.AsType[*sdk.Failure](err); !ok || f.Code != sdk.Malformed {
			t.Errorf("Parse(%q): %v, want MALFORMED", body, err)
		}
	}
}

func TestMissingTitleNamesTheMember(t *testing.T) {
	m, err := Parse([]byte(`{"description":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Event(m)
	if f, ok := errors.AsType[*sdk.Failure](err); !ok || f.Code != sdk.Unsupported || f.Path != "title" {
		t.Errorf("%v, want UNSUPPORTED at title", err)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"title":"t","severity":"P1","metadata":{"a":[1,2]},"status":"ok"}`))
	f.Add([]byte(`{"message":{"title":1},"affected_services":[1]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Parse(body)
		if err != nil {
			return
		}
		if e, _, err := Event(m); err == nil && (e.Title == "" || strings.ContainsAny(e.Title, "\n\r")) {
			t.Errorf("title %q", e.Title)
		}
	})
}

func TestTimesAreReadAndStayInTheMetadata(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for body, want := range map[string]time.Time{
		`"occurred_at":"2026-03-01T14:00:00+02:00"`:     at,
		`"timestamp":1772366400`:                        at,
		`"occurred_at":"soon","timestamp":"1772366400"`: at,
		`"occurred_at":["2026-03-01T12:00:00Z"]`:        {},
		`"timestamp":"whenever"`:                        {},
	} {
		members, err := Parse([]byte(`{"title":"x",` + body + `}`))
		if err != nil {
			t.Fatal(err)
		}
		e, notes, err := Event(members)
		if err != nil || !e.OccurredAt.Equal(want) || len(notes) > 0 || len(e.Metadata) != len(members)-1 {
			t.Errorf("%s: at %v with metadata %v and notes %v, %v; want %v", body, e.OccurredAt, e.Metadata, notes, err, want)
		}
	}
}
