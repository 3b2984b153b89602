package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	notifier "github.com/prometheus/alertmanager/notify/wechat"
	commoncfg "github.com/prometheus/common/config"

	"bellcrank.example/sdk"
)

// wechatSettings are what an operator writes for WeChat Work (WeCom).
type wechatSettings struct {
	CorpID    string `json:"corp_id" required:"true" doc:"The id of the company."`
	APISecret string `json:"api_secret" required:"true" secret:"true" doc:"The secret of the application."`
	AgentID   string `json:"agent_id" required:"true" doc:"The id of the application."`
	ToUser    string `json:"to_user" doc:"Who is told: ids of users with | between them, or @all."`
	ToParty   string `json:"to_party" doc:"Which departments are told: ids with | between them."`
	ToTag     string `json:"to_tag" doc:"Which tags' people are told: ids with | between them."`
	URL       string `json:"url" default:"https://qyapi.weixin.qq.com/cgi-bin" doc:"Where the API is."`
	texts
}

func wechat() destination {
	return of[wechatSettings](sdk.Info{
		Type: "wechat", Name: "WeChat Work", Summary: "Sends each change by an application of WeChat Work (WeCom).",
		DocsURL: "https://developer.work.weixin.qq.com/document/path/90236", Taken: []byte(`{"errcode":0,"errmsg":"ok","access_token":"taken"}`),
	})
}

func (s wechatSettings) check() error {
	if s.ToUser == "" && s.ToParty == "" && s.ToTag == "" {
		return errors.New("to_user, to_party or to_tag must say who is told")
	}
	return cmp.Or(filled("corp_id", s.CorpID, "api_secret", s.APISecret, "agent_id", s.AgentID), checkURL(s.URL))
}

// maxWechat is the longest text in bytes.
const maxWechat = 2048

// wechatMarkup is what WeChat gives a meaning to in a text: links.
var wechatMarkup = strings.NewReplacer("<", "‹", ">", "›")

func (s wechatSettings) notifier(m message, w *wire) (notify.Notifier, error) {
	c := config.DefaultWechatConfig
	c.HTTPConfig = &commoncfg.HTTPClientConfig{}
	c.APIURL = w.url(strings.TrimRight(s.URL, "/") + "/")
	c.CorpID, c.APISecret, c.AgentID = literal(s.CorpID), commoncfg.Secret(literal(s.APISecret)), literal(s.AgentID)
	c.ToUser, c.ToParty, c.ToTag = literal(s.ToUser), literal(s.ToParty), literal(s.ToTag)
	c.MessageType, c.Message = "text", literal(wechatText(m))
	return notifier.New(&c, m.templates(), logger, w.options()...)
}

func wechatText(m message) string {
	text := unmarked(cut(m.title(), 400)+"\n"+cut(m.text(), 1000), wechatMarkup)
	if at := m.url(); at != "" {
		text += "\n" + at
	}
	return cut(text, maxWechat)
}

// wechatCode is how WeChat says in a 200 what is wrong:
// https://developer.work.weixin.qq.com/document/path/90313.
type wechatCode struct {
	Code    int    `json:"errcode"`
	Message string `json:"errmsg"`
}

// The codes that ask to wait, and those that are about the message alone. All
// others say something of the target or of our access to it.
var (
	wechatBusy  = []int{-1, 45009, 45033, 45011}
	wechatFault = []int{40033, 40058, 44004, 45001, 45002, 45003, 45007}
)

const wechatPause = time.Minute

func (s wechatSettings) verdict(a sdk.HTTPAnswer, err error) sdk.Outcome {
	if err == nil {
		return sdk.Outcome{Class: sdk.Delivered}
	}
	var code wechatCode
	if json.Unmarshal(a.Body, &code) != nil || code.Code == 0 {
		return sdk.Outcome{Class: sdk.Retry, Message: "the answer is none of WeChat's"}
	}
	o := sdk.Outcome{Class: sdk.Retry, Message: fmt.Sprintf("errcode %d: %s", code.Code, code.Message)}
	switch {
	case slices.Contains(wechatBusy, code.Code):
		o.RetryAfter = wechatPause
	case slices.Contains(wechatFault, code.Code):
		o.Class = sdk.Refused
	}
	return o
}
