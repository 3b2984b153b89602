// Package discord posts incidents to a Discord channel by its webhook: one
// message per incident, brought up to date.
package discord

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/board"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
)

// Settings are what an operator writes in a Discord destination's settings.
type Settings struct {
	URL      string   `json:"url" required:"true" secret:"true" doc:"The channel's webhook: https://discord.com/api/webhooks/ID/TOKEN."`
	Mentions []string `json:"mentions" doc:"Who is called when an incident opens, reopens or escalates: here, everyone, user:ID or role:ID."`
	board.Style
	vendor.Common
}

// Sender posts to one channel.
type Sender struct{ vendor.Sender[Settings] }

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("discord", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error {
	for _, who := range s.Mentions {
		if mention(who) == "" {
			return fmt.Errorf("mentions: %q is neither here, everyone, user:ID nor role:ID", who)
		}
	}
	return transport.CheckURL(s.URL)
}

// Send posts, or updates and notes, once.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	return s.Settings.Send(ctx, s, m)
}

// Post writes the incident's message and remembers its id.
func (s *Sender) Post(ctx context.Context, m core.Message) core.Answer {
	reply := s.Client.Post(ctx, s.at("", "wait=true"), nil, s.message(m, true))
	var made struct {
		ID string `json:"id"`
	}
	if reply.Status/100 == 2 && json.Unmarshal(reply.Body, &made) == nil && snowflake.MatchString(made.ID) {
		reply.Remember = made.ID
	}
	return reply.Answer
}

// Update brings it up to date.
func (s *Sender) Update(ctx context.Context, m core.Message) core.Answer {
	answer := s.Client.Send(ctx, http.MethodPatch, s.at("/messages/"+m.Memory, ""), nil, s.message(m, false)).Answer
	if answer.Status == http.StatusNotFound && strings.Contains(answer.Snippet, unknownMessage) {
		answer.Err = board.ErrGone
	}
	return answer
}

// unknownMessage is Discord's code for a message that isn't there; a webhook
// that isn't there is 404 as well.
const unknownMessage = "10008"

// Note tells of the change in a message of one line.
func (s *Sender) Note(ctx context.Context, m core.Message) core.Answer {
	return s.Client.Post(ctx, s.at("", ""), nil, s.note(m)).Answer
}

// at returns the webhook's URL with a path and a query behind it. A thread that
// the operator has named in the URL's query stays.
func (s *Sender) at(path, query string) string {
	// It has been parsed before.
	u, _ := url.Parse(s.Settings.URL)
	u.Path = strings.TrimRight(u.Path, "/") + path
	u.RawPath = ""
	if u.RawQuery != "" && query != "" {
		query = "&" + query
	}
	u.RawQuery += query
	return u.String()
}

// message is what a webhook takes:
// https://discord.com/developers/docs/resources/webhook#execute-webhook.
type message struct {
	Content  string  `json:"content"`
	Embeds   []embed `json:"embeds,omitempty"`
	Mentions allowed `json:"allowed_mentions"`
}

// allowed says whose names in the content call somebody.
type allowed struct {
	Parse []string `json:"parse"`
	Users []string `json:"users,omitempty"`
	Roles []string `json:"roles,omitempty"`
}

type embed struct {
	Title       string    `json:"title"`
	Description string    `json:"description,omitempty"`
	URL         string    `json:"url,omitempty"`
	Color       int       `json:"color"`
	Fields      []field   `json:"fields,omitempty"`
	Timestamp   time.Time `json:"timestamp,omitzero"`
}

type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

// Discord's limits, in characters. Those of the parts keep the embed below the
// 6000 that it may have altogether.
const (
	maxTitle       = 256
	maxDescription = 3000
	maxValue       = 250
	maxURL         = 2000
)

func (s *Sender) message(m core.Message, fresh bool) message {
	e := embed{
		Title: escape(s.Words.Title(m), maxTitle), Description: escape(s.Words.Text(m), maxDescription),
		Color: wording.Colour(m.Incident), Timestamp: m.At.UTC(), URL: m.IncidentURL,
	}
	for _, f := range wording.Facts(m.Incident) {
		e.Fields = append(e.Fields, field{Name: f.Name, Value: escape(f.Value, maxValue), Inline: len(f.Value) < 40})
	}
	if links := links(m); links != "" {
		e.Fields = append(e.Fields, field{Name: "Links", Value: links})
	}
	to := message{Embeds: []embed{e}, Mentions: allowed{Parse: []string{}}}
	if fresh {
		s.call(m, &to)
	}
	return to
}

func (s *Sender) note(m core.Message) message {
	to := message{Mentions: allowed{Parse: []string{}}}
	s.call(m, &to)
	to.Content = strings.TrimSpace(to.Content + " " + escape(s.Words.Title(m), 1000))
	return to
}

func escape(text string, n int) string { return wording.Markdown().Escape(text, n) }

// links joins as many links as fit into a field's 1024 characters.
func links(m core.Message) string {
	all := ""
	for _, l := range wording.Links(m) {
		link := "[" + escape(l.Name, 50) + "](" + strings.NewReplacer("(", "%28", ")", "%29", " ", "%20").Replace(l.URL) + ") "
		if len(l.URL) <= maxURL && len(all)+len(link) <= 1024 {
			all += link
		}
	}
	return strings.TrimSpace(all)
}

var (
	snowflake = regexp.MustCompile(`^[0-9]{1,20}$`)
	person    = regexp.MustCompile(`^(user|role):([0-9]{1,20})$`)
)

// mention returns Discord's way to call somebody, empty if nobody has that
// name.
func mention(who string) string {
	if who == "here" || who == "everyone" {
		return "@" + who
	}
	parts := person.FindStringSubmatch(who)
	switch {
	case parts == nil:
		return ""
	case parts[1] == "role":
		return "<@&" + parts[2] + ">"
	}
	return "<@" + parts[2] + ">"
}

// call writes into the content who is to be called.
func (s *Sender) call(m core.Message, to *message) {
	if !m.Kind.Opening() && m.Kind != core.Escalated {
		return
	}
	var all []string
	for _, who := range s.Settings.Mentions {
		all = append(all, mention(who))
		kind, id, _ := strings.Cut(who, ":")
		switch kind {
		case "user":
			to.Mentions.Users = append(to.Mentions.Users, id)
		case "role":
			to.Mentions.Roles = append(to.Mentions.Roles, id)
		default:
			to.Mentions.Parse = []string{"everyone"} // here, too
		}
	}
	to.Content = strings.Join(all, " ")
}
