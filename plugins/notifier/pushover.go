package main

import (
	"cmp"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	notifier "github.com/prometheus/alertmanager/notify/pushover"
	commoncfg "github.com/prometheus/common/config"

	"bellcrank.example/sdk"
)

// pushoverSettings are what an operator writes for Pushover. The limits are
// those of https://pushover.net/api.
type pushoverSettings struct {
	Token      string            `json:"token" required:"true" secret:"true" doc:"The API token of an application."`
	UserKey    string            `json:"user_key" required:"true" secret:"true" doc:"The key of a user or a group."`
	Device     string            `json:"device" doc:"The user's devices by name, with commas between them; all of them otherwise."`
	Sound      string            `json:"sound" doc:"The sound by its name; the user's own otherwise."`
	Priorities map[string]string `json:"priorities" doc:"Pushover's priority, -2 to 2, for each of our severities; by default 2, 1, 0, -1, -1. 2 calls until somebody acknowledges in Pushover."`
	Retry      string            `json:"retry" default:"1m" doc:"How often priority 2 calls; 30s at least."`
	Expire     string            `json:"expire" default:"1h" doc:"How long priority 2 calls at most; 3h at most."`
	URL        string            `json:"url" default:"https://api.pushover.net/1/messages.json" doc:"Where messages are posted."`
	texts
}

func pushover() destination {
	return of[pushoverSettings](sdk.Info{
		Type: "pushover", Name: "Pushover", Summary: "Notifies phones of each change by Pushover.", DocsURL: "https://pushover.net/api",
	})
}

func (s pushoverSettings) check() error {
	if err := cmp.Or(
		filled("token", s.Token, "user_key", s.UserKey), checkURL(s.URL),
		words(s.Priorities).check("priorities", "-2", "-1", "0", "1", "2"),
	); err != nil {
		return err
	}
	if err := checkTime("retry", s.Retry, 30*time.Second, 3*time.Hour); err != nil {
		return err
	}
	return checkTime("expire", s.Expire, 30*time.Second, 3*time.Hour)
}

func (s pushoverSettings) notifier(m message, w *wire) (notify.Notifier, error) {
	c := config.DefaultPushoverConfig
	c.HTTPConfig = &commoncfg.HTTPClientConfig{}
	c.Token, c.UserKey = commoncfg.Secret(literal(s.Token)), commoncfg.Secret(literal(s.UserKey))
	c.Device, c.Sound = literal(s.Device), literal(s.Sound)
	c.Title, c.Message = literal(m.title()), literal(m.text())
	c.URL, c.URLTitle, c.Priority = literal(m.url()), "", s.priority(m)
	if c.URL != "" {
		c.URLTitle = literal(m.links()[0].Name)
	}
	if err := cmp.Or(c.Retry.UnmarshalText([]byte(s.Retry)), c.Expire.UnmarshalText([]byte(s.Expire))); err != nil {
		return nil, err
	}
	return notifier.New(&c, m.templates(), logger, w.options()...)
}

// priority is that of the severity; what needs nobody at once makes no sound.
func (s pushoverSettings) priority(m message) string {
	usual := map[sdk.Severity]string{sdk.Critical: "2", sdk.High: "1", sdk.Medium: "0"}[m.Incident.Severity]
	if usual == "" {
		usual = "-1"
	}
	if of := words(s.Priorities).of(m.Incident.Severity, usual); !m.quiet() || of == "-2" {
		return of
	}
	return "-1"
}

// mend takes the parameters, secrets among them, out of the URL: proxies write
// it down, and it may become longer than servers take.
func (s pushoverSettings) mend(r *sdk.HTTPRequest) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return // it has just been put together
	}
	r.URL, r.Body = s.URL, []byte(u.RawQuery)
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
}
