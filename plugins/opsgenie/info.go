package main

import (
	"encoding/json"
	"net/http"

	"bellcrank.example/sdk"
)

type settings struct {
	ServiceFrom []string `json:"service_from" default:"[\"service\"]" doc:"Where the service is named, the first that is there counts: entity or source of the alert, else a member of its details or the beginning of a tag such as service:checkout."`
}

// Describe says what the adapter is. The answers are those of Opsgenie:
// https://docs.opsgenie.com/docs/alert-api
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "opsgenie", Name: "Opsgenie Alert API", Version: "1.0.0",
		Summary: "Alerts of every tool that can send to Opsgenie, or to Jira Service Management's alerts.",
		DocsURL: "https://docs.opsgenie.com/docs/alert-api",
		Sender:  sdk.Machine,
		Methods: []string{http.MethodPost, http.MethodPut, http.MethodDelete},
		Accepted: &sdk.Reply{
			Status: http.StatusAccepted, ContentType: "application/json",
			Body: []byte(`{"result":"Request will be processed","took":{{took}},"requestId":"{{receipt}}"}`),
		},
		Entrances: append(entrances("/v2/alerts"), entrances("/jsm/ops/integration/v2/alerts")...),
		Settings:  sdk.SettingsOf[settings](),
		Reads:     []string{"message", "alias", "description", "tags", "details", "entity", "source", "priority", "user", "note"},
		Samples:   []sdk.Sample{sample("create", "", sampleCreate), sample("close", "/orders-db%2Flag/close", `{"source": "lagwatch"}`)},
		Setup:     setup,
	}
}

// entrances are the paths below that of alerts. A client that asks what became
// of a request is told that it was processed: it was stored before it was
// answered.
func entrances(alerts string) []sdk.Entrance {
	const key = "header:Authorization"
	return []sdk.Entrance{
		{Path: alerts, Method: http.MethodPost, KeyFrom: key},
		{Path: alerts + "/{identifier}/{action}", Method: http.MethodPost, KeyFrom: key},
		{Path: alerts + "/{identifier}/{member}", Method: http.MethodPut, KeyFrom: key},
		{Path: alerts + "/{identifier}", Method: http.MethodDelete, KeyFrom: key},
		{Path: alerts + "/requests/{id}", Method: http.MethodGet, Reply: &sdk.Reply{
			ContentType: "application/json",
			Body:        []byte(`{"data":{"success":true,"isSuccess":true,"status":"Request was processed","alertId":"{{path.id}}"},"took":0.001,"requestId":"{{path.id}}"}`),
		}},
	}
}

func sample(name, below, body string) sdk.Sample {
	return sdk.Sample{
		Name: name, Path: "v2/alerts" + below, Header: http.Header{"Content-Type": {"application/json"}}, Body: json.RawMessage(body),
	}
}

const sampleCreate = `{
  "message": "Replica lag of orders-db is above 30 seconds",
  "alias": "orders-db/lag",
  "description": "The second replica is 41 seconds behind.",
  "priority": "P2",
  "entity": "orders-db-2",
  "source": "https://lagwatch.example/checks/17",
  "tags": ["service:orders", "replication"],
  "details": {"team": "storage", "runbook": "https://runbooks.example/lag"},
  "user": "lagwatch"
}`

const setup = `Point the tool's Opsgenie integration here instead of https://api.opsgenie.com, with one of this
integration's routing keys as its API key. In Alertmanager:

    opsgenie_configs:
      - api_key_file: /etc/alertmanager/bellcrank-key
        api_url: https://alerts.example.com/

The tool must close its alerts by their alias, as most do. Where the key can't be sent in a header,
this is the address of an API of its own:

    {{url}}
`
