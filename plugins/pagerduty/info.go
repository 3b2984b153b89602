package main

import (
	"encoding/json"
	"net/http"

	"bellcrank.example/sdk"
)

type settings struct {
	ServiceFrom []string `json:"service_from" default:"[\"service\",\"component\"]" doc:"Where the service is named, the first that is there counts: component, group, class or source of the payload, else a member of custom_details."`
}

const (
	pathChange = "v2/change/enqueue"
	pathV1     = "generic/2010-04-15/create_event.json"
)

// Describe says what the adapter is. The answers are those of PagerDuty:
// https://developer.pagerduty.com/docs/events-api-v2-overview
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "pagerduty", Name: "PagerDuty Events API", Version: "1.0.0",
		Summary:  "Events of every tool that can send to PagerDuty, by version 2 or 1 of its Events API.",
		DocsURL:  "https://developer.pagerduty.com/docs/send-alert-event",
		Sender:   sdk.Machine,
		Accepted: answer(http.StatusAccepted, `{"status":"success","message":"Event processed","dedup_key":"{{body.dedup_key|receipt}}"}`),
		Entrances: []sdk.Entrance{
			{Path: "/v2/enqueue", Method: http.MethodPost, KeyFrom: "body:routing_key"},
			{
				Path: "/" + pathChange, Method: http.MethodPost, KeyFrom: "body:routing_key",
				Accepted: answer(http.StatusAccepted, `{"status":"success","message":"Change event processed"}`),
			},
			{
				Path: "/" + pathV1, Method: http.MethodPost, KeyFrom: "body:service_key",
				Accepted: answer(http.StatusOK, `{"status":"success","message":"Event processed","incident_key":"{{body.incident_key|receipt}}"}`),
			},
		},
		Settings: sdk.SettingsOf[settings](),
		Reads: []string{
			"event_action", "dedup_key", "client", "client_url", "links", "payload.summary", "payload.source", "payload.severity",
			"payload.timestamp", "payload.component", "payload.group", "payload.class", "payload.custom_details",
		},
		Samples: []sdk.Sample{
			sample("trigger", sampleTrigger), sample("acknowledge", sampleAcknowledge), sample("resolve", sampleResolve),
		},
		Setup: setup,
	}
}

func answer(status int, body string) *sdk.Reply {
	return &sdk.Reply{Status: status, ContentType: "application/json", Body: []byte(body)}
}

func sample(name, body string) sdk.Sample {
	return sdk.Sample{
		Name: name, Path: "v2/enqueue", Header: http.Header{"Content-Type": {"application/json"}}, Body: json.RawMessage(body),
	}
}

const (
	sampleTrigger = `{
  "event_action": "trigger",
  "dedup_key": "orders-db/replica-lag",
  "client": "Lagwatch",
  "client_url": "https://lagwatch.example/checks/17",
  "links": [{"href": "https://runbooks.example/replica-lag", "text": "Runbook"}],
  "payload": {
    "summary": "Replica lag of orders-db is above 30 seconds",
    "severity": "error",
    "source": "orders-db-2.example",
    "component": "postgresql",
    "group": "shop",
    "class": "replication",
    "timestamp": "2026-01-09T09:46:40Z",
    "custom_details": {"lag_seconds": 41, "service": "orders"}
  }
}`
	sampleAcknowledge = `{"event_action": "acknowledge", "dedup_key": "orders-db/replica-lag"}`
	sampleResolve     = `{"event_action": "resolve", "dedup_key": "orders-db/replica-lag"}`
)

const setup = `Point the tool's PagerDuty integration here instead of https://events.pagerduty.com, with one of this
integration's routing keys as its integration key. Where the tool takes the whole URL of the API it
is the gateway's address and /v2/enqueue; where it takes only the host, the address. In Alertmanager:

    pagerduty_configs:
      - routing_key_file: /etc/alertmanager/bellcrank-key
        url: https://alerts.example.com/v2/enqueue

This works as well, with any integration key in the body:

    {{url}}
`
