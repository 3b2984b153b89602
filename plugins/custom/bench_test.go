package main

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"bellcrank.example/sdk"
)

// BenchmarkAdapt compares the plain shape with the same events by a mapping.
func BenchmarkAdapt(b *testing.B) {
	plainBody := `{"title":"Disk is full on db-1","description":"95 % of /var","severity":"P2","service":"db","status":"firing",` +
		`"dedup_key":"db-1/disk","source_url":"https://c.example.com/1","region":"eu-1","run":7}`
	foreign := `{"alert":{"name":"Disk is full","host":"db-1","text":"95 % of /var","level":"P2","state":"firing"},"app":{"name":"db"},` +
		`"url":"https://c.example.com/1","tags":[{"key":"region","value":"eu-1"},{"key":"team","value":"core"}],"run":7}`
	settings := settingsOf(b, map[string]string{
		"status": `body.alert.state`, "title": `"${body.alert.name} on ${body.alert.host}"`, "description": `body.alert.text`,
		"severity": `body.alert.level`, "service": `body.app.name`, "dedup_key": `"${body.alert.host}/${body.alert.name}"`,
		"source_url": `body.url`, "labels": `{ for t in body.tags : t.key => t.value }`,
	})
	payload, err := os.ReadFile("../../examples/mapping/gcp/problem.json")
	if err != nil {
		b.Fatal(err)
	}
	for _, bench := range []struct {
		name, body string
		settings   json.RawMessage
	}{
		{"plain", plainBody, nil},
		{"mapped", foreign, settings},
		{"mapped, 1.5 KB body", string(payload), settingsOf(b, map[string]string{
			"resolve_when": `body.incident.state == "closed"`, "title": `"${body.incident.policy_name}: ${body.incident.condition_name}"`,
			"description": `coalesce(body.incident.documentation.content, body.incident.summary)`, "severity": `body.incident.severity`,
			"dedup_key": `body.incident.incident_id`, "service": `body.incident.resource_name`, "occurred_at": `body.incident.started_at`,
		})},
	} {
		b.Run(bench.name, func(b *testing.B) {
			a := newAdapter()
			r := sdk.Request{Method: "POST", Body: []byte(bench.body), Settings: bench.settings}
			b.ReportAllocs()
			for b.Loop() {
				if result, err := a.Adapt(b.Context(), r); err != nil || len(result.Events) != 1 {
					b.Fatal(result, err)
				}
			}
		})
	}
}

func settingsOf(tb testing.TB, fields map[string]string) json.RawMessage {
	tb.Helper()
	m := map[string]any{"name": "m"}
	for name, source := range fields {
		m[name] = sdk.Expression{Source: source, File: "gateway.hcl", Line: 1, Column: 1}
	}
	encoded, err := json.Marshal(map[string]any{"mapping": []any{m}})
	if err != nil {
		tb.Fatal(fmt.Errorf("encode settings: %w", err))
	}
	return encoded
}
