// Package alertmanager hands incidents over to a Prometheus Alertmanager, by
// the API with which Prometheus does so: its own routing and receivers take it
// from there.
package alertmanager

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/vendor"
	"bellcrank.example/core/destination/wording"
)

// Settings are what an operator writes in an Alertmanager destination's
// settings.
type Settings struct {
	URL           string            `json:"url" required:"true" doc:"Where the Alertmanager is, such as http://alertmanager:9093; of a cluster each member is a destination."`
	Labels        map[string]string `json:"labels" doc:"Labels of every alert; above those of incidents."`
	Authorization string            `json:"authorization" secret:"true" doc:"The Authorization header, if one is wanted."`
	vendor.Common
	transport.Login
}

// Sender posts to one Alertmanager.
type Sender struct{ vendor.Sender[Settings] }

// New checks the settings and returns a Sender.
func New(cfg core.SenderConfig) (*Sender, error) {
	base, err := vendor.New[Settings]("alertmanager", cfg)
	if err != nil {
		return nil, err
	}
	return &Sender{base}, nil
}

// Check reports what keeps the settings from working.
func (s Settings) Check() error {
	if !httpguts.ValidHeaderFieldValue(s.Authorization) {
		return errors.New("authorization has characters that a header can't carry")
	}
	if s.Authorization != "" && s.Any() {
		return errors.New("authorization can't be set beside another way to log in")
	}
	return transport.CheckURL(s.URL)
}

// alert is what POST /api/v2/alerts takes a list of:
// https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

// staysOpen is how long an alert fires unless we say that it is over. Without
// an end Alertmanager resolves after five minutes what isn't posted again, but
// we post changes only.
const staysOpen = 30 * 24 * time.Hour

// Send posts the incident as it is now. Alertmanager knows an alert by all its
// labels; if they have changed, the one with the old labels ends in the same
// request.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	header := http.Header{}
	if s.Settings.Authorization != "" {
		header["Authorization"] = []string{s.Settings.Authorization}
	}
	now := s.alert(m)
	alerts := []alert{now}
	var before map[string]string
	if json.Unmarshal([]byte(m.Memory), &before) == nil && len(before) > 0 && !maps.Equal(before, now.Labels) {
		alerts = append(alerts, alert{Labels: before, StartsAt: now.StartsAt, EndsAt: later(now.StartsAt, m.At.UTC())})
	}
	answer := s.Client.Post(ctx, strings.TrimRight(s.Settings.URL, "/")+"/api/v2/alerts", header, alerts).Answer
	if class, _ := answer.Classify(m.Now); class == core.NoFault {
		// A map of texts can't fail to encode.
		memory, _ := json.Marshal(now.Labels)
		answer.Remember = string(memory)
	}
	return answer
}

func (s *Sender) alert(m core.Message) alert {
	in := m.Incident
	a := alert{Labels: s.labels(in), StartsAt: in.OpenedAt.UTC(), Annotations: map[string]string{
		"summary": wording.Cut(s.Words.TitleOr(m, ownTitle), 500), "description": wording.Cut(s.Words.Text(m), 8000),
	}}
	a.EndsAt = m.At.Add(staysOpen).UTC()
	if !in.Open() {
		a.EndsAt = later(a.StartsAt, in.ResolvedAt.UTC())
	}
	for i, l := range wording.Links(m) {
		if len(l.URL) > 2000 {
			continue
		}
		if a.GeneratorURL == "" {
			a.GeneratorURL = l.URL
		}
		if i > 0 && strings.EqualFold(l.Name, "runbook") {
			a.Annotations["runbook_url"] = l.URL
		}
	}
	maps.DeleteFunc(a.Annotations, func(_, value string) bool { return value == "" })
	return a
}

func ownTitle(m core.Message) string { return m.Incident.Title }

// later keeps an end from being the beginning, which Alertmanager refuses.
func later(start, end time.Time) time.Time {
	if !end.After(start) {
		return start.Add(time.Millisecond)
	}
	return end
}

// maxLabels bounds the incident's own.
const maxLabels = 50

// labels are the incident's own, then those that make it what it is, then the
// operator's.
func (s *Sender) labels(in *core.Incident) map[string]string {
	labels := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(in.Labels))[:min(len(in.Labels), maxLabels)] {
		labels[labelName(name)] = wording.Cut(in.Labels[name], 300)
	}
	labels["alertname"] = cmp.Or(labels["alertname"], wording.Cut(wording.Line(in.Title), 200), "incident")
	labels["incident"] = in.Name()
	labels["severity"] = strings.ToLower(string(in.Severity))
	labels["integration"] = in.Integration
	if in.Service != "" {
		labels["service"] = wording.Cut(wording.Line(in.Service), 200)
	}
	for name, value := range s.Settings.Labels {
		labels[labelName(name)] = value
	}
	maps.DeleteFunc(labels, func(name, value string) bool { return name == "" || value == "" })
	return labels
}

var notInName = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// labelName is the name as every version of Alertmanager takes it.
func labelName(name string) string {
	name = notInName.ReplaceAllString(wording.Cut(name, 100), "_")
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}
