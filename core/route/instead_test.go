package route

import (
	"errors"
	"slices"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func named(ids ...string) []*core.Destination {
	var all []*core.Destination
	for _, id := range ids {
		all = append(all, &core.Destination{Type: "log", Name: id})
	}
	return all
}

func TestAFilterKeepsIncidentsFromADestination(t *testing.T) {
	tree, err := New(Config{
		Routes:       []Route{{Name: "all", To: []string{"log/a", "log/severe", "log/loud", "log/broken"}}},
		Destinations: named("a", "severe", "loud", "broken"),
		Filters: map[string]Filter{
			"log/severe": {Match: Matcher{Severities: []sdk.Severity{sdk.Critical}}},
			"log/loud":   {When: func(in *core.Incident) (bool, error) { return in.Count > 1, nil }},
			"log/broken": {When: func(*core.Incident) (bool, error) { return false, errors.New("no such label") }},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		in   core.Incident
		want []string
	}{
		"mild and rare":     {core.Incident{Severity: sdk.Low, Count: 1}, []string{"log/a", "log/broken"}},
		"severe and often":  {core.Incident{Severity: sdk.Critical, Count: 2}, []string{"log/a", "log/severe", "log/loud", "log/broken"}},
		"only the severity": {core.Incident{Severity: sdk.Critical, Count: 1}, []string{"log/a", "log/severe", "log/broken"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tree.Match(&tt.in); !slices.Equal(got, tt.want) {
				t.Errorf("told to %q, want %q", got, tt.want)
			}
		})
	}
	if kept := tree.Explain(&core.Incident{Severity: sdk.Low, Count: 1})[0].Kept; !slices.Equal(kept, []string{"log/severe", "log/loud"}) {
		t.Errorf("kept from %q, want it told which", kept)
	}
}

func TestAFallbackIncidentPassesWhereAFilterWouldHideIt(t *testing.T) {
	tree, err := New(Config{
		Routes: []Route{{Name: "all", To: []string{"log/a"}}}, Destinations: named("a", "b"),
		Filters: map[string]Filter{"log/a": {Match: Matcher{Titles: []string{"x"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	in := &core.Incident{Title: "requests that can't be read", Fallback: core.AdapterRejected}
	if got := tree.Match(in); len(got) != 2 {
		t.Errorf("told to %q, want everybody: somebody has to know", got)
	}
}

func TestWhoStandsInForADestinationThatIsDown(t *testing.T) {
	tree, err := New(Config{
		Routes: []Route{
			{Name: "severe", Match: Matcher{Severities: []sdk.Severity{sdk.Critical}}, To: []string{"log/a"}, Fallback: []string{"log/mail"}, Continue: true},
			{Name: "all", To: []string{"log/b"}, Fallback: []string{"log/sms", "log/mail"}},
		},
		Destinations: named("a", "b", "mail", "sms"),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		severity sdk.Severity
		down     []string
		test     bool
		want     []string
	}{
		"nobody is down":               {sdk.Critical, nil, false, nil},
		"of the first route":           {sdk.Critical, []string{"log/a"}, false, []string{"log/mail"}},
		"of both routes":               {sdk.Critical, []string{"log/a", "log/b"}, false, []string{"log/mail", "log/sms"}},
		"of a route that doesn't hold": {sdk.Low, []string{"log/a"}, false, nil},
		"a test needs nobody":          {sdk.Critical, []string{"log/a"}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			down := func(id string) bool { return slices.Contains(tt.down, id) }
			if got := tree.Instead(&core.Incident{Severity: tt.severity, Test: tt.test}, down); !slices.Equal(got, tt.want) {
				t.Errorf("instead %q, want %q", got, tt.want)
			}
		})
	}
}

func TestAFallbackMustExist(t *testing.T) {
	_, err := New(Config{Routes: []Route{{Name: "x", Fallback: []string{"log/b"}}}, Destinations: named("a")})
	if err == nil || err.Error() != "route x: destination log/b doesn't exist" {
		t.Errorf("error %v, want log/b missed", err)
	}
}

func TestTroubleIsToldToAnybodyButWhoIsInTrouble(t *testing.T) {
	list := named("a", "ops", "boss")
	list[1].Notify = true
	for name, tt := range map[string]struct {
		about, by string // the destination in trouble, and who its policy names
		down      []string
		match     []string
		instead   []string
	}{
		"to those with notify":           {"log/a", "", nil, []string{"log/ops"}, nil},
		"to whom the policy names":       {"log/a", "log/boss", nil, []string{"log/boss"}, nil},
		"never to itself":                {"log/ops", "", nil, []string{"log/a", "log/boss"}, nil},
		"to all if nobody else is there": {"log/a", "", []string{"log/a", "log/ops"}, []string{"log/ops"}, []string{"log/boss"}},
	} {
		t.Run(name, func(t *testing.T) {
			list[0].Retry.Notify = tt.by
			tree, err := New(Config{Destinations: list})
			if err != nil {
				t.Fatal(err)
			}
			in := &core.Incident{Integration: core.SelfIntegration, Labels: map[string]string{"destination": tt.about}}
			down := func(id string) bool { return slices.Contains(tt.down, id) }
			if got := tree.Match(in); !slices.Equal(got, tt.match) {
				t.Errorf("told to %q, want %q", got, tt.match)
			}
			if got := tree.Instead(in, down); !slices.Equal(got, tt.instead) {
				t.Errorf("instead %q, want %q", got, tt.instead)
			}
		})
	}
}
