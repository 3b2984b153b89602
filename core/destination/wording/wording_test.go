package wording

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func message(kind core.Kind) core.Message {
	yes := true
	return core.Message{
		ID: "msg_1", Destination: "slack/ops", Kind: kind, IncidentURL: "https://bellcrank.example/incidents/INC-042",
		Incident: &core.Incident{
			Number: 42, Title: "Disk\nfull", Description: " 98 % of /var ", Severity: sdk.High, Status: core.Investigating,
			Service: "db", Affected: []string{"a", "b"}, Impact: &yes, Integration: "datadog/prod", Count: 3,
			Labels: map[string]string{"tier": "1", "team": "sre"}, SourceURL: "https://monitor.example/1",
			Links: []sdk.Link{{URL: "https://wiki.example/disk"}}, OpenedAt: time.Unix(1, 0),
		},
	}
}

func TestTheDefaultTitleSaysWhatHasHappened(t *testing.T) {
	tests := map[core.Kind]string{
		core.Created:      "[INC-042] High: Disk full",
		core.Updated:      "[INC-042] Updated: Disk full",
		core.Escalated:    "[INC-042] Escalated to High: Disk full",
		core.AckedKind:    "[INC-042] Acknowledged: Disk full",
		core.ResolvedKind: "[INC-042] Resolved: Disk full",
		core.Reopened:     "[INC-042] Reopened, High: Disk full",
	}
	for kind, want := range tests {
		if got := New(nil).Title(message(kind)); got != want {
			t.Errorf("title of %s is %q, want %q", kind, got, want)
		}
	}
	m := message(core.Created)
	m.Incident.Test, m.Incident.Title = true, ""
	if got, want := New(nil).Title(m), "[test] [INC-042] High: (no title)"; got != want {
		t.Errorf("title of a test is %q, want %q", got, want)
	}
}

func TestATemplateThatFailsCostsItsWordsOnly(t *testing.T) {
	w := New(map[string]core.Template{
		"title": func(core.Message) (string, error) { return "", errors.New("no such member") },
		"text":  func(m core.Message) (string, error) { return "about " + m.Incident.Service, nil },
	})
	if got, want := w.Title(message(core.Created)), "[INC-042] High: Disk full"; got != want {
		t.Errorf("title %q, want the default %q", got, want)
	}
	if got, want := w.Text(message(core.Created)), "about db"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got, want := New(nil).Text(message(core.Created)), "98 % of /var"; got != want {
		t.Errorf("default text %q, want %q", got, want)
	}
}

func TestFactsAndLinksLeaveOutWhatIsEmpty(t *testing.T) {
	var got []string
	for _, f := range Facts(message(core.Created).Incident) {
		got = append(got, f.Name+": "+f.Value)
	}
	want := "Severity: High; Status: Investigating; Service: db; Affected: a, b; Customer impact: Yes; " +
		"Integration: datadog/prod; Count: 3; Labels: team=sre, tier=1"
	if got := strings.Join(got, "; "); got != want {
		t.Errorf("facts\n%s\nwant\n%s", got, want)
	}
	if got := Facts(&core.Incident{Severity: sdk.Low}); len(got) != 1 {
		t.Errorf("facts of nearly nothing: %v, want one", got)
	}
	links := Links(message(core.Created))
	if len(links) != 3 || links[0].Name != "INC-042" || links[1].Name != "Source" || links[2].Name != "Link" {
		t.Errorf("links %v, want the incident, its source and one more", links)
	}
}

func TestColoursTellSeveritiesApart(t *testing.T) {
	seen := map[int]sdk.Severity{}
	for _, s := range sdk.Severities() {
		c := Colour(&core.Incident{Severity: s, Status: core.Investigating})
		if other, ok := seen[c]; ok {
			t.Errorf("%s has the colour of %s", s, other)
		}
		seen[c] = s
	}
	if _, ok := seen[Colour(&core.Incident{Severity: sdk.Critical, Status: core.Resolved})]; ok {
		t.Error("a resolved incident has a severity's colour")
	}
}

func TestCutCountsCharacters(t *testing.T) {
	if got := Cut("größer", 4); got != "grö…" {
		t.Errorf("Cut = %q, want %q", got, "grö…")
	}
	if got := Cut("größer", 6); got != "größer" {
		t.Errorf("Cut = %q, want all of it", got)
	}
}

func TestAPersonsWordsComeFirst(t *testing.T) {
	tests := map[string]struct{ author, note, want string }{
		"a note":            {"anna", "a disk is on its way", "anna: a disk is on its way\n\n98 % of /var"},
		"without a word":    {"anna", "", "by anna\n\n98 % of /var"},
		"the gateway's own": {"", "it has been quiet", "it has been quiet\n\n98 % of /var"},
		"nobody":            {"", "", "98 % of /var"},
	}
	for name, tt := range tests {
		m := message(core.Updated)
		m.Author, m.Note = tt.author, tt.note
		if got := New(nil).Text(m); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
