package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination"
	"bellcrank.example/sdk"
)

// loadTemplate loads a configuration whose one destination has a setting that
// is a template.
func loadTemplate(t testing.TB, name, text string) (core.Template, *Diagnostics) {
	t.Helper()
	src := source(t.TempDir() + "/" + name)
	writeFile(t, src.Paths[0], text)
	var made core.Template
	src.DestinationTypes = []destination.Type{{
		Name:     "chat",
		Settings: []sdk.Setting{{Name: "title", Type: sdk.TypeTemplate}, {Name: "room", Type: sdk.TypeString}},
		New: func(c destination.Config) (core.Sender, error) {
			made = c.Templates["title"]
			if strings.Contains(string(c.Settings), "title") {
				t.Errorf("the settings %s have the template", c.Settings)
			}
			return nil, nil
		},
	}}
	_, d := Load(src)
	return made, d
}

func loadHCL(t testing.TB, expression string) (core.Template, *Diagnostics) {
	t.Helper()
	return loadTemplate(t, "x.hcl", fmt.Sprintf(
		"locals {\n  who = \"core\"\n}\ndestination \"chat\" \"a\" {\n  settings {\n    room = \"x\"\n    title = %s\n  }\n}\nroute \"rest\" {\n  to = [destination.chat.a]\n}\n", expression))
}

func someMessage() core.Message {
	in := someIncident()
	in.Number, in.Version, in.OpenedAt = 42, 2, time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	return core.Message{
		ID: "msg_1", Kind: core.Escalated, At: time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC), Incident: in,
		IncidentURL: "https://bellcrank.example/incidents/INC-042",
	}
}

func TestTemplatesReadTheIncidentAndTheChange(t *testing.T) {
	tests := map[string]struct{ expression, want string }{
		"fields":         {`"[${incident.severity}] ${incident.title}"`, "[Critical] CPU is high"},
		"what is stored": {`"${incident.id} ${incident.url}"`, "INC-042 https://bellcrank.example/incidents/INC-042"},
		"times":          {`"${formatdate("HH:mm", incident.opened_at)} ${incident.resolved_at == "" ? "open" : "over"}"`, "08:00 open"},
		"change":         {`"${change.kind} v${change.version} ${change.at}"`, "escalated v2 2026-11-24T08:30:00Z"},
		"local":          {`"${local.who}: ${incident.labels.team}"`, "core: core"},
		"missing label":  {`"<${incident.labels.nobody}>"`, "<>"},
		"condition":      {`"%{ if incident.test }test %{ endif }${upper(incident.status)}"`, "test INVESTIGATING"},
		"loop":           {`"%{ for s in incident.affected_services }(${s})%{ endfor }"`, "(a)(b)"},
		"a number":       {`incident.count`, "3"},
		"JSON":           {`jsonencode({ text = incident.title })`, `{"text":"CPU is high"}`},
		"metadata":       {`"${incident.metadata.host} ${try(incident.metadata.gone.deep, "-")}"`, "web-1 -"},
		"constant":       {`"fixed"`, "fixed"},
		"heredoc":        {"<<-EOT\n  a ${incident.service}\n  EOT", "a checkout\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template, d := loadHCL(t, tt.expression)
			if d.HasErrors() {
				t.Fatalf("%s:\n%s", tt.expression, lines(d))
			}
			if got, err := template(someMessage()); err != nil || got != tt.want {
				t.Errorf("%s = %q, %v; want %q", tt.expression, got, err, tt.want)
			}
		})
	}
}

func TestMistakesInTemplatesAreFoundAtLoad(t *testing.T) {
	tests := map[string]struct{ expression, want string }{
		"field":          {`"${incident.sevrity}"`, "no sevrity in incident; did you mean severity"},
		"change":         {`"${change.sort}"`, "no sort in change"},
		"another thing":  {`"${alert.title}"`, "Unknown variable"},
		"local":          {`"${local.whom}"`, "no local whom; did you mean who"},
		"word":           {`"%{ if incident.severity == "critical" }x%{ endif }"`, "Unknown severity"},
		"function":       {`shout(incident.title)`, "shout"},
		"env":            {`env("HOME")`, "env"},
		"no text":        {`["${incident.title}"]`, "A template makes a text"},
		"syntax of call": {`upper(incident.title, "x")`, "Too many function arguments"},
		"loop in a loop": {`join("", [for a in incident.affected_services : join("", [for b in incident.affected_services : b])])`, "Loop in a loop"},
		"foreign format": {`format(incident.title, 1)`, "must be written out"},
		"too long":       {`"` + strings.Repeat("x", maxTemplate) + `"`, "Template too long"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, d := loadHCL(t, tt.expression); !d.HasErrors() || !strings.Contains(lines(d), tt.want) {
				t.Errorf("problems\n%s\nwant one with %q", lines(d), tt.want)
			}
		})
	}
}

func TestTemplatesInJSONAreHeldToTheSame(t *testing.T) {
	const file = `{"destination": {"chat": {"a": {"settings": {"title": %q}}}}, "route": {"rest": {"to": ["chat/a"]}}}`
	template, d := loadTemplate(t, "x.hcl.json", fmt.Sprintf(file, "[${incident.severity}]"))
	if d.HasErrors() {
		t.Fatal(lines(d))
	}
	if got, err := template(someMessage()); err != nil || got != "[Critical]" {
		t.Errorf("rendered %q, %v; want [Critical]", got, err)
	}
	for _, text := range []string{"${incident.titel}", "${format(incident.title)}", "${"} {
		if _, d := loadTemplate(t, "x.hcl.json", fmt.Sprintf(file, text)); !d.HasErrors() {
			t.Errorf("%s was taken", text)
		}
	}
}

// hostile is an incident as large as a sender can make it, and larger.
func hostile() core.Message {
	m := someMessage()
	m.Incident.Title, m.Incident.Description = strings.Repeat("a", 1<<20), strings.Repeat("ä", 1<<20)
	m.Incident.Labels = map[string]string{}
	deep := map[string]any{}
	for i := range 5000 {
		m.Incident.Labels[fmt.Sprint(i)] = strings.Repeat("l", 1<<10)
		deep[fmt.Sprint(i)] = []any{map[string]any{"x": strings.Repeat("y", 1<<10)}, json.Number("1")}
	}
	m.Incident.Metadata = maps.Clone(deep)
	m.Incident.Metadata["deep"] = deep
	return m
}

func TestTemplatesAreBoundedWhateverASenderSends(t *testing.T) {
	tests := map[string]struct {
		expression string
		fails      bool
	}{
		"large texts":        {expression: `"${incident.title}${incident.description}${incident.description}${incident.description}${incident.description}${incident.description}"`},
		"every label":        {expression: `"%{ for k, v in incident.labels }${k}${v}${incident.description}%{ endfor }"`},
		"every member":       {expression: `jsonencode(incident.metadata)`},
		"everything":         {expression: `jsonencode(incident)`},
		"replaced by itself": {expression: `replace(incident.title, "a", incident.description)`, fails: true},
		"pattern of theirs":  {expression: `regex(incident.title, incident.description)`, fails: true},
		"parsed":             {expression: `jsondecode(incident.description)`, fails: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template, d := loadHCL(t, tt.expression)
			if d.HasErrors() {
				t.Fatal(lines(d))
			}
			text, err := template(hostile())
			if (err != nil) != tt.fails || len(text) > maxRendered {
				t.Errorf("%d bytes, %v; want at most %d, an error %v", len(text), err, maxRendered, tt.fails)
			}
			if strings.ToValidUTF8(text, "") != text {
				t.Error("the text isn't cut between characters")
			}
		})
	}
}
