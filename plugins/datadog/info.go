package main

import (
	"encoding/json"
	"net/http"

	"bellcrank.example/sdk"
)

// settings are the integration's settings.
type settings struct {
	Identity    string   `json:"identity" default:"auto" enum:"auto,dedup_key,cycle_key,monitor_scope,aggreg_key,monitor,title" doc:"What tells problems apart; auto takes the best that a payload has."`
	NoData      string   `json:"no_data" default:"trigger" enum:"trigger,ignore,resolve" doc:"What a monitor without data does to its incident."`
	ServiceTags []string `json:"service_tags" default:"[\"service\"]" doc:"Keys of the tags that name services, the best first."`
}

// The values of the setting no_data, besides trigger.
const (
	noDataIgnored  = "ignore"
	noDataResolves = "resolve"
)

// Describe says what the adapter is.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type:    "datadog",
		Name:    "Datadog",
		Version: "1.0.0",
		Summary: "Monitors, incidents and security signals from Datadog's webhooks integration.",
		DocsURL: "https://docs.datadoghq.com/integrations/webhooks/",
		Sender:  sdk.Machine,
		// $LAST_UPDATED and $DATE are the time of the event that is being
		// told, not of the problem's beginning.
		EventTime: sdk.Observed,
		Headers:   []string{"Content-Type"},
		Settings:  sdk.SettingsOf[settings](),
		// Of the payload that Setup proposes: what another template leaves out is
		// missed by nobody.
		Reads: []string{
			"title", "description", "alert_title", "alert_transition", "alert_type", "alert_priority", "alert_id", "alert_cycle_key",
			"aggreg_key", "alert_scope", "alert_status", "event_type", "tags", "hostname", "link", "last_updated",
		},
		Samples: []sdk.Sample{
			sample("monitor triggered", sampleTriggered),
			sample("monitor recovered", sampleRecovered),
			sample("default payload", sampleDefault),
			sample("incident declared", sampleIncident),
		},
		Template: `Datadog fills in $VARIABLES in a webhook's payload, never {{...}}: "title": "$EVENT_TITLE", "alert_transition": "$ALERT_TRANSITION", and so on; the set-up text has a whole payload.`,
		Setup:    setup,
	}
}

func sample(name, body string) sdk.Sample {
	return sdk.Sample{
		Name:   name,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   json.RawMessage(body),
	}
}

const sampleTriggered = `{
  "title": "[P2] [Triggered] Checkout is slow in eu-west-1",
  "description": "The p95 latency of checkout was above 2 s during the last 5 minutes.",
  "alert_title": "Checkout is slow in eu-west-1",
  "alert_transition": "Triggered",
  "alert_type": "error",
  "alert_priority": "P2",
  "alert_id": "48215",
  "alert_cycle_key": "7341906642219907",
  "aggreg_key": "b7d1f30c9a",
  "alert_scope": "region:eu-west-1,service:checkout",
  "alert_metric": "trace.http.request.duration",
  "alert_query": "percentile(last_5m):p95:trace.http.request.duration{service:checkout} by {region} > 2",
  "alert_status": "p95 over region:eu-west-1,service:checkout was > 2 during the last 5m.",
  "event_type": "query_alert_monitor",
  "event_id": "5902217700148806",
  "link": "https://app.datadoghq.com/event/event?id=5902217700148806",
  "snapshot": "",
  "hostname": "",
  "tags": "env:prod,monitor,region:eu-west-1,service:checkout,team:payments",
  "date": "1768000000000",
  "last_updated": "1768000000000",
  "org_id": "4711",
  "org_name": "Example"
}`

const sampleRecovered = `{
  "title": "[P2] [Recovered] Checkout is slow in eu-west-1",
  "description": "The p95 latency of checkout is below 2 s again.",
  "alert_title": "Checkout is slow in eu-west-1",
  "alert_transition": "Recovered",
  "alert_type": "success",
  "alert_priority": "P2",
  "alert_id": "48215",
  "alert_cycle_key": "7341906642219907",
  "aggreg_key": "b7d1f30c9a",
  "alert_scope": "region:eu-west-1,service:checkout",
  "event_type": "query_alert_monitor",
  "event_id": "5902217700932215",
  "link": "https://app.datadoghq.com/event/event?id=5902217700932215",
  "tags": "env:prod,monitor,region:eu-west-1,service:checkout,team:payments",
  "date": "1768000420000",
  "last_updated": "1768000420000",
  "org_id": "4711",
  "org_name": "Example"
}`

const sampleDefault = `{
  "id": "5902217703310087",
  "last_updated": "1768000000000",
  "event_type": "metric_alert_monitor",
  "title": "[Triggered on {host:db-7}] Disk is nearly full",
  "date": "1768000000000",
  "org": {"id": "4711", "name": "Example"},
  "body": "%%%\nThe disk of db-7 is 95 % full. @webhook-bellcrank\n\n[[Monitor Status](https://app.datadoghq.com/monitors/90210?group=host%3Adb-7)]\n%%%"
}`

const sampleIncident = `{
  "incident_uuid": "0d9f6a4e-52b1-4b7c-9a55-1f2e3d4c5b6a",
  "incident_public_id": "318",
  "incident_title": "Orders are lost between cart and payment",
  "incident_status": "active",
  "incident_severity": "SEV-1",
  "incident_url": "https://app.datadoghq.com/incidents/318",
  "incident_msg": "About one order in twenty never reaches payment.",
  "incident_commander": "On-call lead",
  "date": "1768000000000"
}`

const setup = `1. In Datadog open **Integrations → Webhooks** and choose **New**.
2. Name it ` + "`bellcrank`" + ` and enter this URL:

       {{url}}

3. Replace the payload with the template below and leave **Encode as form** off.
4. Write ` + "`@webhook-bellcrank`" + ` into the message of each monitor that should reach you,
   outside of any condition, so that recoveries are sent too.

` + "```json" + `
{
  "title": "$EVENT_TITLE",
  "description": "$TEXT_ONLY_MSG",
  "alert_title": "$ALERT_TITLE",
  "alert_transition": "$ALERT_TRANSITION",
  "alert_type": "$ALERT_TYPE",
  "alert_priority": "$ALERT_PRIORITY",
  "alert_id": "$ALERT_ID",
  "alert_cycle_key": "$ALERT_CYCLE_KEY",
  "aggreg_key": "$AGGREG_KEY",
  "alert_scope": "$ALERT_SCOPE",
  "alert_metric": "$ALERT_METRIC",
  "alert_query": "$ALERT_QUERY",
  "alert_status": "$ALERT_STATUS",
  "event_type": "$EVENT_TYPE",
  "event_id": "$ID",
  "link": "$LINK",
  "snapshot": "$SNAPSHOT",
  "hostname": "$HOSTNAME",
  "tags": "$TAGS",
  "date": "$DATE",
  "last_updated": "$LAST_UPDATED",
  "org_id": "$ORG_ID",
  "org_name": "$ORG_NAME"
}
` + "```" + `

The default payload works as well, but has neither priority nor tags.

For **Incident Management** make a second webhook with the same URL and use it
in a notification rule:

` + "```json" + `
{
  "incident_uuid": "$INCIDENT_UUID",
  "incident_public_id": "$INCIDENT_PUBLIC_ID",
  "incident_title": "$INCIDENT_TITLE",
  "incident_status": "$INCIDENT_STATUS",
  "incident_severity": "$INCIDENT_SEVERITY",
  "incident_url": "$INCIDENT_URL",
  "incident_msg": "$INCIDENT_MSG",
  "date": "$DATE",
  "last_updated": "$LAST_UPDATED"
}
` + "```" + `

Datadog doesn't sign its webhooks: the URL is the secret. To check more than
that, restrict the integration to Datadog's published addresses.
`
