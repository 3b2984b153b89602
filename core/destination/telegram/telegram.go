// Package telegram writes incidents into a Telegram chat with a bot: one
// message per incident, brought up to date and replied to.
package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/board"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
)

// Settings are what an operator writes in a Telegram destination's settings.
type Settings struct {
	Token  string `json:"token" required:"true" secret:"true" doc:"The bot's token."`
	Chat   string `json:"chat" required:"true" doc:"The chat's id, such as -1001234567890, or a channel's @name."`
	Topic  int64  `json:"topic" doc:"The id of a topic in the chat; without it, the chat itself."`
	APIURL string `json:"api_url" default:"https://api.telegram.org" doc:"Where the Bot API is; some run a server of their own."`
	board.Style
	vendor.Common
}

// Sender writes into one chat.
type Sender struct{ vendor.Sender[Settings] }

var (
	tokenForm = regexp.MustCompile(`^[A-Za-z0-9:_-]+$`)
	chatForm  = regexp.MustCompile(`^(-?[0-9]{1,20}|@[A-Za-z0-9_]{3,64})$`)
)

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("telegram", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error {
	switch {
	case !tokenForm.MatchString(s.Token): // it becomes part of a URL
		return errors.New("token is no bot's: it has letters, digits, :, _ and -")
	case !chatForm.MatchString(s.Chat):
		return fmt.Errorf("chat %q is neither an id nor an @name", s.Chat)
	}
	if err := transport.CheckURL(s.APIURL); err != nil {
		return fmt.Errorf("api_%w", err)
	}
	return nil
}

// message is what sendMessage and editMessageText take:
// https://core.telegram.org/bots/api#sendmessage.
type message struct {
	Chat      string   `json:"chat_id"`
	Topic     int64    `json:"message_thread_id,omitempty"`
	ID        int64    `json:"message_id,omitempty"` // of the message to change
	Text      string   `json:"text"`
	ParseMode string   `json:"parse_mode"`
	Silent    bool     `json:"disable_notification,omitempty"`
	Preview   preview  `json:"link_preview_options"`
	Reply     *replyTo `json:"reply_parameters,omitempty"`
}

type preview struct {
	Disabled bool `json:"is_disabled"`
}

type replyTo struct {
	ID           int64 `json:"message_id"`
	AllowWithout bool  `json:"allow_sending_without_reply"`
}

// Limits in characters: a message has 4096, entities not counted as such by
// Telegram, but by us.
const (
	maxTitle = 400
	maxText  = 1800
	maxValue = 100
	maxLinks = 900
)

// Send posts, or updates and replies, once.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	return s.Settings.Send(ctx, s, m)
}

// Post writes the incident's message and remembers its id.
func (s *Sender) Post(ctx context.Context, m core.Message) core.Answer {
	answer, id := s.call(ctx, "sendMessage", s.message(m))
	if id != 0 {
		answer.Remember = strconv.FormatInt(id, 10)
	}
	return answer
}

// Update brings it up to date. One that says all already is no failure.
func (s *Sender) Update(ctx context.Context, m core.Message) core.Answer {
	body := s.message(m)
	body.ID, body.Topic = id(m), 0
	answer, _ := s.call(ctx, "editMessageText", body)
	switch {
	case answer.Err == nil:
	case strings.Contains(answer.Snippet, "message is not modified"):
		answer.Status, answer.Fault, answer.Err = http.StatusOK, core.NoFault, nil
	case strings.Contains(answer.Snippet, "message to edit not found"), strings.Contains(answer.Snippet, "message can't be edited"):
		answer.Err = board.ErrGone
	}
	return answer
}

// Note replies to it in one line.
func (s *Sender) Note(ctx context.Context, m core.Message) core.Answer {
	body := s.body(escape(s.Words.Title(m), maxTitle))
	body.Reply = &replyTo{ID: id(m), AllowWithout: true}
	body.Silent = m.Kind == core.AckedKind || m.Kind == core.Updated
	answer, _ := s.call(ctx, "sendMessage", body)
	return answer
}

// id returns which message is remembered, zero if it can't be read.
func id(m core.Message) int64 {
	n, err := strconv.ParseInt(m.Memory, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (s *Sender) body(text string) message {
	return message{Chat: s.Settings.Chat, Topic: s.Settings.Topic, Text: text, ParseMode: "HTML", Preview: preview{Disabled: true}}
}

func (s *Sender) message(m core.Message) message {
	parts := []string{"<b>" + escape(s.Words.Title(m), maxTitle) + "</b>"}
	if text := s.Words.Text(m); text != "" {
		parts = append(parts, escape(text, maxText))
	}
	var facts []string
	for _, f := range wording.Facts(m.Incident) {
		facts = append(facts, "<b>"+f.Name+":</b> "+escape(wording.Line(f.Value), maxValue))
	}
	parts = append(parts, strings.Join(facts, "\n"))
	if links := links(m); links != "" {
		parts = append(parts, links)
	}
	return s.body(strings.Join(parts, "\n\n"))
}

func escape(text string, n int) string { return wording.HTML().Escape(text, n) }

// links joins as many links as fit.
func links(m core.Message) string {
	var all []string
	left := maxLinks
	for _, l := range wording.Links(m) {
		link := `<a href="` + escape(l.URL, 2*len(l.URL)+1) + `">` + escape(l.Name, 50) + "</a>"
		if left -= len(link); left < 0 {
			break
		}
		all = append(all, link)
	}
	return strings.Join(all, " · ")
}

// call calls a method of the Bot API and returns the id of the message that it
// made or changed.
func (s *Sender) call(ctx context.Context, method string, body message) (core.Answer, int64) {
	url := strings.TrimRight(s.Settings.APIURL, "/") + "/bot" + s.Settings.Token + "/" + method
	reply := s.Client.Post(ctx, url, nil, body)
	var said struct {
		OK          bool   `json:"ok"`
		Description string `json:"description"`
		Parameters  struct {
			RetryAfter int `json:"retry_after"` // seconds
		} `json:"parameters"`
		Result struct {
			ID int64 `json:"message_id"`
		} `json:"result"`
	}
	if reply.Err != nil {
		return reply.Answer, 0
	}
	if err := json.Unmarshal(reply.Body, &said); err != nil {
		if reply.Status == http.StatusOK {
			reply.Fault = core.DestinationFault
			reply.Err = fmt.Errorf("%s: the answer isn't Telegram's: %w", method, err)
		}
		return reply.Answer, 0
	}
	if said.Parameters.RetryAfter > 0 {
		reply.RetryAfter = strconv.Itoa(said.Parameters.RetryAfter)
	}
	if !said.OK {
		reply.Err = fmt.Errorf("%s: %d %s", method, reply.Status, wording.Cut(wording.Line(said.Description), 200))
		reply.Fault = fault(reply.Status, said.Description)
	}
	return reply.Answer, said.Result.ID
}

// fault says whose fault a refusal is, where the status doesn't tell: 400 is
// also what a chat that isn't there gets.
func fault(status int, description string) core.FaultClass {
	if status == http.StatusOK {
		return core.DestinationFault
	}
	for _, words := range []string{"chat not found", "not enough rights", "have no rights", "chat was upgraded", "thread not found", "TOPIC"} {
		if status == http.StatusBadRequest && strings.Contains(description, words) {
			return core.DestinationFault
		}
	}
	return core.NoFault
}
