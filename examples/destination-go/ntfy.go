package main

import (
	"context"
	"net/http"
	"strings"

	"bellcrank.example/sdk"
)

// settings are what an operator writes in the destination's settings.
type settings struct {
	URL      string `json:"url" default:"https://ntfy.sh" doc:"The ntfy server."`
	Topic    string `json:"topic" required:"true" doc:"The topic to publish to; whoever knows its name may read it."`
	Token    string `json:"token" secret:"true" doc:"An access token, where the server asks for one."`
	Title    string `json:"title" type:"template" doc:"The change in one line; by default the incident's name and title."`
	Resolved bool   `json:"resolved" default:"true" doc:"Whether the end of a problem is told as well."`
}

type ntfy struct{}

// Describe says what the destination is.
func (ntfy) Describe() sdk.Info {
	return sdk.Info{
		Type: "ntfy", Name: "ntfy", Version: "1.0.0",
		Summary:  "Notifies phones by a topic of ntfy.",
		DocsURL:  "https://docs.ntfy.sh/publish/",
		Settings: sdk.SettingsOf[settings](),
	}
}

// message is a notification as ntfy takes it as JSON.
type message struct {
	Topic    string   `json:"topic"`
	Title    string   `json:"title"`
	Message  string   `json:"message"`
	Priority int      `json:"priority"` // 1 to 5
	Tags     []string `json:"tags"`     // words for emoji are shown as such
	Click    string   `json:"click,omitempty"`
	ID       string   `json:"sequence_id"` // a later one with the same id replaces what the phone shows
}

// Deliver publishes each change under the incident's id, so that a phone shows
// the newest alone.
func (ntfy) Deliver(_ context.Context, d sdk.Delivery) (sdk.Step, error) {
	s, err := sdk.DecodeSettings[settings](d.Settings)
	if err != nil {
		return sdk.Step{}, err
	}
	if len(d.Answers) > 0 {
		return sdk.Ended(d.Answers[len(d.Answers)-1]), nil
	}
	if d.Kind == "resolved" && !s.Resolved {
		return sdk.Step{Outcome: &sdk.Outcome{Class: sdk.Delivered}}, nil
	}
	header := http.Header{}
	if s.Token != "" {
		header.Set("Authorization", "Bearer "+s.Token)
	}
	return sdk.AskJSON(strings.TrimRight(s.URL, "/")+"/", header, messageOf(d, s.Topic))
}

// priorities are ntfy's, of which 3 is the usual.
var priorities = map[sdk.Severity]int{sdk.Critical: 5, sdk.High: 4, sdk.Medium: 3, sdk.Low: 2, sdk.PreEmptive: 2}

func messageOf(d sdk.Delivery, topic string) message {
	in := d.Incident
	title := d.Texts["title"] // the operator's, if there is one and it didn't fail
	if title == "" {
		title = in.ID + " " + in.Title
	}
	m := message{
		Topic: topic, ID: in.UID, Title: title, Message: text(d),
		Priority: priorities[in.Severity], Tags: []string{"rotating_light", string(in.Severity)}, Click: in.URL,
	}
	switch d.Kind {
	case "resolved":
		m.Priority, m.Tags = 2, []string{"white_check_mark", "resolved"}
	case "acknowledged":
		m.Priority, m.Tags = 2, []string{"eyes", "acknowledged"}
	}
	return m
}

func text(d sdk.Delivery) string {
	var parts []string
	for _, part := range []string{d.Note, d.Incident.Description} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if d.Author != "" && d.Note != "" {
		parts[0] = d.Author + ": " + parts[0]
	}
	const most = 3000 // ntfy turns what is longer than 4096 bytes into an attachment
	joined := strings.Join(append(parts, d.Incident.Service), "\n")
	if joined = strings.TrimSpace(joined); joined == "" {
		joined = string(d.Incident.Severity)
	}
	return strings.ToValidUTF8(joined[:min(len(joined), most)], "")
}
