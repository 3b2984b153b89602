// Package teams posts incidents to a Microsoft Teams channel or chat, as
// Adaptive Cards by the webhook of a workflow.
package teams

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
	"bellcrank.example/sdk"
)

// Settings are what an operator writes in a Teams destination's settings.
type Settings struct {
	URL string `json:"url" required:"true" secret:"true" doc:"The URL of a workflow that begins with \"When a Teams webhook request is received\"."`
	vendor.Common
	transport.Login
}

// Sender posts to one workflow.
type Sender struct{ vendor.Sender[Settings] }

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("teams", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error { return transport.CheckURL(s.URL) }

// message wraps a card as the workflow wants it; 28 KiB altogether.
type message struct {
	Type        string       `json:"type"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ContentType string `json:"contentType"`
	Content     card   `json:"content"`
}

// card is an Adaptive Card: https://adaptivecards.io/explorer/AdaptiveCard.html.
type card struct {
	Schema  string         `json:"$schema"`
	Type    string         `json:"type"`
	Version string         `json:"version"`
	Teams   map[string]any `json:"msteams"`
	Body    []element      `json:"body"`
	Actions []action       `json:"actions,omitempty"`
}

type element struct {
	Type   string `json:"type"` // TextBlock or FactSet
	Text   string `json:"text,omitempty"`
	Size   string `json:"size,omitempty"`
	Weight string `json:"weight,omitempty"`
	Color  string `json:"color,omitempty"`
	Wrap   bool   `json:"wrap,omitempty"`
	Facts  []fact `json:"facts,omitempty"`
}

type fact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

type action struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Limits in characters, so that the card stays below Teams' 28 KiB.
const (
	maxTitle = 300
	maxText  = 3000
	maxValue = 400
	maxURL   = 1000
	maxLinks = 6 // as many buttons as Teams shows
)

// Send posts once.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	return judged(s.Client.Post(ctx, s.Settings.URL, nil, s.message(m)).Answer)
}

// judged reads what the webhooks of older connectors say in a 200: the status
// that Teams itself answered.
func judged(a core.Answer) core.Answer {
	_, status, found := strings.Cut(a.Snippet, "HTTP error ")
	if a.Status != http.StatusOK || !found {
		return a
	}
	a.Fault, a.Err = core.DestinationFault, errors.New("Teams refused: HTTP error "+wording.Cut(wording.Line(status), 50))
	switch {
	case strings.HasPrefix(status, "429"):
		a.Fault = core.Throttled
	case strings.HasPrefix(status, "400"), strings.HasPrefix(status, "413"):
		a.Fault = core.DeliveryFault
	}
	return a
}

func (s *Sender) message(m core.Message) message {
	c := card{
		Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Type: "AdaptiveCard", Version: "1.4",
		Teams: map[string]any{"width": "Full"},
		Body: []element{{
			Type: "TextBlock", Text: escape(s.Words.Title(m), maxTitle), Size: "Large", Weight: "Bolder", Wrap: true,
			Color: colour(m.Incident),
		}},
	}
	if body := s.Words.Text(m); body != "" {
		// A card takes two line ends for one.
		c.Body = append(c.Body, element{Type: "TextBlock", Text: strings.ReplaceAll(escape(body, maxText), "\n", "\n\n"), Wrap: true})
	}
	facts := element{Type: "FactSet"}
	for _, f := range wording.Facts(m.Incident) {
		facts.Facts = append(facts.Facts, fact{Title: f.Name, Value: escape(f.Value, maxValue)})
	}
	c.Body = append(c.Body, facts)
	for _, l := range wording.Links(m) {
		if len(l.URL) <= maxURL && len(c.Actions) < maxLinks {
			c.Actions = append(c.Actions, action{Type: "Action.OpenUrl", Title: wording.Cut(l.Name, 50), URL: l.URL})
		}
	}
	return message{Type: "message", Attachments: []attachment{{ContentType: "application/vnd.microsoft.card.adaptive", Content: c}}}
}

func escape(text string, n int) string { return wording.Markdown().Escape(text, n) }

// colour is one of the few that a card has.
func colour(in *core.Incident) string {
	switch {
	case !in.Open():
		return "Good"
	case in.Severity == sdk.Critical, in.Severity == sdk.High:
		return "Attention"
	case in.Severity == sdk.Medium:
		return "Warning"
	}
	return "Accent"
}
