// Package runframe creates incidents in Runframe, or in another gateway that
// takes its webhook's body.
package runframe

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
)

// Settings are what an operator writes in a Runframe destination's settings.
type Settings struct {
	URL string `json:"url" required:"true" secret:"true" doc:"The webhook with its routing key: https://api.runframe.io/webhooks/KEY."`
	vendor.Common
}

// Events are the kinds that Runframe can take: it opens an incident for
// everything that is posted.
func Events() []core.Kind { return []core.Kind{core.Created, core.Reopened} }

// Sender posts to one routing key.
type Sender struct{ vendor.Sender[Settings] }

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("runframe", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error { return transport.CheckURL(s.URL) }

// payload is the published body. What follows customer_impact are custom
// fields: Runframe keeps them for reference, another gateway acts on status
// and dedup_key.
type payload struct {
	Title       string            `json:"title"`
	Description string            `json:"description,omitempty"`
	Severity    string            `json:"severity,omitempty"`
	Service     string            `json:"service,omitempty"`
	Affected    []string          `json:"affected_services,omitempty"`
	Impact      *bool             `json:"customer_impact,omitempty"`
	Status      string            `json:"status"`
	DedupKey    string            `json:"dedup_key"`
	SourceURL   string            `json:"source_url,omitempty"`
	Integration string            `json:"integration,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
}

// Send posts once. The title is the incident's own: the other side has a
// number and a list of its own.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	reply := s.Client.Post(ctx, s.Settings.URL, nil, s.payload(m))
	var said struct {
		Success *bool `json:"success"`
		Error   struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(reply.Body, &said) != nil || said.Success == nil || *said.Success {
		return reply.Answer
	}
	if reply.Err == nil {
		reply.Err = errors.New(wording.Cut(wording.Line(fmt.Sprintf("%d %s: %s", reply.Status, said.Error.Code, said.Error.Message)), 300))
	}
	if reply.Status == http.StatusOK { // a refusal in an envelope of success
		reply.Fault = core.DestinationFault
	}
	return reply.Answer
}

func (s *Sender) payload(m core.Message) payload {
	in := m.Incident
	p := payload{
		Title: wording.Cut(s.Words.TitleOr(m, ownTitle), 500), Description: wording.Cut(s.Words.Text(m), 8000), Severity: string(in.Severity),
		Service: wording.Cut(in.Service, 200), Impact: in.Impact, Status: status(in), DedupKey: wording.IncidentKey(in),
		Integration: in.Integration, Labels: map[string]string{},
	}
	if len(in.SourceURL) <= 2000 {
		p.SourceURL = in.SourceURL
	}
	for _, service := range in.Affected[:min(len(in.Affected), 50)] {
		p.Affected = append(p.Affected, wording.Cut(service, 200))
	}
	for _, name := range slices.Sorted(maps.Keys(in.Labels))[:min(len(in.Labels), 50)] {
		p.Labels[wording.Cut(name, 100)] = wording.Cut(in.Labels[name], 300)
	}
	return p
}

func ownTitle(m core.Message) string { return cmp.Or(wording.Line(m.Incident.Title), "(no title)") }

// status is the word that a gateway takes for the incident's state.
func status(in *core.Incident) string {
	switch in.Status {
	case core.Acknowledged:
		return "acknowledged"
	case core.Resolved:
		return "resolved"
	}
	return "triggered"
}
