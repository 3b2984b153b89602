// Package mattermost posts incidents to a Mattermost channel by an incoming
// webhook, which can only add messages.
package mattermost

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
)

// Settings are what an operator writes in a Mattermost destination's settings.
type Settings struct {
	URL      string   `json:"url" required:"true" secret:"true" doc:"The incoming webhook: https://HOST/hooks/KEY."`
	Channel  string   `json:"channel" doc:"Another channel than the webhook's own, if it may post there: its name, or @ and a user's."`
	Username string   `json:"username" doc:"Who seems to write, where the server allows that."`
	Mentions []string `json:"mentions" doc:"Who is called when an incident opens, reopens or escalates: here, channel, all, or names of users and groups."`
	vendor.Common
}

// Sender posts to one webhook.
type Sender struct{ vendor.Sender[Settings] }

// name is how users and groups may be called.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("mattermost", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error {
	for _, who := range s.Mentions {
		if !name.MatchString(who) {
			return fmt.Errorf("mentions: %q is no name; write it without @", who)
		}
	}
	return transport.CheckURL(s.URL)
}

// message is what an incoming webhook takes:
// https://developers.mattermost.com/integrate/webhooks/incoming/.
type message struct {
	Channel     string       `json:"channel,omitempty"`
	Username    string       `json:"username,omitempty"`
	Text        string       `json:"text,omitempty"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Fallback string  `json:"fallback"`
	Color    string  `json:"color"`
	Title    string  `json:"title"`
	Link     string  `json:"title_link,omitempty"`
	Text     string  `json:"text"`
	Fields   []field `json:"fields"`
}

type field struct {
	Short bool   `json:"short"`
	Title string `json:"title"`
	Value string `json:"value"`
}

// Limits in characters; a post has 16383 altogether.
const (
	maxTitle = 500
	maxText  = 6000
	maxValue = 500
	maxURL   = 1000
)

// Send posts once.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	return s.Client.Post(ctx, s.Settings.URL, nil, s.message(m)).Answer
}

func (s *Sender) message(m core.Message) message {
	title := escape(s.Words.Title(m), maxTitle)
	a := attachment{
		Fallback: title, Color: fmt.Sprintf("#%06x", wording.Colour(m.Incident)), Title: title, Link: m.IncidentURL,
		Text: strings.TrimSpace(escape(s.Words.Text(m), maxText) + "\n\n" + links(m)),
	}
	for _, f := range wording.Facts(m.Incident) {
		a.Fields = append(a.Fields, field{Short: len(f.Value) < 40, Title: f.Name, Value: escape(f.Value, maxValue)})
	}
	return message{Channel: s.Settings.Channel, Username: s.Settings.Username, Text: s.called(m), Attachments: []attachment{a}}
}

func escape(text string, n int) string { return wording.Markdown().Escape(text, n) }

func links(m core.Message) string {
	var all []string
	for _, l := range wording.Links(m) {
		if len(l.URL) <= maxURL {
			target := strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(l.URL)
			all = append(all, "["+escape(l.Name, 50)+"]("+target+")")
		}
	}
	return strings.Join(all, " · ")
}

func (s *Sender) called(m core.Message) string {
	if !m.Kind.Opening() && m.Kind != core.Escalated {
		return ""
	}
	var all []string
	for _, who := range s.Settings.Mentions {
		all = append(all, "@"+who)
	}
	return strings.Join(all, " ")
}
