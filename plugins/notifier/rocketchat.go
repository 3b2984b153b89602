package main

import (
	"cmp"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	notifier "github.com/prometheus/alertmanager/notify/rocketchat"
	commoncfg "github.com/prometheus/common/config"

	"bellcrank.example/sdk"
)

// rocketchatSettings are what an operator writes for Rocket.Chat.
type rocketchatSettings struct {
	URL     string `json:"url" required:"true" doc:"The server, such as https://chat.example.com."`
	UserID  string `json:"user_id" required:"true" doc:"The id of the user who posts."`
	Token   string `json:"token" required:"true" secret:"true" doc:"A personal access token of that user."`
	Channel string `json:"channel" required:"true" doc:"Where to post: #channel, @user, or a room's id."`
	Emoji   string `json:"emoji" doc:"An emoji in the place of the user's picture, such as :bell:."`
	texts
}

func rocketchat() destination {
	return of[rocketchatSettings](sdk.Info{
		Type: "rocketchat", Name: "Rocket.Chat", Summary: "Posts each change to a Rocket.Chat channel.",
		DocsURL: "https://developer.rocket.chat/apidocs/post-message", Taken: []byte(`{"success":true}`),
	})
}

func (s rocketchatSettings) check() error {
	return cmp.Or(checkURL(s.URL), filled("user_id", s.UserID, "token", s.Token, "channel", s.Channel))
}

// rocketchatMarkup is what Rocket.Chat gives a meaning to.
var rocketchatMarkup = backslashed("\\*_~`[]")

func (s rocketchatSettings) notifier(m message, w *wire) (notify.Notifier, error) {
	token, user := commoncfg.Secret(s.Token), commoncfg.Secret(s.UserID)
	c := config.DefaultRocketchatConfig
	c.HTTPConfig = &commoncfg.HTTPClientConfig{}
	c.APIURL, c.Token, c.TokenID = w.url(s.URL), &token, &user
	c.Channel, c.Emoji, c.IconURL, c.Color = literal(s.Channel), literal(s.Emoji), "", colour(m)
	c.Title, c.TitleLink = literal(calls.ReplaceAllString(m.title(), "@\u2060$1")), literal(m.url())
	c.Text = literal(unmarked(cut(m.text(), 4000), rocketchatMarkup))
	short := true
	for _, f := range m.facts() {
		c.Fields = append(c.Fields, &config.RocketchatAttachmentField{
			Title: literal(strings.ReplaceAll(f.name, "_", " ")), Value: literal(unmarked(f.value, rocketchatMarkup)), Short: &short,
		})
	}
	return notifier.New(&c, m.templates(), logger, w.options()...)
}

// verdict takes an answer that was cut for success: it repeats the message at
// length, which Rocket.Chat does only when it was posted, and trying again would
// post it twice.
func (s rocketchatSettings) verdict(a sdk.HTTPAnswer, err error) sdk.Outcome {
	const most = 16 << 10 // bytes that the gateway reads
	if len(a.Body) >= most && a.Body[0] == '{' {
		return sdk.Outcome{Class: sdk.Delivered}
	}
	return outcome(a, false, err)
}

// colour is green once the incident is over, else the severity's.
func colour(m message) string {
	if m.over() {
		return "#2eb67d"
	}
	switch m.Incident.Severity {
	case sdk.Critical:
		return "#c4162a"
	case sdk.High:
		return "#e8590c"
	case sdk.Medium:
		return "#f2b705"
	case sdk.Low:
		return "#3b82f6"
	}
	return "#8a8f98"
}
