package main

import (
	"encoding/json"
	"testing"

	"go.uber.org/goleak"

	"bellcrank.example/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// examples are settings that an operator could write, by type.
var examples = map[string]string{
	"incidentio": `{"url":"https://api.incident.io/v2/alert_events/alertmanager/01ABC","token":"s3cr3t"}`,
	"jira":       `{"url":"https://acme.atlassian.net","username":"bot@acme.example","token":"s3cr3t","project":"OPS","issue_type":"Incident","resolve_transition":"Done"}`,
	"pushover":   `{"token":"s3cr3t","user_key":"u1"}`,
	"rocketchat": `{"url":"https://chat.example","user_id":"u1","token":"s3cr3t","channel":"#ops"}`,
	"victorops":  `{"api_key":"s3cr3t","routing_key":"database"}`,
	"webex":      `{"token":"s3cr3t","room_id":"r1"}`,
	"wechat":     `{"corp_id":"c1","api_secret":"s3cr3t","agent_id":"7","to_user":"@all"}`,
}

func TestEveryTypeKeepsTheContract(t *testing.T) {
	for _, d := range types() {
		t.Run(d.info.Type, func(t *testing.T) {
			t.Parallel()
			sdktest.RunDestination(t, d, json.RawMessage(examples[d.info.Type]))
		})
	}
}
