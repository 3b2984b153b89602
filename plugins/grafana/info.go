package main

import (
	"context"
	"encoding/json"
	"net/http"

	"bellcrank.example/plugins/internal/alerts"
	"bellcrank.example/sdk"
)

type adapter struct{}

// Adapt makes one event of each alert: Grafana sends a group in one request,
// in Alertmanager's shape with members of its own.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	return alerts.Adapt(ctx, r)
}

// Describe says what the adapter is and needs. Like Alertmanager, Grafana puts
// no bound on a notification's size and repeats one that is refused.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "grafana", Name: "Grafana", Version: "1.0.0",
		Summary:    "One incident per alert of Grafana's alerting, resolves included; the alerting of before version 9 too.",
		DocsURL:    "https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/",
		Sender:     sdk.Machine,
		EventTime:  sdk.Arrival,
		Methods:    []string{http.MethodPost, http.MethodPut},
		Headers:    []string{"Content-Type", "User-Agent"},
		Limits:     sdk.Limits{Body: 16 << 20, Members: 2_000_000, Strings: 4_000_000, Events: 65_536},
		Settings:   sdk.SettingsOf[alerts.Settings](),
		Signatures: alerts.Signatures(),
		Reads:      alerts.Paths(),
		Samples: []sdk.Sample{
			sample("a firing alert", unified("firing", "Checkout is slow", "web-1")),
			sample("the alert is resolved", unified("resolved", "Checkout is slow", "web-1")),
			sample("the test button", unified("firing", "TestAlert", "Grafana")),
			sample("alerting of before version 9", legacy),
		},
		Template: `Grafana fills in what its notification template names, in its own syntax: {{ .CommonLabels.alertname }}; leave the template out to have all that it knows.`,
		Setup: "Alerts & IRM → Contact points → Add: integration Webhook, URL `{{url}}`, method POST or PUT. It may sign what it " +
			"sends: choose a secret under HMAC Signature and give it to the integration as a signing secret. Set the timestamp " +
			"header to `X-Grafana-Alerting-Timestamp`, so that an old request can't be sent again. Or choose basic " +
			"authentication or a bearer token; the signing secret is then `user:password`, or the token.\n\n" +
			"Leave Disable resolved message off: incidents would never end. A custom payload should have a `title`, a " +
			"`status` and a `dedup_key`.\n",
	}
}

func sample(name, body string) sdk.Sample {
	return sdk.Sample{
		Name:   name,
		Header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"Grafana"}},
		Body:   json.RawMessage(body),
	}
}

func unified(status, name, instance string) string {
	ends, state := "0001-01-01T00:00:00Z", "alerting"
	if status == "resolved" {
		ends, state = "2026-03-01T12:10:00Z", "ok"
	}
	labels := `{"alertname":"` + name + `","instance":"` + instance + `","grafana_folder":"Shop"}`
	return `{"receiver":"bellcrank","status":"` + status + `","state":"` + state + `","version":"1","orgId":1,` +
		`"groupKey":"{}:{alertname=\"` + name + `\"}","truncatedAlerts":0,"externalURL":"https://grafana.example/",` +
		`"groupLabels":{"alertname":"` + name + `"},"commonLabels":` + labels + `,"commonAnnotations":{},` +
		`"title":"[` + status + `] ` + name + `","message":"",` +
		`"alerts":[{"status":"` + status + `","labels":` + labels + `,` +
		`"annotations":{"summary":"` + name + ` on ` + instance + `","runbook_url":"https://runbooks.example/checkout"},` +
		`"startsAt":"2026-03-01T12:00:00Z","endsAt":"` + ends + `","values":{"B":44.2,"C":1},"valueString":"[ var='B' value=44.2 ]",` +
		`"generatorURL":"https://grafana.example/alerting/grafana/abc/view","dashboardURL":"https://grafana.example/d/shop",` +
		`"panelURL":"https://grafana.example/d/shop?viewPanel=2","silenceURL":"https://grafana.example/alerting/silence/new"}]}`
}

const legacy = `{"orgId":1,"ruleId":17,"ruleName":"Queue is long","ruleUrl":"https://grafana.example/d/queue?tab=alert",` +
	`"state":"alerting","title":"[Alerting] Queue is long","message":"More than 500 orders wait.",` +
	`"evalMatches":[{"metric":"orders","value":512,"tags":null}],"tags":{"severity":"high"}}`
