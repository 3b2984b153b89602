package main

import (
	"context"
	"encoding/json"
	"net/http"

	"bellcrank.example/plugins/internal/alerts"
	"bellcrank.example/sdk"
)

type adapter struct{}

// Adapt makes one event of each alert.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	return alerts.Adapt(ctx, r)
}

// Describe says what the adapter is and needs. Alertmanager puts no bound on a
// notification's size by default, and repeats one that is refused for ever: so
// the limits are high.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "alertmanager", Name: "Prometheus Alertmanager", Version: "0.1.0",
		Summary:    "One incident per alert of an Alertmanager or Grafana notification, resolves included.",
		DocsURL:    "https://prometheus.io/docs/alerting/latest/configuration/#webhook_config",
		Sender:     sdk.Machine,
		EventTime:  sdk.Arrival, // after a lost connection an alert fires again with its old startsAt
		Methods:    []string{http.MethodPost, http.MethodPut},
		Headers:    []string{"Content-Type", "User-Agent"},
		Limits:     sdk.Limits{Body: 16 << 20, Members: 2_000_000, Strings: 4_000_000, Events: 65_536},
		Settings:   sdk.SettingsOf[alerts.Settings](),
		Signatures: alerts.Signatures(),
		Reads:      alerts.Paths(),
		Samples: []sdk.Sample{{
			Name:   "a firing alert",
			Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Alertmanager/0.34.2"}},
			Body:   json.RawMessage(sample),
		}},
		Template: `Alertmanager writes <no value> for a label or annotation that an alert lacks; mend the annotation's template in the Prometheus rule.`,
		Setup: "Add a receiver to `alertmanager.yml` and route to it:\n\n" +
			"    receivers:\n" +
			"      - name: bellcrank\n" +
			"        webhook_configs:\n" +
			"          - url: '{{url}}'\n" +
			"            send_resolved: true\n" +
			"            max_alerts: 0\n\n" +
			"Better keep the URL in a file and write `url_file:` instead: it holds the routing key.\n\n" +
			"In Grafana, add a contact point of type webhook with the same URL. It may sign what it sends: choose a " +
			"secret under HMAC Signature and give it to the integration as a signing secret; if you set a timestamp " +
			"header, call it `X-Grafana-Alerting-Timestamp`. Alertmanager may send a password or token by `http_config`.\n",
	}
}

const sample = `{"version":"4","groupKey":"{}:{alertname=\"InstanceDown\"}","truncatedAlerts":0,"status":"firing",` +
	`"receiver":"bellcrank","groupLabels":{"alertname":"InstanceDown"},` +
	`"commonLabels":{"alertname":"InstanceDown","job":"node","severity":"critical","service":"db"},` +
	`"commonAnnotations":{},"externalURL":"http://alertmanager.example:9093","notification_reason":"first notification",` +
	`"alerts":[{"status":"firing","labels":{"alertname":"InstanceDown","instance":"db-1:9100","job":"node","service":"db","severity":"critical"},` +
	`"annotations":{"summary":"Instance db-1:9100 is down","description":"db-1:9100 of job node has not answered for 5 minutes.",` +
	`"runbook_url":"https://runbooks.example/instance-down"},"startsAt":"2026-03-01T12:00:00Z","endsAt":"0001-01-01T00:00:00Z",` +
	`"generatorURL":"http://prometheus.example:9090/graph?g0.expr=up+%3D%3D+0","fingerprint":""}]}`
