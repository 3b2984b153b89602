package main

import (
	"encoding/json"
	"net/http"
	"slices"

	"bellcrank.example/sdk"
)

// settings are the integration's settings.
type settings struct {
	Archived            string   `json:"archived" default:"resolve" enum:"resolve,acknowledge,ignore" doc:"What an archived (formerly ignored) issue does to its incident."`
	Assigned            string   `json:"assigned" default:"acknowledge" enum:"acknowledge,ignore" doc:"What assigning an issue does to its incident."`
	ErrorEvents         string   `json:"error_events" default:"ignore" enum:"ignore,trigger" doc:"Whether each single error (resource \"error\") counts; with many errors that is many requests."`
	ServiceTags         []string `json:"service_tags" doc:"Tags of an event that name the service, the best first; without them the project is the service."`
	CustomerImpactUsers int      `json:"customer_impact_users" doc:"From how many affected users on an issue has customer impact; 0 leaves that open."`
}

// Values of settings.
const (
	settingIgnore      = "ignore"
	errorEventsTrigger = "trigger"
)

// Describe says what the adapter is.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type:    "sentry",
		Name:    "Sentry",
		Version: "1.0.0",
		Summary: "Issue alerts, metric alerts and the life of issues from Sentry's internal integrations.",
		DocsURL: "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/",
		Sender:  sdk.Machine,
		// Sentry-Hook-Timestamp is the time of saying.
		EventTime: sdk.Observed,
		Headers:   []string{headerResource, headerTimestamp},
		// These two carry an event with an id of its own. The bodies of issue
		// and metric_alert repeat byte for byte when a problem comes back, so
		// they must never be taken for repeats.
		DeliveryID: &sdk.DeliveryID{BodyHashWhen: &sdk.HeaderIs{
			Name: headerResource, Values: []string{resourceEventAlert, resourceError},
		}},
		// The timestamp isn't signed, so it proves nothing and isn't checked.
		Signatures: []sdk.SignatureScheme{{
			Name: "hmac", Kind: sdk.SchemeHMAC, Algorithm: "sha256",
			Header: "Sentry-Hook-Signature", Encoding: "hex",
		}},
		Settings: sdk.SettingsOf[settings](),
		Reads: slices.Concat(
			sdk.PathsOf[issue]("data.issue"), sdk.PathsOf[errorEvent]("data.event", "data.error"),
			sdk.PathsOf[metricAlert]("data.metric_alert"), sdk.PathsOf[rule]("data.issue_alert"), sdk.PathsOf[legacyBody](),
			[]string{"action", "data.triggered_rule", "data.description_title", "data.description_text", "data.web_url"},
		),
		Samples: []sdk.Sample{
			sample("issue alert", resourceEventAlert, sampleEventAlert),
			sample("issue resolved", resourceIssue, sampleIssueResolved),
			sample("metric alert critical", resourceMetricAlert, sampleMetricCritical),
		},
		Template: `Sentry has no payload templates; let its internal integration send its own JSON here.`,
		Setup:    setup,
	}
}

func sample(name, resource, body string) sdk.Sample {
	return sdk.Sample{
		Name: name,
		Header: http.Header{
			"Content-Type": {"application/json"},
			headerResource: {resource},
		},
		Body: json.RawMessage(body),
	}
}

const sampleEventAlert = `{
  "action": "triggered",
  "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
  "installation": {"uuid": "5c1f0a52-8e5e-4b8c-9d43-2b6f6f7a9e10"},
  "data": {
    "triggered_rule": "Page on new errors in production",
    "issue_alert": {"id": "7021", "title": "Page on new errors in production"},
    "event": {
      "event_id": "9b2f4c1d7a8e4f60b1c2d3e4f5a6b7c8",
      "issue_id": "4400912233",
      "issue_url": "https://sentry.io/api/0/organizations/example/issues/4400912233/",
      "url": "https://sentry.io/api/0/projects/example/checkout/events/9b2f4c1d7a8e4f60b1c2d3e4f5a6b7c8/",
      "web_url": "https://sentry.io/organizations/example/issues/4400912233/events/9b2f4c1d7a8e4f60b1c2d3e4f5a6b7c8/",
      "title": "PaymentDeclined: card processor did not answer",
      "message": "",
      "culprit": "checkout.payment in charge",
      "level": "error",
      "platform": "python",
      "project": 3120,
      "environment": "production",
      "release": "checkout@4.18.2",
      "datetime": "2026-01-09T09:46:40.000000Z",
      "received": 1768000000.25,
      "timestamp": 1768000000.0,
      "metadata": {"type": "PaymentDeclined", "value": "card processor did not answer"},
      "tags": [["environment", "production"], ["level", "error"]]
    }
  }
}`

const sampleIssueResolved = `{
  "action": "resolved",
  "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
  "installation": {"uuid": "5c1f0a52-8e5e-4b8c-9d43-2b6f6f7a9e10"},
  "data": {
    "resolution_type": "now",
    "issue": {
      "id": "4400912233",
      "shortId": "CHECKOUT-3F",
      "title": "PaymentDeclined: card processor did not answer",
      "culprit": "checkout.payment in charge",
      "level": "error",
      "status": "resolved",
      "platform": "python",
      "project": {"id": "3120", "name": "checkout", "slug": "checkout"},
      "web_url": "https://sentry.io/organizations/example/issues/4400912233/",
      "count": "214",
      "userCount": 61,
      "firstSeen": "2026-01-09T09:46:40.000000Z",
      "lastSeen": "2026-01-09T09:53:22.000000Z"
    }
  }
}`

const sampleMetricCritical = `{
  "action": "critical",
  "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
  "installation": {"uuid": "5c1f0a52-8e5e-4b8c-9d43-2b6f6f7a9e10"},
  "data": {
    "description_title": "Critical: Failed logins",
    "description_text": "812 events in the last 5 minutes",
    "web_url": "https://sentry.io/organizations/example/alerts/rules/details/311/",
    "metric_alert": {
      "id": "5518",
      "identifier": "42",
      "title": "Failed logins",
      "status": 20,
      "projects": ["accounts"],
      "date_started": "2026-01-09T09:43:20Z",
      "date_closed": null,
      "alert_rule": {
        "id": "311",
        "name": "Failed logins",
        "aggregate": "count()",
        "query": "transaction:login",
        "time_window": 5,
        "environment": "production",
        "projects": ["accounts"]
      }
    }
  }
}`

const setup = "1. In Sentry open **Settings → Developer Settings** and create an **internal integration**.\n" +
	`2. Enter this webhook URL and switch **Alert Rule Action** on:

       {{url}}

3. Give it **Issue & Event: Read**, and under **Webhooks** subscribe to **issue**: an issue alert
   never tells that its issue is over, the issue's own webhook does.
4. Save, copy the **client secret** and add it to this integration's signing secrets.
5. Add "Send a notification via" this integration to each alert rule, of issues and of metrics,
   that should reach you.

Sentry waits for one second and doesn't send an internal integration's webhook again. It also
doesn't report every end of an issue, so give these incidents a time after which they resolve.

The older WebHooks plugin of a project works with the same URL. It doesn't sign, so it needs an
integration of its own with verify = "none".
`
