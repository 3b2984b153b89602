package core

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"bellcrank.example/sdk"
)

func TestPlaceholdersThatNobodyFilledIn(t *testing.T) {
	in := &Integration{Info: sdk.Info{Template: "Use $EVENT_TITLE."}}
	strict := &Integration{Info: in.Info, StrictTemplates: true}
	fine := sdk.Event{Action: sdk.Trigger, Title: "Disk of {{host}} full", Severity: sdk.High, SeverityRaw: "P2", Service: "db", DedupKey: "k"}
	bad := func(change func(*sdk.Event)) sdk.Event {
		e := fine
		change(&e)
		return e
	}
	tests := map[string]struct {
		in      *Integration
		events  []sdk.Event
		notes   []string // of the adapter
		want    []sdk.Event
		members []string // that notes are about
		refused string   // the member that the failure is about
		reject  int
	}{
		"braces within a text are fine": {in: in, events: []sdk.Event{fine}, want: []sdk.Event{fine}},
		"a title makes a test": {
			in: in, events: []sdk.Event{bad(func(e *sdk.Event) { e.Title = "{{alert.name}}" })},
			want:    []sdk.Event{bad(func(e *sdk.Event) { e.Title, e.Test = "{{alert.name}}", true })},
			members: []string{"title"},
		},
		"a severity counts as missing, and its word stays": {
			in: in, events: []sdk.Event{bad(func(e *sdk.Event) { e.SeverityRaw = "$ALERT_PRIORITY" })},
			want:    []sdk.Event{bad(func(e *sdk.Event) { e.SeverityRaw, e.Severity = "$ALERT_PRIORITY", "" })},
			members: []string{"severity"},
		},
		"service and key count as missing": {
			in: in, events: []sdk.Event{bad(func(e *sdk.Event) { e.Service, e.DedupKey = "%service%", "<no value>" })},
			want:    []sdk.Event{bad(func(e *sdk.Event) { e.Service, e.DedupKey = "", "" })},
			members: []string{"service", "dedup_key"},
		},
		"what the adapter noted isn't noted again": {
			in: in, events: []sdk.Event{bad(func(e *sdk.Event) { e.Title = "{{x}}" })}, notes: []string{"UNRENDERED_TEMPLATE: title: its own words"},
			want:    []sdk.Event{bad(func(e *sdk.Event) { e.Title, e.Test = "{{x}}", true })},
			members: []string{"title"},
		},
		"one note for many events": {
			in: in, events: []sdk.Event{bad(func(e *sdk.Event) { e.Service = "{{x}}" }), bad(func(e *sdk.Event) { e.Service = "{{x}}" })},
			want:    []sdk.Event{bad(func(e *sdk.Event) { e.Service = "" }), bad(func(e *sdk.Event) { e.Service = "" })},
			members: []string{"service"},
		},
		"strictness refuses": {
			in: strict, events: []sdk.Event{bad(func(e *sdk.Event) { e.Service = "{{x}}" })}, refused: "service",
		},
		"strictness costs the others nothing": {
			in: strict, events: []sdk.Event{bad(func(e *sdk.Event) { e.Title = "{{x}}" }), fine},
			want: []sdk.Event{fine}, members: []string{"title"}, reject: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := CheckTemplates(tt.in, sdk.Result{Events: tt.events, Notes: tt.notes})
			failure, _ := errors.AsType[*sdk.Failure](err)
			if refused := failure != nil; refused != (tt.refused != "") || refused && failure.Path != tt.refused {
				t.Fatalf("error %v, want one about %q", err, tt.refused)
			}
			if failure != nil {
				return
			}
			var members []string
			hints := 0
			for _, note := range got.Notes {
				if member, ok := sdk.UnrenderedMember(note); ok {
					members = append(members, member)
				}
				hints += strings.Count(note, "Use $EVENT_TITLE.")
			}
			if !slices.Equal(members, tt.members) || hints != min(1, len(members)) || len(got.Rejected) != tt.reject {
				t.Errorf("notes %q, %d rejected; want them about %q, one hint, %d rejected", got.Notes, len(got.Rejected), tt.members, tt.reject)
			}
			same := func(a, b sdk.Event) bool {
				return a.Title == b.Title && a.Test == b.Test && a.Severity == b.Severity && a.SeverityRaw == b.SeverityRaw &&
					a.Service == b.Service && a.DedupKey == b.DedupKey
			}
			if !slices.EqualFunc(got.Events, tt.want, same) {
				t.Errorf("events %+v, want %+v", got.Events, tt.want)
			}
		})
	}
}
