package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// compiled compiles a condition in a configuration that is right otherwise.
func compiled(t testing.TB, expression string) func(*core.Incident) (bool, error) {
	t.Helper()
	src := source("x.hcl")
	path := t.TempDir()
	src.Paths = []string{path + "/x.hcl"}
	text := fmt.Sprintf("locals {\n  teams = [\"core\", \"sre\"]\n}\ndestination \"log\" \"a\" {}\nroute \"a\" {\n  when = %s\n  to = [destination.log.a]\n}\nroute \"rest\" {\n  to = [destination.log.a]\n}\n", expression)
	writeFile(t, src.Paths[0], text)
	c, d := Load(src)
	if d.HasErrors() {
		t.Fatalf("%s:\n%s", expression, lines(d))
	}
	return c.Routes[0].When
}

func someIncident() *core.Incident {
	yes := true
	return &core.Incident{
		Integration: "datadog/prod", Severity: sdk.Critical, SeverityRaw: "P1", Status: core.Investigating,
		Title: "CPU is high", Description: "d", Service: "checkout", Affected: []string{"a", "b"}, Impact: &yes,
		SourceURL: "https://example.com", DedupKey: "k", Count: 3, Test: true, Fallback: core.AdapterRejected,
		Labels: map[string]string{"team": "core", "a/b": "x"},
		Metadata: map[string]any{
			"host": "web-1", "n": json.Number("12345678901234567890"), "f": 1.5, "ok": true, "none": nil,
			"list": []any{"x", json.Number("2")}, "deep": map[string]any{"er": "y"},
		},
	}
}

func TestConditionsReadTheIncident(t *testing.T) {
	tests := map[string]struct {
		expression string
		want       bool
	}{
		"severity":                 {`incident.severity == "Critical"`, true},
		"several":                  {`incident.severity == "High" || (incident.severity == "Critical" && incident.customer_impact)`, true},
		"integration":              {`incident.integration.type == "datadog" && incident.integration.name == "prod" && incident.integration.id == "datadog/prod"`, true},
		"label":                    {`incident.labels.team == "core"`, true},
		"label in brackets":        {`incident.labels["a/b"] == "x"`, true},
		"label that is missing":    {`incident.labels.region == "eu"`, false},
		"no such label":            {`incident.labels.region == ""`, true},
		"label by lookup":          {`lookup(incident.labels, "region", "none") == "none"`, true},
		"keys are those there are": {`contains(keys(incident.labels), "region")`, false},
		"local":                    {`contains(local.teams, incident.labels.team)`, true},
		"metadata":                 {`incident.metadata.host == "web-1" && incident.metadata.deep.er == "y" && incident.metadata.list[1] == 2`, true},
		"numbers as written":       {`incident.metadata.n == 12345678901234567890 && incident.metadata.f == 1.5`, true},
		"metadata that is missing": {`incident.metadata.region == "eu"`, false},
		"deep and missing, by try": {`try(incident.metadata.deep.x, "no") == "no"`, true},
		"pattern":                  {`can(regex("^CPU", incident.title))`, true},
		"pattern without a match":  {`length(regexall("disk", incident.title)) > 0`, false},
		"list":                     {`contains(incident.affected_services, "b")`, true},
		"the rest":                 {`"${incident.description} ${incident.status} ${incident.source_url} ${incident.dedup_key} ${incident.severity_raw} ${incident.service}" == "d investigating https://example.com k P1 checkout"`, true},
		"count, test, fallback":    {`incident.count > 2 && incident.test && incident.fallback == "ADAPTER_REJECTED"`, true},
		"the whole incident":       {`length(keys(incident)) > 10`, true},
		"conditional":              {`incident.test ? incident.count == 3 : false`, true},
		"a constant":               {`false`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := compiled(t, tt.expression)(someIncident()); err != nil || got != tt.want {
				t.Errorf("%s = %v, %v; want %v", tt.expression, got, err, tt.want)
			}
		})
	}
}

func TestConditionsHoldForAnEmptyIncident(t *testing.T) {
	for _, expression := range []string{
		`incident.labels.x == "" && incident.metadata.x == null && length(incident.affected_services) == 0`,
		`!incident.customer_impact && incident.integration.name == ""`,
		`length(incident.labels) == 0 && length(keys(incident.metadata)) == 0`,
	} {
		if got, err := compiled(t, expression)(&core.Incident{}); err != nil || !got {
			t.Errorf("%s = %v, %v; want true", expression, got, err)
		}
	}
}

func TestAConditionThatFailsSaysWhy(t *testing.T) {
	for _, expression := range []string{
		`regex("^disk", incident.title) == "x"`,
		`incident.metadata.host > 5`,
		`incident.metadata.deep.x.y == 1`,
		`incident.metadata.host`,
		`incident.metadata.none`,
	} {
		got, err := compiled(t, expression)(someIncident())
		if err == nil || got || !strings.Contains(err.Error(), "evaluate condition") {
			t.Errorf("%s = %v, %v; want an error", expression, got, err)
		}
	}
}

func TestConditionsMayBeAskedAtOnce(t *testing.T) {
	when := compiled(t, `contains([for s in incident.affected_services : upper(s)], "B") && length(incident.affected_services[*]) == 2`)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				if ok, err := when(someIncident()); !ok || err != nil {
					t.Errorf("got %v, %v; want true", ok, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkCondition(b *testing.B) {
	when := compiled(b, `incident.severity == "Critical" || (incident.severity == "High" && incident.customer_impact)`)
	in := someIncident()
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := when(in); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
