package main

import (
	"cmp"

	"github.com/prometheus/alertmanager/notify"
	notifier "github.com/prometheus/alertmanager/notify/incidentio"
	commoncfg "github.com/prometheus/common/config"

	"bellcrank.example/sdk"
)

// incidentioSettings are what an operator writes for incident.io.
type incidentioSettings struct {
	URL   string `json:"url" required:"true" doc:"The URL of an alert source for Alertmanager."`
	Token string `json:"token" required:"true" secret:"true" doc:"The alert source's token."`
	texts
}

func incidentio() destination {
	return of[incidentioSettings](sdk.Info{
		Type: "incidentio", Name: "incident.io", Summary: "Hands incidents to an alert source of incident.io.",
		DocsURL: "https://docs.incident.io/alerts/alert-sources",
	})
}

func (s incidentioSettings) check() error {
	return cmp.Or(checkURL(s.URL), filled("token", s.Token))
}

func (s incidentioSettings) notifier(m message, w *wire) (notify.Notifier, error) {
	c := notifier.IncidentioConfig{
		HTTPConfig: &commoncfg.HTTPClientConfig{}, URL: w.url(s.URL), AlertSourceToken: commoncfg.Secret(s.Token),
	}
	return notifier.New(&c, m.templates(), logger, w.options()...)
}
