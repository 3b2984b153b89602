// Package opsgenie hands incidents to Opsgenie, or to Jira Service Management,
// which has taken over its API: one alert per incident.
package opsgenie

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
	"bellcrank.example/sdk"
)

// Settings are what an operator writes in an Opsgenie destination's settings.
type Settings struct {
	APIKey     string            `json:"api_key" required:"true" secret:"true" doc:"The key of an API integration that may create and update alerts."`
	URL        string            `json:"url" default:"https://api.opsgenie.com" doc:"Where the API is; accounts of the EU have https://api.eu.opsgenie.com, Jira Service Management https://api.atlassian.com/jsm/ops/integration."`
	Responders []string          `json:"responders" doc:"Who is responsible, unless the integration says so: team:NAME, user:NAME, escalation:NAME or schedule:NAME."`
	Tags       []string          `json:"tags" doc:"Tags of every alert."`
	Priorities map[string]string `json:"priorities" doc:"Opsgenie's priority for each of our severities; by default P1 to P5."`
	vendor.Common
}

// Sender hands alerts to one integration.
type Sender struct{ vendor.Sender[Settings] }

var responder = regexp.MustCompile(`^(team|user|escalation|schedule):(.+)$`)

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("opsgenie", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error {
	if strings.TrimSpace(s.APIKey) == "" {
		return errors.New("api_key must not be empty")
	}
	for _, who := range s.Responders {
		if !responder.MatchString(who) {
			return fmt.Errorf("responders: %q is none of team:NAME, user:NAME, escalation:NAME, schedule:NAME", who)
		}
	}
	if err := wording.Words(s.Priorities).Check("P1", "P2", "P3", "P4", "P5"); err != nil {
		return fmt.Errorf("priorities: %w", err)
	}
	return transport.CheckURL(s.URL)
}

// alert is what the API takes: https://docs.opsgenie.com/docs/alert-api.
type alert struct {
	Message     string            `json:"message"` // 130 characters at most
	Alias       string            `json:"alias"`
	Description string            `json:"description,omitempty"`
	Responders  []party           `json:"responders,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Details     map[string]string `json:"details"`
	Entity      string            `json:"entity,omitempty"`
	Source      string            `json:"source"`
	Priority    string            `json:"priority"`
}

type party struct {
	Type     string `json:"type"`
	Name     string `json:"name,omitempty"`
	Username string `json:"username,omitempty"` // of a user
}

// change is the body of what is done to an alert.
type change struct {
	Source      string `json:"source,omitempty"`
	Note        string `json:"note,omitempty"`
	Priority    string `json:"priority,omitempty"`
	Message     string `json:"message,omitempty"`
	Description string `json:"description,omitempty"`
}

// Opsgenie's limits, in characters.
const (
	maxMessage     = 130
	maxDescription = 15000
	source         = "Bellcrank"
)

// call is one request to the API.
type call struct {
	method, path string
	body         any
}

// Send makes the calls that the change asks for, all of which may be made
// twice. Creating an alert that there is already only counts, so what has
// changed is told beside it.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	header := http.Header{"Authorization": {"GenieKey " + s.Settings.APIKey}}
	var answer core.Answer
	for _, c := range s.calls(m) {
		answer = s.Client.Send(ctx, c.method, strings.TrimRight(s.Settings.URL, "/")+c.path, header, c.body).Answer
		if class, _ := answer.Classify(m.Now); class != core.NoFault {
			return answer
		}
	}
	return answer
}

func (s *Sender) calls(m core.Message) []call {
	alias := url.PathEscape(wording.IncidentKey(m.Incident))
	at := func(what string) string { return "/v2/alerts/" + alias + "/" + what + "?identifierType=alias" }
	told := change{Source: source, Note: wording.Cut(s.Words.Title(m), 500)}
	create := call{http.MethodPost, "/v2/alerts", s.alert(m)}
	acknowledge := call{http.MethodPost, at("acknowledge"), told}
	switch {
	case m.Kind == core.ResolvedKind || !m.Incident.Open():
		return []call{{http.MethodPost, at("close"), told}}
	case m.Kind == core.AckedKind:
		return []call{acknowledge}
	case m.Kind == core.Created && m.Incident.Status == core.Acknowledged:
		return []call{create, acknowledge}
	case m.Kind == core.Escalated || m.Kind == core.Updated:
		return []call{
			create,
			{http.MethodPut, at("priority"), change{Priority: s.priority(m.Incident.Severity)}},
			{http.MethodPost, at("notes"), told},
		}
	}
	return []call{create}
}

func (s *Sender) alert(m core.Message) alert {
	in := m.Incident
	a := alert{
		Message: wording.Cut(s.Words.Title(m), maxMessage), Alias: wording.IncidentKey(in),
		Description: wording.Cut(s.Words.Text(m), maxDescription-3000), Tags: s.Settings.Tags, Details: wording.Details(in),
		Entity: wording.Cut(wording.Line(cmp.Or(in.Service, in.Integration)), 500), Source: source, Priority: s.priority(in.Severity),
	}
	for _, l := range wording.Links(m) {
		if line := "\n" + l.Name + ": " + l.URL; len(l.URL) <= 1000 && len(a.Description)+len(line) <= maxDescription {
			a.Description += line
		}
	}
	a.Description = strings.TrimSpace(a.Description)
	for _, who := range s.Settings.Responders {
		kind, name, _ := strings.Cut(who, ":")
		if kind == "user" {
			a.Responders = append(a.Responders, party{Type: kind, Username: name})
		} else {
			a.Responders = append(a.Responders, party{Type: kind, Name: name})
		}
	}
	return a
}

func (s *Sender) priority(of sdk.Severity) string {
	usual := "P3"
	for i, severity := range sdk.Severities() { // from Critical down
		if severity == of {
			usual = fmt.Sprintf("P%d", i+1)
		}
	}
	return wording.Words(s.Settings.Priorities).For(of, usual)
}
