package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	notifier "github.com/prometheus/alertmanager/notify/victorops"
	commoncfg "github.com/prometheus/common/config"

	"bellcrank.example/sdk"
)

// victoropsSettings are what an operator writes for Splunk On-Call, which was
// VictorOps.
type victoropsSettings struct {
	APIKey       string            `json:"api_key" required:"true" secret:"true" doc:"The key of the REST integration: what stands before the routing key in its URL."`
	RoutingKey   string            `json:"routing_key" required:"true" doc:"Which team's escalation policies are to hear of it."`
	MessageTypes map[string]string `json:"message_types" doc:"CRITICAL, WARNING or INFO for each of our severities; by default CRITICAL for Critical and High, WARNING for Medium, INFO for the others. INFO pages nobody."`
	Fields       map[string]string `json:"fields" doc:"Further fields of every alert."`
	URL          string            `json:"url" default:"https://alert.victorops.com/integrations/generic/20131114/alert" doc:"The URL of the REST integration without both keys."`
	texts
}

func victorops() destination {
	return of[victoropsSettings](sdk.Info{
		Type: "victorops", Name: "Splunk On-Call", Summary: "Triggers, acknowledges and resolves incidents in Splunk On-Call (VictorOps).",
		DocsURL: "https://help.splunk.com/en/splunk-observability-cloud/splunk-on-call/alerts/incident-fields-glossary",
	})
}

// reserved are the fields by which Splunk On-Call goes, and which are ours.
var reserved = []string{"message_type", "entity_id", "entity_display_name", "state_message", "monitoring_tool", "routing_key", "entity_state", "ack_author", "ack_msg"}

func (s victoropsSettings) check() error {
	for _, name := range slices.Sorted(maps.Keys(s.Fields)) {
		if slices.Contains(reserved, name) || strings.TrimSpace(name) == "" {
			return fmt.Errorf("fields: %q can't be set", name)
		}
	}
	if strings.Contains(s.RoutingKey, "/") {
		return errors.New("routing_key must not have a slash in it")
	}
	return cmp.Or(
		filled("api_key", s.APIKey, "routing_key", s.RoutingKey), checkURL(s.URL),
		words(s.MessageTypes).check("message_types", "CRITICAL", "WARNING", "INFO"),
	)
}

func (s victoropsSettings) notifier(m message, w *wire) (notify.Notifier, error) {
	c := config.DefaultVictorOpsConfig
	c.HTTPConfig = &commoncfg.HTTPClientConfig{}
	c.APIURL = w.url(strings.TrimRight(s.URL, "/") + "/")
	c.APIKey, c.RoutingKey = commoncfg.Secret(s.APIKey), literal(s.RoutingKey)
	c.EntityDisplayName, c.StateMessage, c.MonitoringTool = literal(m.subject()), literal(m.text()), "Bellcrank"
	c.MessageType = s.messageType(m)
	c.CustomFields = s.fields(m)
	return notifier.New(&c, m.templates(), logger, w.options()...)
}

func (s victoropsSettings) messageType(m message) string {
	usual := "INFO"
	switch m.Incident.Severity {
	case sdk.Critical, sdk.High:
		usual = "CRITICAL"
	case sdk.Medium:
		usual = "WARNING"
	}
	return words(s.MessageTypes).of(m.Incident.Severity, usual)
}

// fields are what the alert has besides what the notifier says. It knows no
// acknowledgement, which would page again, and hides whom the alert is about
// behind a hash; what is among its fields counts.
func (s victoropsSettings) fields(m message) map[string]string {
	fields := map[string]string{}
	for name, value := range s.Fields {
		fields[name] = literal(value)
	}
	for _, f := range m.facts() {
		fields[f.name] = literal(f.value)
	}
	for _, l := range m.links() {
		fields["vo_annotate.u."+l.Name] = literal(l.URL)
	}
	fields["entity_id"] = literal(m.key())
	if m.Incident.Status == "acknowledged" && m.quiet() {
		fields["message_type"] = "ACKNOWLEDGEMENT"
		if m.Author != "" {
			fields["ack_author"] = literal(sdk.Line(cut(m.Author, maxWord)))
		}
		if m.Note != "" {
			fields["ack_msg"] = literal(sdk.Line(cut(m.Note, maxWord)))
		}
	}
	return fields
}
