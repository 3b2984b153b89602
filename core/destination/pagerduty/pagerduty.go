// Package pagerduty hands incidents to PagerDuty by its Events API v2:
// openings and changes trigger, acknowledgements acknowledge, resolves resolve
// one alert per incident.
package pagerduty

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
	"bellcrank.example/sdk"
)

// Settings are what an operator writes in a PagerDuty destination's settings.
type Settings struct {
	RoutingKey string            `json:"routing_key" required:"true" secret:"true" doc:"The integration key of a service's Events API v2 integration."`
	Severities map[string]string `json:"severities" doc:"PagerDuty's word for each of ours; by default Critical is critical, High error, Medium warning, Low and Pre-emptive info."`
	URL        string            `json:"url" default:"https://events.pagerduty.com/v2/enqueue" doc:"Where events go; accounts of the EU have https://events.eu.pagerduty.com/v2/enqueue."`
	vendor.Common
}

// Sender sends events to one integration.
type Sender struct{ vendor.Sender[Settings] }

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("pagerduty", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error {
	if strings.TrimSpace(s.RoutingKey) == "" {
		return errors.New("routing_key must not be empty")
	}
	if err := wording.Words(s.Severities).Check("critical", "error", "warning", "info"); err != nil {
		return fmt.Errorf("severities: %w", err)
	}
	return transport.CheckURL(s.URL)
}

// event is what the API takes:
// https://developer.pagerduty.com/docs/send-alert-event.
type event struct {
	RoutingKey string   `json:"routing_key"`
	Action     string   `json:"event_action"`
	DedupKey   string   `json:"dedup_key"`
	Payload    *payload `json:"payload,omitempty"` // only of a trigger
	Client     string   `json:"client,omitempty"`
	ClientURL  string   `json:"client_url,omitempty"`
	Links      []link   `json:"links,omitempty"`
}

type payload struct {
	Summary   string            `json:"summary"` // 1024 characters at most
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp time.Time         `json:"timestamp,omitzero"`
	Component string            `json:"component,omitempty"`
	Group     string            `json:"group,omitempty"`
	Details   map[string]string `json:"custom_details"`
}

type link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// maxSummary is PagerDuty's limit, in characters.
const maxSummary = 1024

// Send sends what the change asks for. An opening that somebody has
// acknowledged already is two events; either may come twice.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	var answer core.Answer
	for _, action := range actions(m) {
		answer = s.send(ctx, s.event(m, action))
		if class, _ := answer.Classify(m.Now); class != core.NoFault {
			return answer
		}
	}
	return answer
}

func actions(m core.Message) []string {
	switch {
	case m.Kind == core.ResolvedKind || !m.Incident.Open():
		return []string{"resolve"}
	case m.Kind == core.AckedKind:
		return []string{"acknowledge"}
	case m.Incident.Status == core.Acknowledged && m.Kind == core.Created:
		return []string{"trigger", "acknowledge"}
	}
	return []string{"trigger"}
}

func (s *Sender) event(m core.Message, action string) event {
	in := m.Incident
	e := event{RoutingKey: s.Settings.RoutingKey, Action: action, DedupKey: wording.IncidentKey(in)}
	if action != "trigger" {
		return e
	}
	details := wording.Details(in)
	if text := s.Words.Text(m); text != "" {
		details["description"] = wording.Cut(text, 4000)
	}
	e.Client, e.ClientURL = "Bellcrank", m.IncidentURL
	e.Payload = &payload{
		Summary: wording.Cut(s.Words.Title(m), maxSummary), Severity: s.severity(in.Severity), Timestamp: in.OpenedAt.UTC(),
		Source:    wording.Cut(wording.Line(cmp.Or(in.Service, in.Integration, "bellcrank")), 200),
		Component: wording.Cut(wording.Line(in.Service), 200), Group: in.Integration, Details: details,
	}
	for _, l := range wording.Links(m) {
		if len(l.URL) <= 2000 {
			e.Links = append(e.Links, link{Href: l.URL, Text: wording.Cut(l.Name, 100)})
		}
	}
	return e
}

func (s *Sender) severity(of sdk.Severity) string {
	usual := "warning"
	switch of {
	case sdk.Critical:
		usual = "critical"
	case sdk.High:
		usual = "error"
	case sdk.Low, sdk.PreEmptive:
		usual = "info"
	}
	return wording.Words(s.Settings.Severities).For(of, usual)
}

// send posts one event. PagerDuty answers 400 for a key that it doesn't know
// as for an event that it dislikes; only the words differ.
func (s *Sender) send(ctx context.Context, e event) core.Answer {
	answer := s.Client.Post(ctx, s.Settings.URL, nil, e).Answer
	if answer.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(answer.Snippet), "routing_key") {
		answer.Fault, answer.Err = core.DestinationFault, errors.New("PagerDuty doesn't take the routing key")
	}
	return answer
}
