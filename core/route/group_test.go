package route

import (
	"errors"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func TestGrouper(t *testing.T) {
	groups := []Group{
		{Name: "broken", When: func(*core.Incident) (bool, error) { return false, errors.New("no") }, By: []string{"title"}},
		{Name: "db", Match: Matcher{Services: []string{"db*"}}, By: []string{"integration", "severity"}, Window: time.Minute},
		{Name: "rest", Match: Matcher{Integrations: []string{"datadog"}}, By: []string{"labels.team", "metadata.host.zone"}},
	}
	of := Grouper(groups, "datadog/prod")
	tests := map[string]struct {
		event sdk.Event
		want  string
	}{
		"the first that matches": {sdk.Event{Service: "db1", Severity: sdk.Low}, "db: integration=datadog/prod, severity=Low"},
		"labels and metadata": {sdk.Event{
			Labels: map[string]string{"team": "x"}, Metadata: map[string]any{"host": map[string]any{"zone": "eu"}},
		}, "rest: team=x, host.zone=eu"},
		"one that is missing is a value": {sdk.Event{Labels: map[string]string{"team": "x"}}, `rest: team=x, host.zone=""`},
		"nothing in common is no group":  {sdk.Event{}, ": "},
		"values can't be taken for others": {sdk.Event{Labels: map[string]string{"team": "x, host.zone=eu"}},
			`rest: team="x, host.zone=eu", host.zone=""`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := of(&core.Event{Event: tt.event})
			if got := key.Rule + ": " + key.Values; got != tt.want {
				t.Errorf("group %q, want %q", got, tt.want)
			}
		})
	}
	long := of(&core.Event{Event: sdk.Event{Labels: map[string]string{"team": strings.Repeat("é", 5000)}}})
	other := of(&core.Event{Event: sdk.Event{Labels: map[string]string{"team": strings.Repeat("é", 5001)}}})
	if len(long.Values) > 300 || long.Hash == other.Hash {
		t.Errorf("long values: %d bytes, same group: %v", len(long.Values), long.Hash == other.Hash)
	}
	if Grouper(groups[2:], "sentry/web") != nil {
		t.Error("a group of another type is asked")
	}
}

func TestCovers(t *testing.T) {
	tests := map[string]struct {
		wide, narrow Matcher
		want         bool
	}{
		"everything":               {Matcher{}, Matcher{Services: []string{"a"}}, true},
		"everything isn't covered": {Matcher{Services: []string{"a"}}, Matcher{}, false},
		"a pattern and a name":     {Matcher{Services: []string{"a*"}}, Matcher{Services: []string{"ab", "AC"}}, true},
		"two patterns":             {Matcher{Services: []string{"a*"}}, Matcher{Services: []string{"ab*"}}, false},
		"one of two":               {Matcher{Titles: []string{"a"}}, Matcher{Titles: []string{"a", "b"}}, false},
		"a type":                   {Matcher{Integrations: []string{"datadog"}}, Matcher{Integrations: []string{"datadog/prod"}}, true},
		"another type":             {Matcher{Integrations: []string{"datadog"}}, Matcher{Integrations: []string{"sentry"}}, false},
		"fewer levels":             {Matcher{Severities: []sdk.Severity{sdk.High, sdk.Low}}, Matcher{Severities: []sdk.Severity{sdk.Low}}, true},
		"more labels":              {Matcher{Labels: map[string]string{"a": "*"}}, Matcher{Labels: map[string]string{"a": "x", "b": "y"}}, true},
		"a label that is missing":  {Matcher{Labels: map[string]string{"a": "*"}}, Matcher{Labels: map[string]string{"a": ""}}, false},
		"other labels":             {Matcher{Labels: map[string]string{"a": "*"}}, Matcher{Labels: map[string]string{"b": "x"}}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Covers(tt.wide, tt.narrow); got != tt.want {
				t.Errorf("Covers = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestEachRouteSaysWhyNot(t *testing.T) {
	never := func(*core.Incident) (bool, error) { return false, nil }
	tests := map[string]struct {
		route Route
		want  string
	}{
		"severity":        {Route{Match: Matcher{Severities: []sdk.Severity{sdk.High, sdk.Low}}}, "severity is Critical, wanted is High or Low"},
		"integration":     {Route{Match: Matcher{Integrations: []string{"a/b"}}}, `integration is datadog/prod, wanted is "a/b"`},
		"service":         {Route{Match: Matcher{Services: []string{"db", "x*"}}}, `service is "Checkout", wanted is "db" or "x*"`},
		"title":           {Route{Match: Matcher{Titles: []string{"x"}}}, `title is "CPU [web-1] 99/100", wanted is "x"`},
		"a label":         {Route{Match: Matcher{Labels: map[string]string{"team": "x"}}}, `label team is "core", wanted is "x"`},
		"a missing label": {Route{Match: Matcher{Labels: map[string]string{"zone": "*"}}}, `label zone is missing, wanted is "*"`},
		"when":            {Route{When: never}, "its condition doesn't hold"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.route.Name, tt.route.To = "it", []string{"webhook/ops"}
			rest := Route{Name: "rest", To: []string{"webhook/ops"}}
			got := tree(t, tt.route, rest, Route{Name: "behind", To: []string{"webhook/ops"}}).Explain(critical())
			if len(got) != 3 || got[0].Words != tt.want || !got[1].Matched || got[2].Asked || got[2].Reason != "not asked" {
				t.Errorf("Explain = %+v, want %q at first", got, tt.want)
			}
		})
	}
}
