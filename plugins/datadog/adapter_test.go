package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/sdktest"
)

func TestAdapter(t *testing.T) { sdktest.Run(t, adapter{}) }

func FuzzAdapter(f *testing.F) { sdktest.Fuzz(f, adapter{}) }

func TestReadHeading(t *testing.T) {
	tests := map[string]heading{
		"Disk is full": {text: "Disk is full"},
		"[P1] [Triggered on {host:b,env:prod}] [TEST]  Disk  is\nfull ": {
			text: "Disk is full", priority: "P1", transition: triggered, scope: []string{"env:prod", "host:b"}, test: true,
		},
		"[p5] [Recovered] [db] is slow":           {text: "[db] is slow", priority: "P5", transition: recovered},
		"[Re-No Data on {*}] quiet":               {text: "quiet", transition: noData},
		"[Triggered on {path:[a]}] [b]":           {text: "[b]", transition: triggered, scope: []string{"path:[a]"}},
		"[Recovered data job] failed":             {text: "[Recovered data job] failed"},
		"[Triggered on {host:a":                   {text: "[Triggered on {host:a"},
		"[Warn]":                                  {transition: warned},
		"[EU] [Triggered] not a group of Datadog": {text: "[EU] [Triggered] not a group of Datadog"},
	}
	for title, want := range tests {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			if got := readHeading(title); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func FuzzReadHeading(f *testing.F) {
	f.Add("[P2] [Triggered on {a:b,c:[d]}] [TEST] x")
	f.Add("[[[{}]]]")
	f.Fuzz(func(t *testing.T, title string) {
		h := readHeading(title)
		if !strings.HasSuffix(sdk.Line(title), h.text) {
			t.Errorf("%q leaves %q, which is not its end", title, h.text)
		}
	})
}

func TestEveryTransitionHasItsMeaning(t *testing.T) {
	tests := map[string]transition{
		"Triggered": triggered, "Re-Triggered": triggered, "Renotify": triggered,
		"No Data": noData, "Re-No Data": noData, "Warn": warned, "Re-Warn": warned,
		"Recovered": recovered, "recovered": recovered, "Recovered (by operator)": recovered,
		"Null": unknown, "": unknown, "muted": unknown,
	}
	for word, want := range tests {
		if got := transitionOf(word); got != want {
			t.Errorf("transitionOf(%q) = %q, want %q", word, got, want)
		}
	}
}

// The problem keeps its name although Datadog draws a new event id, and
// renders another title, when it recovers.
func TestKeysHoldThroughACycleByEveryRule(t *testing.T) {
	firing := map[string]string{
		"title": "[P3] [Triggered] Queue on shard-4", "alert_title": "Queue on shard-4", "alert_transition": "Triggered",
		"alert_id": "12", "alert_cycle_key": "c1", "aggreg_key": "a1", "alert_scope": "shard:4,env:prod", "id": "1",
	}
	resolved := map[string]string{
		"title": "[P3] [Recovered] Queue on ", "alert_title": "Queue on ", "alert_transition": "Recovered",
		"alert_id": "12", "alert_cycle_key": "c1", "aggreg_key": "a1", "alert_scope": "env:prod,shard:4", "id": "2",
	}
	for _, rule := range []string{"auto", "cycle_key", "monitor_scope", "aggreg_key", "monitor"} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			settings := `{"identity":"` + rule + `"}`
			opened, closed := adaptOne(t, firing, settings), adaptOne(t, resolved, settings)
			if opened.DedupKey == "" || opened.DedupKey != closed.DedupKey {
				t.Errorf("opened %q, resolved %q, want one key", opened.DedupKey, closed.DedupKey)
			}
			if closed.Action != sdk.Resolve || closed.Severity != "" {
				t.Errorf("%s with severity %q, want a resolve without", closed.Action, closed.Severity)
			}
		})
	}
}

// What comes back after a recovery has a new cycle key and the old series.
func TestSeriesOutlivesTheCycle(t *testing.T) {
	first := map[string]string{"alert_title": "x", "alert_id": "12", "alert_scope": "b:2,a:1", "alert_cycle_key": "c1"}
	second := map[string]string{"alert_title": "x", "alert_id": "12", "alert_scope": "a:1,b:2", "alert_cycle_key": "c2"}
	one, two := adaptOne(t, first, ""), adaptOne(t, second, "")
	if one.DedupKey == two.DedupKey || one.SeriesKey == "" || one.SeriesKey != two.SeriesKey {
		t.Errorf("keys %q and %q, series %q and %q; want two keys of one series", one.DedupKey, two.DedupKey, one.SeriesKey, two.SeriesKey)
	}
}

// A real alert must never join the incident of a test that was sent for the
// same monitor: nobody would hear of it.
func TestTestsHaveKeysOfTheirOwn(t *testing.T) {
	body := map[string]string{"title": "[Triggered] x", "alert_id": "12", "alert_cycle_key": "c1"}
	real := adaptOne(t, body, "")
	body["title"] = "[Triggered] [TEST] x"
	test := adaptOne(t, body, "")
	if !test.Test || real.Test || test.DedupKey == real.DedupKey || test.SeriesKey == real.SeriesKey {
		t.Errorf("test %+v\nreal %+v\nwant different keys", test, real)
	}
}

// The template in the set-up text has to be one that the adapter reads in
// full once Datadog has filled it in.
func TestRecommendedTemplatesAreUnderstood(t *testing.T) {
	_, rest, _ := strings.Cut(setup, "```json\n")
	monitorTemplate, rest, _ := strings.Cut(rest, "```")
	_, rest, _ = strings.Cut(rest, "```json\n")
	incidentTemplate, _, _ := strings.Cut(rest, "```")
	tests := map[string]struct {
		template string
		values   []string
		want     sdk.Event
	}{
		"monitor": {
			template: monitorTemplate,
			values:   []string{"$ALERT_TITLE", "Disk", "$ALERT_TRANSITION", "Triggered", "$ALERT_PRIORITY", "P1", "$ALERT_ID", "5", "$ALERT_SCOPE", "host:a", "$ALERT_CYCLE_KEY", "77", "$TAGS", "service:db"},
			want:     sdk.Event{Action: sdk.Trigger, DedupKey: "cycle:77", SeriesKey: "monitor:5|host:a", Title: "Disk", Severity: sdk.Critical, Service: "db"},
		},
		"incident": {
			template: incidentTemplate,
			values:   []string{"$INCIDENT_UUID", "u1", "$INCIDENT_TITLE", "Late", "$INCIDENT_STATUS", "stable", "$INCIDENT_SEVERITY", "SEV-3"},
			want:     sdk.Event{Action: sdk.Acknowledge, DedupKey: "dd-incident:u1", Title: "Late", Severity: sdk.Medium},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body map[string]string
			if err := json.Unmarshal([]byte(strings.NewReplacer(tt.values...).Replace(tt.template)), &body); err != nil {
				t.Fatalf("the template is no JSON: %v", err)
			}
			e := adaptOne(t, body, "")
			got := sdk.Event{Action: e.Action, DedupKey: e.DedupKey, SeriesKey: e.SeriesKey, Title: e.Title, Severity: e.Severity, Service: e.Service}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// People put a shared secret into the body, as Datadog doesn't sign.
func TestSecretsDoNotLeave(t *testing.T) {
	body := map[string]string{"title": "x", "alert_id": "1", "webhook_secret": "hunter2", "X-Api-Key": "hunter2", "accessToken": "hunter2", "team": "a"}
	blob, err := json.Marshal(adaptOne(t, body, ""))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(blob), "hunter2") || !strings.Contains(string(blob), `"team":"a"`) {
		t.Errorf("event %s; want the team and no secret", blob)
	}
}

func adaptOne(t *testing.T, body map[string]string, settings string) sdk.Event {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	result, err := adapter{}.Adapt(t.Context(), sdk.Request{Body: raw, Settings: json.RawMessage(settings)})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Events) != 1 {
		t.Fatalf("%d events, want 1: %+v", len(result.Events), result)
	}
	return result.Events[0]
}
