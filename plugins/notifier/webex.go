package main

import (
	"cmp"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	notifier "github.com/prometheus/alertmanager/notify/webex"
	commoncfg "github.com/prometheus/common/config"

	"bellcrank.example/sdk"
)

// webexSettings are what an operator writes for Webex.
type webexSettings struct {
	Token  string `json:"token" required:"true" secret:"true" doc:"A bot's access token."`
	RoomID string `json:"room_id" required:"true" doc:"The id of a space in which the bot is."`
	URL    string `json:"url" default:"https://webexapis.com/v1/messages" doc:"Where messages are posted."`
	texts
}

func webex() destination {
	return of[webexSettings](sdk.Info{
		Type: "webex", Name: "Webex", Summary: "Posts each change to a Webex space.",
		DocsURL: "https://developer.webex.com/docs/api/v1/messages/create-a-message",
	})
}

func (s webexSettings) check() error {
	return cmp.Or(filled("token", s.Token, "room_id", s.RoomID), checkURL(s.URL))
}

func (s webexSettings) notifier(m message, w *wire) (notify.Notifier, error) {
	c := config.DefaultWebexConfig
	c.HTTPConfig = &commoncfg.HTTPClientConfig{Authorization: &commoncfg.Authorization{Type: "Bearer", Credentials: commoncfg.Secret(s.Token)}}
	c.APIURL = w.url(s.URL)
	c.RoomID, c.Message = literal(s.RoomID), literal(webexMarkdown(m))
	return notifier.New(&c, m.templates(), logger, w.options()...)
}

// maxWebex is the longest message in bytes, which Webex counts encrypted.
const maxWebex = 7000

// webexMarkup is what Webex gives a meaning to: Markdown, and tags such as
// <@all>, which calls everybody.
var webexMarkup = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;",
	"\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "#", "\\#", "~", "\\~")

func webexMarkdown(m message) string {
	lines := []string{"**" + unmarked(cut(m.title(), 500), webexMarkup) + "**"}
	if text := m.text(); text != "" {
		lines = append(lines, cut(unmarked(cut(text, 4000), webexMarkup), 5000))
	}
	for _, l := range m.links() {
		lines = append(lines, "["+unmarked(cut(l.Name, 100), webexMarkup)+"](<"+l.URL+">)")
	}
	return cut(strings.Join(lines, "\n\n"), maxWebex)
}
