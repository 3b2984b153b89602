package route

import (
	"errors"
	"slices"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func destinations() []*core.Destination {
	return []*core.Destination{
		{Type: "webhook", Name: "ops", Notify: true},
		{Type: "webhook", Name: "crm", Events: []core.Kind{core.Created, core.ResolvedKind}},
		{Type: "log", Name: "tests", Tests: true},
	}
}

func incident() *core.Incident {
	return &core.Incident{
		Integration: "datadog/prod", Severity: sdk.High, Service: "checkout-web", Title: "Latency is high",
		Labels: map[string]string{"team": "core", "tier": "1"},
	}
}

func tree(t *testing.T, routes ...Route) *Tree {
	t.Helper()
	tree, err := New(Config{Routes: routes, Destinations: destinations(), Generation: 7})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestMatcher(t *testing.T) {
	tests := map[string]struct {
		m    Matcher
		want string // the mismatch
	}{
		"nothing given":      {Matcher{}, ""},
		"integration":        {Matcher{Integrations: []string{"sentry/*", "datadog/*"}}, ""},
		"other integration":  {Matcher{Integrations: []string{"sentry/*"}}, "integration"},
		"severity listed":    {Matcher{Severities: []sdk.Severity{sdk.Critical, sdk.High}}, ""},
		"severity missing":   {Matcher{Severities: []sdk.Severity{sdk.Low}}, "severity"},
		"severe enough":      {Matcher{AtLeast: sdk.High}, ""},
		"not severe enough":  {Matcher{AtLeast: sdk.Critical}, "severity"},
		"service, any case":  {Matcher{Services: []string{"CHECKOUT-*"}}, ""},
		"other service":      {Matcher{Services: []string{"db"}}, "service"},
		"title":              {Matcher{Titles: []string{"*high"}}, ""},
		"labels":             {Matcher{Labels: map[string]string{"team": "core", "tier": "?"}}, ""},
		"other label":        {Matcher{Labels: map[string]string{"team": "web"}}, "label team"},
		"a label it lacks":   {Matcher{Labels: map[string]string{"region": "*"}}, "label region"},
		"all must match":     {Matcher{Services: []string{"checkout-*"}, AtLeast: sdk.Critical}, "severity"},
		"a star takes slash": {Matcher{Integrations: []string{"*"}}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.m.Mismatch(incident()); got != tt.want {
				t.Errorf("mismatch %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFirstMatchWinsUnlessItContinues(t *testing.T) {
	high := Route{Name: "high", Match: Matcher{AtLeast: sdk.High}, To: []string{"webhook/ops"}}
	all := Route{Name: "all", To: []string{"webhook/crm", "webhook/ops"}}
	if got := tree(t, high, all).Match(incident()); !slices.Equal(got, []string{"webhook/ops"}) {
		t.Errorf("first match: %q", got)
	}
	high.Continue = true
	if got := tree(t, high, all).Match(incident()); !slices.Equal(got, []string{"webhook/ops", "webhook/crm"}) {
		t.Errorf("with continue: %q", got)
	}
	low := Route{Name: "low", Match: Matcher{Severities: []sdk.Severity{sdk.Low}}, To: []string{"webhook/ops"}}
	if got := tree(t, low).Match(incident()); len(got) != 0 {
		t.Errorf("nothing matches: %q, want none", got)
	}
}

func TestCondition(t *testing.T) {
	for name, tt := range map[string]struct {
		ok   bool
		err  error
		want int
	}{
		"holds":                      {true, nil, 1},
		"doesn't hold":               {false, nil, 0},
		"an error counts as a match": {false, errors.New("boom"), 1},
	} {
		when := func(*core.Incident) (bool, error) { return tt.ok, tt.err }
		if got := tree(t, Route{Name: "x", When: when, To: []string{"webhook/ops"}}).Match(incident()); len(got) != tt.want {
			t.Errorf("%s: %q, want %d", name, got, tt.want)
		}
	}
}

func TestTestsGoOnlyWhereTheyAreWanted(t *testing.T) {
	in := incident()
	in.Test = true
	if got := tree(t, Route{Name: "all", To: []string{"webhook/ops"}}).Match(in); !slices.Equal(got, []string{"log/tests"}) {
		t.Errorf("no matched destination takes tests: %q, want log/tests", got)
	}
	if got := tree(t, Route{Name: "all", To: []string{"webhook/ops", "log/tests"}}).Match(in); !slices.Equal(got, []string{"log/tests"}) {
		t.Errorf("a matched destination takes tests: %q, want log/tests", got)
	}
}

func TestFallbackIncidentIsAlwaysHeardOf(t *testing.T) {
	in := incident()
	in.Fallback = core.AdapterRejected
	if got := tree(t).Match(in); !slices.Equal(got, []string{"webhook/ops"}) {
		t.Errorf("no route: %q, want the notify destination", got)
	}
	if got := tree(t, Route{Name: "all", To: []string{"webhook/crm"}}).Match(in); !slices.Equal(got, []string{"webhook/crm"}) {
		t.Errorf("a route: %q, want webhook/crm", got)
	}
	plain, err := New(Config{Destinations: []*core.Destination{{Type: "log", Name: "a"}, {Type: "log", Name: "b"}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := plain.Match(in); !slices.Equal(got, []string{"log/a", "log/b"}) {
		t.Errorf("no notify destination: %q, want all", got)
	}
}

func TestWants(t *testing.T) {
	tr := tree(t)
	for destination, want := range map[string]bool{"webhook/ops": true, "webhook/crm": false} {
		if got := tr.Wants(destination, core.Escalated); got != want {
			t.Errorf("%s wants escalations: %v, want %v", destination, got, want)
		}
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for name, r := range map[string]Route{
		"unknown destination": {Name: "r", To: []string{"slack/ops"}},
		"bad pattern":         {Name: "r", Match: Matcher{Services: []string{"[a"}}},
	} {
		if _, err := New(Config{Routes: []Route{r}, Destinations: destinations()}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestExplainNamesWhatDecided(t *testing.T) {
	got := tree(t,
		Route{Name: "critical", Match: Matcher{AtLeast: sdk.Critical}, To: []string{"webhook/ops"}},
		Route{Name: "all", To: []string{"webhook/crm"}},
		Route{Name: "never asked", To: []string{"webhook/ops"}},
	).Explain(incident())
	if len(got) != 2 || got[0].Matched || got[0].Reason != "severity doesn't match" || !got[1].Matched {
		t.Errorf("decisions %+v", got)
	}
}

func BenchmarkMatch(b *testing.B) {
	tree, err := New(Config{Destinations: destinations(), Routes: []Route{
		{Name: "a", Match: Matcher{AtLeast: sdk.Critical}, To: []string{"webhook/ops"}},
		{Name: "b", Match: Matcher{Labels: map[string]string{"team": "web"}}, To: []string{"webhook/ops"}},
		{Name: "c", To: []string{"webhook/crm"}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	in := incident()
	b.ReportAllocs()
	for b.Loop() {
		tree.Match(in)
	}
}
