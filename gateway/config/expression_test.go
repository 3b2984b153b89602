package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/expr"
)

// around puts the inside of an integration into a configuration that is right
// otherwise.
func around(inside string) string {
	return "locals {\n  levels = { \"1\" = \"Critical\" }\n}\nintegration \"custom\" \"x\" {\n  routing_key \"a\" {\n    value = env(\"KEY_A\")\n  }\n" +
		inside + "\n}\ndestination \"log\" \"a\" {}\nroute \"all\" {\n  to = [destination.log.a]\n}\n"
}

func integrationOf(t *testing.T, inside string) *core.Integration {
	t.Helper()
	c, d := load(t, around(inside))
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	return c.Integrations[0]
}

// TestExpressionsTravelAsTheyStand has what an adapter gets compile to what the
// operator wrote.
func TestExpressionsTravelAsTheyStand(t *testing.T) {
	in := integrationOf(t, `  settings {
    note = <<-EOT
      ${body.a}
      over lines
    EOT
    mapping "one" {
      when      = headers["X-Event"] == "a" && headers.x-kind != null
      title     = "${body.title} <&>"
      severity  = local.levels[body.p]
      kind      = "a"
      labels    = {
        team = body.team # theirs
      }
    }
    mapping "two" {
      title = (
        body.x
      )
    }
  }`)
	var got struct {
		Note    sdk.Expression
		Mapping []struct {
			Name, Kind              string
			Title, Severity, Labels *sdk.Expression
		}
	}
	if err := json.Unmarshal(in.Settings, &got); err != nil || len(got.Mapping) != 2 {
		t.Fatalf("settings %s, %v", in.Settings, err)
	}
	one, two := got.Mapping[0], got.Mapping[1]
	if one.Name != "one" || one.Kind != "a" || two.Name != "two" || one.Title.Line != 15 || one.Title.Column != 19 {
		t.Errorf("settings %s", in.Settings)
	}
	variables := map[string]any{"body": map[string]any{"a": "A", "title": "T", "p": "1", "team": "core", "x": "X"}}
	for _, e := range []struct {
		written sdk.Expression
		want    string
	}{
		{got.Note, "A\nover lines\n"}, {*one.Title, "T <&>"}, {*one.Severity, "Critical"}, {*two.Title, "X"},
	} {
		p, err := expr.Compile(e.written, expr.Rules{Variables: map[string][]string{"body": nil}})
		if err != nil {
			t.Errorf("%s: %v", e.written.Source, err)
			continue
		}
		if text, err := p.Text(expr.NewBudget(nil), variables); err != nil || text != e.want {
			t.Errorf("%s = %q, %v; want %q", e.written.Source, text, err, e.want)
		}
	}
	if want := []string{"Content-Type", "X-Event", "x-kind"}; !slices.Equal(in.Info.Headers, want) {
		t.Errorf("headers %q, want %q", in.Info.Headers, want)
	}
	if in.Info.Sender != sdk.Machine {
		t.Errorf("sender %q, want a machine", in.Info.Sender)
	}
	if plain := integrationOf(t, ""); plain.Info.Sender != sdk.Human || string(plain.Settings) != "{}" {
		t.Errorf("without a mapping: sender %q, settings %s", plain.Info.Sender, plain.Settings)
	}
}

func TestExpressionsInJSONFilesAreTemplates(t *testing.T) {
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "a.hcl"), around(""))
	if err := os.WriteFile(filepath.Join(folder, "b.hcl.json"), []byte(`{
  "integration": {"custom": {"j": {
    "routing_key": {"b": {"value": "${env(\"KEY_B\")}"}},
    "settings": {"mapping": {"m": {"title": "${upper(body.title)} (${local.levels[\"1\"]})"}}}
  }}}
}`), 0o600); err != nil {
		t.Fatal(err)
	}
	c, d := Load(source(folder))
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	var got struct {
		Mapping []struct{ Title sdk.Expression }
	}
	if err := json.Unmarshal(c.Integrations[1].Settings, &got); err != nil || len(got.Mapping) != 1 {
		t.Fatalf("settings %s, %v", c.Integrations[1].Settings, err)
	}
	p, err := expr.Compile(got.Mapping[0].Title, expr.Rules{Variables: map[string][]string{"body": nil}})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := p.Text(expr.NewBudget(nil), map[string]any{"body": map[string]any{"title": "t"}}); text != "T (Critical)" {
		t.Errorf("title %q, %v", text, err)
	}
}

// TestSeverityExpression holds the order of who decides: the operator's map,
// the operator's expression, the adapter, the default.
func TestSeverityExpression(t *testing.T) {
	in := integrationOf(t, `  severity {
    map        = { P1 = "Low" }
    expression = event.labels.tier == "1" ? "sev1" : event.labels.tier == "bad" ? event.labels.word : event.title > 3 ? "Low" : null
    default    = "High"
  }`)
	word := integrationOf(t, "  severity {\n    expression = event.labels.tier\n    default = \"High\"\n  }")
	for name, tt := range map[string]struct {
		in   *core.Integration
		e    sdk.Event
		want sdk.Severity
		rule string
	}{
		"the map":              {in, sdk.Event{SeverityRaw: "p1", Severity: sdk.Medium, Labels: map[string]string{"tier": "1"}}, sdk.Low, "map: p1"},
		"the expression":       {in, sdk.Event{SeverityRaw: "P2", Severity: sdk.Medium, Labels: map[string]string{"tier": "1"}}, sdk.Critical, "expression (bellcrank.hcl:10)"},
		"the adapter":          {word, sdk.Event{Severity: sdk.Medium}, sdk.Medium, "adapter"},
		"the default":          {word, sdk.Event{}, sdk.High, "integration default"},
		"an unknown word":      {word, sdk.Event{Severity: sdk.Medium, Labels: map[string]string{"tier": "gold"}}, sdk.Medium, `adapter; the severity expression (bellcrank.hcl:9) gives "gold", which is no severity`},
		"a failing expression": {in, sdk.Event{Severity: sdk.Medium, Title: "t"}, sdk.Medium, "adapter; the severity expression (bellcrank.hcl:10) failed: bellcrank.hcl:10: this is text, where a number is wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.e.Action = sdk.Trigger
			got := core.PrepareEvents(tt.in, 1, false, []sdk.Event{tt.e})[0]
			if got.Severity != tt.want || got.SeverityRule != tt.rule {
				t.Errorf("severity %s by %q, want %s by %q", got.Severity, got.SeverityRule, tt.want, tt.rule)
			}
		})
	}
}

// TestIdentityByEveryField tells two events apart by each field that there is,
// and finds them alike where only other fields differ.
func TestIdentityByEveryField(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	yes := true
	changes := map[string]func(*sdk.Event){
		"title":              func(e *sdk.Event) { e.Title = "x" },
		"description":        func(e *sdk.Event) { e.Description = "x" },
		"severity":           func(e *sdk.Event) { e.Severity = sdk.Low },
		"severity_raw":       func(e *sdk.Event) { e.SeverityRaw = "x" },
		"service":            func(e *sdk.Event) { e.Service = "x" },
		"affected_services":  func(e *sdk.Event) { e.AffectedServices = []string{"x"} },
		"customer_impact":    func(e *sdk.Event) { e.CustomerImpact = &yes },
		"source_url":         func(e *sdk.Event) { e.SourceURL = "https://x.example.com" },
		"occurred_at":        func(e *sdk.Event) { e.OccurredAt = at.Add(time.Hour) },
		"ended_at":           func(e *sdk.Event) { e.EndedAt = at },
		"series_key":         func(e *sdk.Event) { e.SeriesKey = "x" },
		"labels":             func(e *sdk.Event) { e.Labels = map[string]string{"a.b/c": "x"} },
		"labels.a.b/c":       func(e *sdk.Event) { e.Labels = map[string]string{"a.b/c": "x"} },
		"metadata":           func(e *sdk.Event) { e.Metadata = map[string]any{"x": true} },
		"metadata.deep.id":   func(e *sdk.Event) { e.Metadata = map[string]any{"deep": map[string]any{"id": json.Number("7")}} },
		"metadata.flat.name": func(e *sdk.Event) { e.Metadata = map[string]any{"flat.name": "x"} },
		"links":              func(e *sdk.Event) { e.Links = []sdk.Link{{Name: "x", URL: "https://x.example.com"}} },
		"dedup_key":          func(e *sdk.Event) { e.DedupKey = "x" },
		"action":             func(e *sdk.Event) { e.Action = sdk.Acknowledge },
		"test":               func(e *sdk.Event) { e.Test = true },
	}
	for _, name := range core.EventFields() {
		if changes[name] == nil {
			t.Errorf("field %s has no case", name)
		}
	}
	base := sdk.Event{
		Action: sdk.Trigger, Title: "t", Description: "d", Severity: sdk.High, SeverityRaw: "P2", Service: "s", DedupKey: "k", OccurredAt: at,
	}
	for field, change := range changes {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			in := integrationOf(t, "  identity {\n    fields = [\"service\", \""+field+"\"]\n  }")
			other, unlike := base, base
			unlike.IdentityRule = "cycle key"
			change(&other)
			got := core.PrepareEvents(in, 1, false, []sdk.Event{base, other, unlike})
			if got[0].Key == got[1].Key || got[0].Key != got[2].Key {
				t.Errorf("keys %q, %q, %q; want the second one to differ", got[0].DedupKey, got[1].DedupKey, got[2].DedupKey)
			}
			if want := "fields service, " + field; got[2].IdentityRule != want {
				t.Errorf("rule %q, want %q", got[2].IdentityRule, want)
			}
		})
	}
}

func TestAnEmptyIdentityCollapsesNothing(t *testing.T) {
	for name, inside := range map[string]string{
		"fields":           "  identity {\n    fields = [\"labels.x\", \"metadata.y.z\"]\n  }",
		"null":             "  identity {\n    expression = event.labels.x\n  }",
		"empty text":       "  identity {\n    expression = event.labels.empty\n  }",
		"part of a text":   "  identity {\n    expression = \"${event.service}/${event.labels.x}\"\n  }",
		"an error":         "  identity {\n    expression = event.title + 1\n  }",
		"nothing at all":   "",
		"a list of fields": "  identity {\n    fields = [\"affected_services\", \"links\", \"labels.x\"]\n  }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := integrationOf(t, inside)
			e := sdk.Event{Action: sdk.Trigger, Title: "t", Service: "s", Labels: map[string]string{"empty": " "}}
			with, without := e, e
			with.DedupKey, with.IdentityRule = "k", "monitor"
			without.Title = "u"
			got := core.PrepareEvents(in, 1, false, []sdk.Event{e, with, without})
			if got[0].Key == got[2].Key || got[1].DedupKey != "k" {
				t.Errorf("keys %q, %q, %q; want each its own, and the adapter's", got[0].DedupKey, got[1].DedupKey, got[2].DedupKey)
			}
		})
	}
}

func TestAnIdentityIsFoundAgainByTheResolve(t *testing.T) {
	in := integrationOf(t, "  identity {\n    expression = \"${event.service}/${event.labels.alertname}\"\n  }")
	labels := map[string]string{"alertname": "Disk"}
	got := core.PrepareEvents(in, 1, false, []sdk.Event{
		{Action: sdk.Trigger, Title: "t", Service: "db", Labels: labels, DedupKey: "1", SeriesKey: "series", Severity: sdk.High},
		{Action: sdk.Resolve, Service: "db", Labels: labels, DedupKey: "2"},
	})
	if got[0].Key != got[1].Key || got[0].DedupKey != "db/Disk" || got[0].Series != [16]byte{} {
		t.Errorf("keys %q and %q, want db/Disk for both", got[0].DedupKey, got[1].DedupKey)
	}
	if want := "expression (bellcrank.hcl:9)"; got[0].IdentityRule != want {
		t.Errorf("rule %q, want %q", got[0].IdentityRule, want)
	}
}
