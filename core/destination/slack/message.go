package slack

import (
	"fmt"
	"regexp"
	"strings"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/wording"
)

// message is what chat.postMessage, chat.update and an incoming webhook take:
// https://docs.slack.dev/messaging/formatting-message-text.
type message struct {
	Channel     string       `json:"channel,omitempty"`
	TS          string       `json:"ts,omitempty"`
	ThreadTS    string       `json:"thread_ts,omitempty"`
	Broadcast   bool         `json:"reply_broadcast,omitempty"`
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments,omitempty"`
	Unfurl      bool         `json:"unfurl_links"`
}

type attachment struct {
	Color  string  `json:"color"`
	Blocks []block `json:"blocks"`
}

type block struct {
	Type     string `json:"type"` // section or context
	Text     *text  `json:"text,omitempty"`
	Fields   []text `json:"fields,omitempty"`
	Elements []text `json:"elements,omitempty"`
}

type text struct {
	Type     string `json:"type"`
	Text     string `json:"text"`
	Verbatim bool   `json:"verbatim"` // no names and mentions are looked for in it
}

// Slack's limits, in characters.
const (
	maxTop     = 1000 // of our own: it is also the notification
	maxSection = 3000
	maxField   = 2000
	maxLinks   = 2000
)

// message makes the incident's message. Whoever is to be called is called only
// in a message that is new: an update notifies nobody.
func (s *Sender) message(m core.Message, fresh bool) message {
	top := "*" + escaped(s.Words.Title(m), maxTop) + "*"
	if called := s.called(m); fresh && called != "" {
		top = called + " " + top
	}
	return message{Text: top, Attachments: []attachment{{
		Color: fmt.Sprintf("#%06x", wording.Colour(m.Incident)), Blocks: s.blocks(m),
	}}}
}

// note makes what goes into the thread: one line. An escalation and a return
// are shown to the channel as well, as they call people.
func (s *Sender) note(m core.Message) message {
	line := escaped(s.Words.Title(m), maxTop)
	called := s.called(m)
	if called != "" {
		line = called + " " + line
	}
	return message{
		Text: line, Broadcast: m.Kind == core.Escalated || m.Kind == core.Reopened,
	}
}

func (s *Sender) blocks(m core.Message) []block {
	var blocks []block
	if body := s.Words.Text(m); body != "" {
		blocks = append(blocks, block{Type: "section", Text: mrkdwn(escaped(body, maxSection))})
	}
	facts := block{Type: "section"}
	for _, f := range wording.Facts(m.Incident) {
		facts.Fields = append(facts.Fields, *mrkdwn("*" + f.Name + "*\n" + escaped(f.Value, maxField-100)))
	}
	blocks = append(blocks, facts)
	if links := links(m); links != "" {
		blocks = append(blocks, block{Type: "context", Elements: []text{*mrkdwn(links)}})
	}
	return blocks
}

func mrkdwn(s string) *text { return &text{Type: "mrkdwn", Text: s, Verbatim: true} }

// links joins as many links as fit.
func links(m core.Message) string {
	all := ""
	for _, l := range wording.Links(m) {
		// A URL can't hold what would end the link; what does is no URL.
		if strings.ContainsAny(l.URL, "<>| \n") {
			continue
		}
		link := "<" + escaped(l.URL, maxLinks) + "|" + escaped(strings.ReplaceAll(l.Name, "|", "/"), 100) + ">"
		if len(l.URL) > maxLinks/2 || len(all)+len(link) > maxLinks {
			continue
		}
		if all != "" {
			all += "  "
		}
		all += link
	}
	return all
}

// called returns the mentions of those who are to be called, empty if nobody.
func (s *Sender) called(m core.Message) string {
	if !m.Kind.Opening() && m.Kind != core.Escalated {
		return ""
	}
	var all []string
	for _, who := range s.Settings.Mentions {
		all = append(all, mention(who))
	}
	return strings.Join(all, " ")
}

var (
	userID  = regexp.MustCompile(`^[UW][A-Z0-9]{6,20}$`)
	groupID = regexp.MustCompile(`^S[A-Z0-9]{6,20}$`)
)

// mention returns Slack's way to call somebody, empty if nobody has that name.
func mention(who string) string {
	switch {
	case who == "here" || who == "channel":
		return "<!" + who + ">"
	case userID.MatchString(who):
		return "<@" + who + ">"
	case groupID.MatchString(who):
		return "<!subteam^" + who + ">"
	}
	return ""
}

// escaped makes a text harmless and n characters long at most: markup and
// mentions begin with a < that isn't escaped.
func escaped(s string, n int) string {
	return wording.Escaping{'&': "&amp;", '<': "&lt;", '>': "&gt;"}.Escape(s, n)
}
