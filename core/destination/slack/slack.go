// Package slack tells a channel of incidents: by an incoming webhook, which
// can only add messages, or with a bot's token, which keeps one message per
// incident up to date and puts the changes into its thread.
package slack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/board"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
)

// Settings are what an operator writes in a Slack destination's settings.
type Settings struct {
	URL      string   `json:"url" secret:"true" doc:"An incoming webhook's URL; instead of token and channel."`
	Token    string   `json:"token" secret:"true" doc:"A bot's token (xoxb-) with the scope chat:write; with channel, instead of url."`
	Channel  string   `json:"channel" doc:"The channel's id, such as C0123456789; with token."`
	Mentions []string `json:"mentions" doc:"Who is called when an incident opens, reopens or escalates: here, channel, or ids of users (U…, W…) and user groups (S…)."`
	APIURL   string   `json:"api_url" default:"https://slack.com/api" doc:"Where the API is; GovSlack has one of its own."`
	board.Style
	vendor.Common
}

// Sender posts to one channel.
type Sender struct{ vendor.Sender[Settings] }

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("slack", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error {
	switch {
	case s.URL == "" && s.Token == "":
		return errors.New("url or token is required: an incoming webhook's, or a bot's with its channel")
	case s.URL != "" && s.Token != "":
		return errors.New("url and token can't both be set")
	case s.Token != "" && s.Channel == "":
		return errors.New("channel is required with a token")
	case s.URL != "" && s.Channel != "":
		return errors.New("channel can't be set with a url: the webhook has one")
	}
	for _, m := range s.Mentions {
		if mention(m) == "" {
			return fmt.Errorf("mentions: %q is neither here nor channel nor the id of a user or a user group", m)
		}
	}
	if s.URL != "" {
		return transport.CheckURL(s.URL)
	}
	if err := transport.CheckURL(s.APIURL); err != nil {
		return fmt.Errorf("api_%w", err)
	}
	return nil
}

// Send posts, or updates and notes in the thread, once.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	if s.Settings.URL != "" {
		return s.Client.Post(ctx, s.Settings.URL, nil, s.message(m, true)).Answer
	}
	return s.Settings.Send(ctx, bot{s}, m)
}

// bot is what a token can do.
type bot struct{ *Sender }

// Post writes the incident's own message and remembers where it is.
func (b bot) Post(ctx context.Context, m core.Message) core.Answer {
	body := b.message(m, true)
	body.Channel = b.Settings.Channel
	answer, at := b.call(ctx, "chat.postMessage", body)
	if at.TS != "" {
		answer.Remember = at.Channel + " " + at.TS
	}
	return answer
}

// Update brings the incident's message up to date.
func (b bot) Update(ctx context.Context, m core.Message) core.Answer {
	body := b.message(m, false)
	body.Channel, body.TS, _ = strings.Cut(m.Memory, " ")
	answer, _ := b.call(ctx, "chat.update", body)
	return answer
}

// Note writes into the message's thread.
func (b bot) Note(ctx context.Context, m core.Message) core.Answer {
	body := b.note(m)
	body.Channel, body.ThreadTS, _ = strings.Cut(m.Memory, " ")
	answer, _ := b.call(ctx, "chat.postMessage", body)
	return answer
}

// place is where a message is.
type place struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// call calls a method of the Web API. Slack answers 200 whatever came of it,
// https://docs.slack.dev/apis/web-api/; the words of its errors are those of
// https://docs.slack.dev/reference/methods/chat.postMessage.
func (s *Sender) call(ctx context.Context, method string, body message) (core.Answer, place) {
	header := http.Header{"Authorization": {"Bearer " + s.Settings.Token}}
	reply := s.Client.Post(ctx, strings.TrimRight(s.Settings.APIURL, "/")+"/"+method, header, body)
	if reply.Err != nil || reply.Status != http.StatusOK {
		return reply.Answer, place{}
	}
	var said struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
		place
	}
	if err := json.Unmarshal(reply.Body, &said); err != nil {
		reply.Fault, reply.Err = core.DestinationFault, fmt.Errorf("%s: the answer isn't Slack's: %w", method, err)
		return reply.Answer, place{}
	}
	if !said.OK {
		reply.Fault = fault(said.Error)
		reply.Err = fmt.Errorf("%s: %s", method, wording.Cut(wording.Line(cmp.Or(said.Error, "no reason given")), 200))
		if slices.Contains([]string{"message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed"}, said.Error) {
			reply.Err = fmt.Errorf("%s: %w", method, board.ErrGone)
		}
		return reply.Answer, place{}
	}
	return reply.Answer, said.place
}

// fault says whose fault an error of the Web API is. One that isn't listed is
// the destination's: what everything would get must not cost a delivery.
func fault(word string) core.FaultClass {
	switch word {
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return core.Throttled
	case "msg_too_long", "msg_blocks_too_long", "no_text", "invalid_blocks", "invalid_blocks_format", "invalid_attachments",
		"too_many_attachments", "attachment_payload_limit_exceeded", "invalid_arguments", "invalid_json", "json_not_object",
		"message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed", "cannot_reply_to_message",
		"markdown_text_conflict", "block_mismatch":
		return core.DeliveryFault
	}
	return core.DestinationFault
}
