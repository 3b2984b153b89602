package route

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func destinations() []*core.Destination {
	return []*core.Destination{
		{Type: "webhook", Name: "ops", Notify: true},
		{Type: "webhook", Name: "lab", Tests: true},
		{Type: "slack", Name: "team", Events: []core.Kind{core.Created, core.ResolvedKind}},
	}
}

func tree(t *testing.T, routes ...Route) *Tree {
	t.Helper()
	tree, err := New(Config{Routes: routes, Destinations: destinations(), Generation: 7, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func critical() *core.Incident {
	return &core.Incident{
		Number: 1, Integration: "datadog/prod", Severity: sdk.Critical, Title: "CPU [web-1] 99/100", Service: "Checkout",
		Labels: map[string]string{"team": "core", "path": "/api/v1"},
	}
}

func TestMatcherHoldsWhenEverythingGivenHolds(t *testing.T) {
	tests := map[string]struct {
		match  Matcher
		reason string // "" if it holds
	}{
		"nothing given":            {Matcher{}, ""},
		"integration by pattern":   {Matcher{Integrations: []string{"sentry/*", "datadog/*"}}, ""},
		"integration of any type":  {Matcher{Integrations: []string{"*/prod"}}, ""},
		"another integration":      {Matcher{Integrations: []string{"datadog/dev"}}, "integration"},
		"severity listed":          {Matcher{Severities: []sdk.Severity{sdk.High, sdk.Critical}}, ""},
		"severity not listed":      {Matcher{Severities: []sdk.Severity{sdk.High}}, "severity"},
		"service in any case":      {Matcher{Services: []string{"check*"}}, ""},
		"another service":          {Matcher{Services: []string{"db"}}, "service"},
		"label with slashes":       {Matcher{Labels: map[string]string{"path": "/api/*"}}, ""},
		"both labels":              {Matcher{Labels: map[string]string{"team": "core", "path": "*"}}, ""},
		"one label differs":        {Matcher{Labels: map[string]string{"team": "core", "path": "/x"}}, "labels"},
		"a missing label is empty": {Matcher{Labels: map[string]string{"none": ""}}, ""},
		"a missing label has no *": {Matcher{Labels: map[string]string{"none": "*"}}, "labels"},
		"a type alone":             {Matcher{Integrations: []string{"datadog"}}, ""},
		"a star is every one":      {Matcher{Integrations: []string{"*"}}, ""},
		"brackets are no classes":  {Matcher{Titles: []string{"cpu [web-?] *"}}, ""},
		"another title":            {Matcher{Titles: []string{"disk*"}}, "title"},
		"all must hold":            {Matcher{Severities: []sdk.Severity{sdk.Critical}, Services: []string{"db"}}, "service"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := compile(tt.match)
			if got := m.fails(critical()); got != tt.reason {
				t.Errorf("fails because of %q, want %q", got, tt.reason)
			}
		})
	}
}

func TestPatterns(t *testing.T) {
	tests := map[string]struct {
		pattern, s string
		want       bool
	}{
		"empty takes empty":        {"", "", true},
		"empty takes nothing else": {"", "a", false},
		"star takes empty":         {"*", "", true},
		"two stars":                {"a*b*c", "a12b3bc", true},
		"stars at the end":         {"a**", "a", true},
		"too short":                {"a?", "a", false},
		"one rune, not one byte":   {"?", "é", true},
		"case of other alphabets":  {"ÄRGER*", "ärger 1", true},
		"a star goes back":         {"*ab", "aab", true},
		"a broken rune is a rune":  {"?", "\xff", true},
		"backslash is a letter":    {`\*`, `\x`, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := newPattern(tt.pattern).match(tt.s); got != tt.want {
				t.Errorf("pattern %q on %q: %v, want %v", tt.pattern, tt.s, got, tt.want)
			}
		})
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("a*b?", "axxbc")
	f.Add("*", "\xff\x00")
	f.Fuzz(func(t *testing.T, p, s string) {
		newPattern(p).match(s)
		if !newPattern("*").match(s) {
			t.Errorf("* doesn't take %q", s)
		}
		if !strings.ContainsAny(s, "*?") && !newPattern("*"+s+"*").match("x"+s) {
			t.Errorf("*s* doesn't take %q", s)
		}
	})
}

func TestParseSeverities(t *testing.T) {
	tests := map[string]struct {
		in      string
		want    []sdk.Severity
		wantErr bool
	}{
		"a level":            {in: "high", want: []sdk.Severity{sdk.High}},
		"at least":           {in: ">= High", want: []sdk.Severity{sdk.Critical, sdk.High}},
		"above":              {in: ">High", want: []sdk.Severity{sdk.Critical}},
		"at most":            {in: "<=Low", want: []sdk.Severity{sdk.Low, sdk.PreEmptive}},
		"below":              {in: "<Low", want: []sdk.Severity{sdk.PreEmptive}},
		"equal":              {in: "=Pre-emptive", want: []sdk.Severity{sdk.PreEmptive}},
		"no level":           {in: ">=", wantErr: true},
		"an unknown word":    {in: "urgent", wantErr: true},
		"an unknown sign":    {in: "=>High", wantErr: true},
		"above the greatest": {in: ">Critical", wantErr: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseSeverities(tt.in)
			if (err != nil) != tt.wantErr || !slices.Equal(got, tt.want) {
				t.Errorf("ParseSeverities(%q) = %v, %v; want %v, error %v", tt.in, got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestFirstMatchWinsUnlessItContinues(t *testing.T) {
	page := Route{Name: "page", Match: Matcher{Severities: []sdk.Severity{sdk.Critical}}, To: []string{"webhook/ops"}}
	rest := Route{Name: "rest", To: []string{"slack/team", "webhook/ops", "slack/team"}}
	on := page
	on.Continue = true
	tests := map[string]struct {
		routes []Route
		want   []string
	}{
		"the first match wins":           {[]Route{page, rest}, []string{"webhook/ops"}},
		"continue adds, without repeats": {[]Route{on, rest}, []string{"webhook/ops", "slack/team"}},
		"order counts":                   {[]Route{rest, page}, []string{"slack/team", "webhook/ops"}},
		"nobody":                         {nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tree(t, tt.routes...).Match(critical()); !slices.Equal(got, tt.want) {
				t.Errorf("Match = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWhenIsAskedOnlyIfMatchHolds(t *testing.T) {
	asked := 0
	when := func(in *core.Incident) (bool, error) { asked++; return in.Service == "Checkout", nil }
	routes := tree(t,
		Route{Name: "no", Match: Matcher{Services: []string{"db"}}, When: when, To: []string{"slack/team"}},
		Route{Name: "yes", When: when, To: []string{"webhook/ops"}})
	if got := routes.Match(critical()); !slices.Equal(got, []string{"webhook/ops"}) || asked != 1 {
		t.Errorf("Match = %v with %d questions, want [webhook/ops] with 1", got, asked)
	}
}

func TestABrokenConditionCostsNoPage(t *testing.T) {
	var log bytes.Buffer
	broken := func(*core.Incident) (bool, error) { return false, errors.New("no such label") }
	routes, err := New(Config{
		Routes: []Route{
			{Name: "broken", When: broken, To: []string{"slack/team"}},
			{Name: "rest", To: []string{"webhook/ops"}},
		},
		Destinations: destinations(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := routes.Match(critical()); !slices.Equal(got, []string{"slack/team", "webhook/ops"}) {
		t.Errorf("Match = %v, want both destinations", got)
	}
	if !strings.Contains(log.String(), "no such label") {
		t.Errorf("the log doesn't say why: %s", log.String())
	}
}

func TestTestsReachOnlyThoseWhoTakeThem(t *testing.T) {
	in := critical()
	in.Test = true
	both := Route{Name: "both", To: []string{"webhook/ops", "webhook/lab"}}
	none := Route{Name: "none", To: []string{"webhook/ops"}}
	for name, r := range map[string]Route{"matched and takes tests": both, "none of the matched takes tests": none} {
		if got := tree(t, r).Match(in); !slices.Equal(got, []string{"webhook/lab"}) {
			t.Errorf("%s: %v, want [webhook/lab]", name, got)
		}
	}
}

func TestAFallbackIncidentAlwaysReachesSomebody(t *testing.T) {
	in := critical()
	in.Fallback = core.AdapterRejected
	if got := tree(t, Route{Name: "all", To: []string{"slack/team"}}).Match(in); !slices.Equal(got, []string{"slack/team"}) {
		t.Errorf("with a route: %v", got)
	}
	if got := tree(t).Match(in); !slices.Equal(got, []string{"webhook/ops"}) {
		t.Errorf("without a route: %v, want the one with notify", got)
	}
	deaf := destinations()
	deaf[0].Notify = false
	routes, err := New(Config{Destinations: deaf})
	if err != nil {
		t.Fatal(err)
	}
	if got := routes.Match(in); len(got) != 3 {
		t.Errorf("without notify: %v, want all three", got)
	}
}

func TestWantsIsTheDestinationsChoice(t *testing.T) {
	routes := tree(t)
	if !routes.Wants("slack/team", core.Created) || routes.Wants("slack/team", core.Updated) {
		t.Error("slack/team takes other kinds than it lists")
	}
	if !routes.Wants("webhook/ops", core.Updated) || !routes.Wants("gone/gone", core.ResolvedKind) {
		t.Error("without a list, every kind is taken")
	}
	if routes.Generation() != 7 {
		t.Errorf("Generation = %d, want 7", routes.Generation())
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	_, err := New(Config{Destinations: destinations(), Routes: []Route{
		{Name: "a", To: []string{"slack/nobody"}},
		{Name: "b", To: []string{"gone/gone"}},
	}})
	if err == nil || !strings.Contains(err.Error(), "slack/nobody") || !strings.Contains(err.Error(), "gone/gone") {
		t.Errorf("New = %v, want both mistakes named", err)
	}
}

func TestExplainNamesEveryDecision(t *testing.T) {
	routes := tree(t,
		Route{Name: "db", Match: Matcher{Services: []string{"db"}}, To: []string{"slack/team"}},
		Route{Name: "never", When: func(*core.Incident) (bool, error) { return false, nil }, To: []string{"slack/team"}})
	got := routes.Explain(critical())
	if len(got) != 3 || got[0].Reason != "service" || got[1].Reason != "when" || got[2].Matched || got[2].Route != "" {
		t.Errorf("Explain = %+v", got)
	}
}

func BenchmarkMatch(b *testing.B) {
	var routes []Route
	for range 50 {
		routes = append(routes, Route{Name: "other", To: []string{"slack/team"}, Match: Matcher{
			Integrations: []string{"datadog/*"}, Labels: map[string]string{"team": "*x*"}, Titles: []string{"*disk*"},
		}})
	}
	routes = append(routes, Route{Name: "rest", To: []string{"webhook/ops"}})
	tree, err := New(Config{Routes: routes, Destinations: destinations()})
	if err != nil {
		b.Fatal(err)
	}
	in := critical()
	b.ReportAllocs()
	for b.Loop() {
		if len(tree.Match(in)) != 1 {
			b.Fatal("no match")
		}
	}
}

func TestMatchAllocatesNothing(t *testing.T) {
	routes := tree(t,
		Route{Name: "db", Match: Matcher{Services: []string{"db*"}, Labels: map[string]string{"team": "x"}}, To: []string{"slack/team"}},
		Route{Name: "rest", Match: Matcher{Integrations: []string{"datadog/*"}}, To: []string{"webhook/ops"}})
	in := critical()
	if n := testing.AllocsPerRun(100, func() { routes.Match(in) }); n != 0 {
		t.Errorf("Match allocates %v times, want none", n)
	}
}

func TestOwnTroubleGoesToThoseWhoAreNotified(t *testing.T) {
	in := &core.Incident{Integration: core.SelfIntegration, Title: "Destination webhook/ops is disabled"}
	cfg := Config{
		Routes:       []Route{{Name: "all", To: []string{"webhook/ops"}}},
		Destinations: []*core.Destination{{Type: "webhook", Name: "ops"}, {Type: "log", Name: "notices", Notify: true}},
	}
	tree, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := tree.Match(in); !slices.Equal(got, []string{"log/notices"}) {
		t.Errorf("told to %q, want log/notices whatever the routes say", got)
	}
	cfg.Destinations[1].Notify = false
	if tree, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	if got := tree.Match(in); len(got) != 2 {
		t.Errorf("nobody has notify: told to %q, want all", got)
	}
}
