package webhook

import (
	"encoding/json"
	"fmt"
	"time"

	"bellcrank.example/core"
)

// payload is the body that a receiver gets. Its members are published in
// docs/destinations.md and only ever grow.
type payload struct {
	Type      string    `json:"type"`      // "incident." and the kind
	Timestamp time.Time `json:"timestamp"` // of the change, not of the attempt
	Data      data      `json:"data"`
}

type data struct {
	Incident incident `json:"incident"`
	Author   string   `json:"author,omitempty"` // the person who made the change
	Note     string   `json:"note,omitempty"`   // what they said
}

type incident struct {
	ID               string            `json:"id"`  // "INC-042"
	UID              string            `json:"uid"` // unique for ever
	Title            string            `json:"title"`
	Description      string            `json:"description"`
	Severity         string            `json:"severity"`
	Status           string            `json:"status"`
	Service          string            `json:"service"`
	AffectedServices []string          `json:"affected_services"`
	CustomerImpact   *bool             `json:"customer_impact"`
	URL              string            `json:"url,omitempty"`
	SourceURL        string            `json:"source_url,omitempty"`
	Integration      string            `json:"integration"`
	DedupKey         string            `json:"dedup_key,omitempty"`
	Version          int               `json:"version"`
	Count            int               `json:"count"`
	OpenedAt         time.Time         `json:"opened_at,omitzero"`
	AcknowledgedAt   time.Time         `json:"acknowledged_at,omitzero"`
	ResolvedAt       time.Time         `json:"resolved_at,omitzero"`
	Labels           map[string]string `json:"labels,omitempty"`
	Metadata         map[string]any    `json:"metadata,omitempty"`
	Links            []link            `json:"links,omitempty"`
	Test             bool              `json:"test,omitempty"`
	Previous         string            `json:"previous,omitempty"` // uid of the incident before in its series
}

type link struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// render makes the body. It depends on nothing but the version, so that every
// attempt sends the same bytes.
func render(m core.Message) ([]byte, error) {
	in := m.Incident
	if in == nil {
		return nil, fmt.Errorf("message %s has no incident", m.ID)
	}
	p := payload{Type: "incident." + string(m.Kind), Timestamp: m.At.UTC(), Data: data{Author: m.Author, Note: m.Note, Incident: incident{
		ID: in.Name(), UID: in.ID.String(), Title: in.Title, Description: in.Description,
		Severity: string(in.Severity), Status: string(in.Status),
		Service: in.Service, AffectedServices: in.Affected, CustomerImpact: in.Impact,
		URL: m.IncidentURL, SourceURL: in.SourceURL,
		Integration: in.Integration, DedupKey: in.DedupKey, Version: in.Version, Count: in.Count,
		OpenedAt: in.OpenedAt.UTC(), AcknowledgedAt: in.AckedAt.UTC(), ResolvedAt: in.ResolvedAt.UTC(),
		Labels: in.Labels, Metadata: in.Metadata, Test: in.Test, Previous: in.Previous.String(),
	}}}
	if p.Data.Incident.AffectedServices == nil {
		p.Data.Incident.AffectedServices = []string{}
	}
	for _, l := range in.Links {
		p.Data.Incident.Links = append(p.Data.Incident.Links, link{Name: l.Name, URL: l.URL})
	}
	return json.Marshal(p)
}
