package core_test

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// lifecyclePage is where the lifecycle is documented, between two marks.
const lifecyclePage = "../docs/incidents.md"

// TestLifecycleTableIsWhatTheRulesDo makes the table of the page by trying it.
// UPDATE=1 writes it.
func TestLifecycleTableIsWhatTheRulesDo(t *testing.T) {
	page, err := os.ReadFile(lifecyclePage)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- lifecycle -->\n", "<!-- end -->\n"
	head, rest, ok := strings.Cut(string(page), begin)
	old, tail, found := strings.Cut(rest, end)
	if !ok || !found {
		t.Fatalf("%s has no marks for the table", lifecyclePage)
	}
	table := lifecycleTable()
	if table == old {
		return
	}
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(lifecyclePage, []byte(head+begin+table+end+tail), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the page says\n%s\nthe rules say\n%s", old, table)
}

// said is a moment on the vendor's clock, in minutes.
func said(r *rules, op sdk.Action, severity sdk.Severity, at int) {
	r.Say(r.Draw(), true, []sdk.Event{{
		Action: op, DedupKey: "k", Severity: severity, Title: "t", OccurredAt: time.Date(2026, 3, 1, 11, at, 0, 0, time.UTC),
	}})
	r.Advance(time.Second)
}

func person(r *rules, do sdk.Action) {
	if len(r.all) > 0 {
		_ = r.Do("k", core.Act{Do: do, Author: "anna", Text: "x", Service: "db"}) // what is refused changes nothing
	}
}

func lifecycleTable() string {
	befores := []struct {
		name string
		make func(r *rules)
	}{
		{"nothing", func(*rules) {}},
		{"investigating", func(r *rules) { said(r, sdk.Trigger, sdk.Medium, 10) }},
		{"acknowledged", func(r *rules) { said(r, sdk.Trigger, sdk.Medium, 10); said(r, sdk.Acknowledge, "", 11) }},
		{"resolved, within `reopen_window`", func(r *rules) { said(r, sdk.Trigger, sdk.Medium, 10); said(r, sdk.Resolve, "", 11) }},
		{"resolved, longer ago", func(r *rules) {
			said(r, sdk.Trigger, sdk.Medium, 10)
			said(r, sdk.Resolve, "", 11)
			r.Advance(time.Hour)
		}},
	}
	events := []struct {
		name string
		make func(r *rules)
	}{
		{"trigger", func(r *rules) { said(r, sdk.Trigger, sdk.Medium, 20) }},
		{"trigger, more severe", func(r *rules) { said(r, sdk.Trigger, sdk.Critical, 20) }},
		{"trigger, said before the rest", func(r *rules) { said(r, sdk.Trigger, sdk.Critical, 5) }},
		{"acknowledge", func(r *rules) { said(r, sdk.Acknowledge, "", 20) }},
		{"resolve", func(r *rules) { said(r, sdk.Resolve, "", 20) }},
		{"resolve, said before the newest trigger", func(r *rules) { said(r, sdk.Resolve, "", 5) }},
		{"a person acknowledges", func(r *rules) { person(r, sdk.Acknowledge) }},
		{"a person resolves", func(r *rules) { person(r, sdk.Resolve) }},
		{"a person reopens", func(r *rules) { person(r, core.Reopen) }},
		{"a person notes", func(r *rules) { person(r, core.Note) }},
		{"a person reassigns", func(r *rules) { person(r, core.Assign) }},
	}
	var table strings.Builder
	table.WriteString("| It was | What comes | It is | Count | Destinations are told |\n|---|---|---|---|---|\n")
	for _, before := range befores {
		for _, event := range events {
			r := newRules()
			before.make(r)
			r.Told("k")
			was := outcomeOf(r)
			event.make(r)
			is := outcomeOf(r)
			if was.status == "" && strings.HasPrefix(event.name, "a person") {
				continue // there is nothing that a person could name
			}
			fmt.Fprintf(&table, "| %s | %s | %s | %s | %s |\n", before.name, event.name, is.word(was), is.counted(was), told(r.Told("k")))
		}
	}
	return table.String()
}

// outcome is what the table shows of the newest incident.
type outcome struct {
	status    core.Status
	severity  sdk.Severity
	incidents int
	count     int
}

func outcomeOf(r *rules) (o outcome) {
	for _, in := range r.all {
		o.status, o.severity = in.Status, in.Severity
		o.incidents++
		o.count += in.Count
	}
	return o
}

func (o outcome) word(was outcome) string {
	word := string(cmp.Or(o.status, "nothing"))
	if o.incidents > was.incidents && was.incidents > 0 {
		word = "a new incident, " + word
	}
	if was.status != "" && o.severity.Above(was.severity) {
		word += ", more severe"
	}
	return word
}

func (o outcome) counted(was outcome) string {
	if o.count == was.count {
		return ""
	}
	return fmt.Sprintf("+%d", o.count-was.count)
}

func told(kinds []core.Kind) string {
	var words []string
	for _, k := range kinds {
		words = append(words, "`"+string(k)+"`")
	}
	return cmp.Or(strings.Join(words, ", "), "nothing")
}
