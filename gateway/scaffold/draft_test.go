package scaffold

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bellcrank.example/sdk"
)

func draftOf(t *testing.T, name string) *Draft {
	t.Helper()
	sample, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDraft(sample)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestMembersAreFoundByNameAndValue holds drafts to what a person would read in
// the samples.
func TestMembersAreFoundByNameAndValue(t *testing.T) {
	tests := map[string][]string{
		"list": {
			"title alerts[].annotations.summary", "action alerts[].status", "key alerts[].fingerprint",
			"severity alerts[].labels.severity", "occurred at alerts[].startsAt", "ended at alerts[].endsAt",
			"labels alerts[].labels", "source url alerts[].generatorURL",
		},
		"nested": {
			"title alert.name", "action alert.state", "key alert.id", "severity alert.priority", "service host.name",
			"description message", "source url alert.url", "occurred at alert.triggered_at", "labels tags", "metadata.value value",
		},
		"camel": {
			"title data.essentials.alertRule", "action data.essentials.monitorCondition", "key data.essentials.alertId",
			"severity data.essentials.severity", "occurred at data.essentials.firedDateTime",
		},
		"no_key":         {"part of the key service_description", "part of the key host", "description output"},
		"ends_by_time":   {"ended at data.attributes.resolved_at", "key data.id", "description data.attributes.cause"},
		"ends_if_true":   {"action is_up", "title monitor.name", "key monitor.id"},
		"ends_if_false":  {"action firing"},
		"guess":          {"action event", "title incident.subject", "key incident.reference", "severity incident.level"},
		"body_is_a_list": {"title name", "key uid", "service host"},
		"only_text":      {"title text", "action status", "part of the key text"},
		"own_words": {
			"title beacons[].headline", "key beacons[].beacon_id", "action beacons[].state", "severity beacons[].urgency",
			"service beacons[].component", "labels beacons[].labels",
		},
		"odd_names": {"title summary", "key alert-id", "action status"},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, row := range draftOf(t, name).Rows() {
				got = append(got, row.As+" "+row.Member)
			}
			for _, row := range want {
				if !slices.Contains(got, row) {
					t.Errorf("no %q in\n%s", row, strings.Join(got, "\n"))
				}
			}
		})
	}
}

// TestEverySampleGetsItsOtherHalf also covers a sample that is an end: the
// other half is then the beginning.
func TestEverySampleGetsItsOtherHalf(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, file := range files {
		d := draftOf(t, strings.TrimSuffix(filepath.Base(file), ".json"))
		cases, err := d.cases()
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for i, action := range []sdk.Action{sdk.Trigger, sdk.Resolve} {
			body, err := parse(cases[i].Request)
			if err != nil {
				t.Fatal(err)
			}
			events := d.result(at(body, []string{"body"})).Events
			if len(events) == 0 || events[0].Action != action || events[0].DedupKey == "" {
				t.Errorf("%s: %s gives %+v, want a %s with a key", file, cases[i].Name, events, action)
			}
		}
	}
}

func TestEventIDsAreNoKeys(t *testing.T) {
	for _, name := range []string{"event_id", "messageId", "delivery_id", "notification-id", "request_id"} {
		d, err := NewDraft([]byte(`{"title": "A", "status": "firing", "` + name + `": "1"}`))
		if err != nil {
			t.Fatal(err)
		}
		if d.Key != nil {
			t.Errorf("%s is taken for a key: the end of a problem has another one", name)
		}
	}
}

func TestSamplesThatTellNothingAreRefused(t *testing.T) {
	tests := map[string]struct{ sample, says string }{
		"no JSON":      {"a=b", "the sample is no JSON: MALFORMED: invalid JSON at byte 1"},
		"cut short":    {`{"a":`, "the sample is no JSON"},
		"two values":   {`{"title":"a"} {"title":"b"}`, "there is more after the first value"},
		"a number":     {"17", "neither a JSON object nor a list of such"},
		"null":         {"null", "neither a JSON object"},
		"empty object": {"{}", "neither a JSON object"},
		"empty list":   {"[]", "neither a JSON object"},
		"no text":      {`{"a": 1, "b": [true]}`, "no text that could be a title"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := NewDraft([]byte(tt.sample)); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
		})
	}
}

func TestOppositesKeepTheVendorsManner(t *testing.T) {
	for word, want := range map[string]string{
		"firing": "resolved", "FIRING": "RESOLVED", "Open": "Closed", "incident.triggered": "incident.resolved",
		"MONITOR_DOWN": "MONITOR_UP", "CRITICAL": "OK", "strange": "resolved", "resolved": "firing", "": "resolved",
	} {
		if got := opposite(word); got != want {
			t.Errorf("opposite(%q) = %q, want %q", word, got, want)
		}
	}
}

// FuzzDraft looks for samples that no draft, or no case, can be made of without
// saying so.
func FuzzDraft(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		sample, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, sample []byte) {
		p, language, err := plan(Config{Name: "acme", Sample: sample})
		if err != nil {
			return
		}
		if _, err := p.files(language); err != nil {
			t.Errorf("a draft without a folder: %v", err)
		}
	})
}
