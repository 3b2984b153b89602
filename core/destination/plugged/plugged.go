// Package plugged is a destination whose type comes from a plugin. The plugin
// says which requests to make and what the answers mean; they are made here,
// with the guard and the limits of every other destination.
package plugged

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/transport"
	"bellcrank.example/core/destination/wording"
	"bellcrank.example/sdk"
)

const (
	// maxRequests bounds the requests of one attempt.
	maxRequests = 4
	// maxBody bounds a request's body, and maxRemember what is remembered of an
	// incident, in bytes.
	maxBody     = 1 << 20
	maxRemember = 4 << 10
	maxWords    = 300
	// maxIncident bounds what a plugin is told of an incident, in bytes of
	// JSON: a call has a size, and senders choose that of an incident.
	maxIncident = 4 << 20
	// patience is for the body of an answer, which the plugin may need.
	patience = 5 * time.Second
)

// Plugins asks destination plugins.
type Plugins interface {
	// Deliver asks a plugin what is to be done next for a delivery.
	Deliver(ctx context.Context, plugin string, d sdk.Delivery) (sdk.Step, error)
}

// Port leads from senders, which come with a configuration, to the plugins,
// which run later and longer. Its zero value leads nowhere yet.
type Port struct{ plugins atomic.Pointer[Plugins] }

// Connect makes the port lead to the plugins.
func (p *Port) Connect(plugins Plugins) { p.plugins.Store(&plugins) }

func (p *Port) deliver(ctx context.Context, plugin string, d sdk.Delivery) (sdk.Step, error) {
	plugins := p.plugins.Load()
	if plugins == nil {
		return sdk.Step{}, errors.New("no plugins run here")
	}
	return (*plugins).Deliver(ctx, plugin, d)
}

// Sender delivers by a plugin.
type Sender struct {
	port     *Port
	plugin   string
	settings json.RawMessage
	texts    []string // names of the templates
	words    wording.Wording
	client   *transport.Client
}

// Ours are the settings that a type from a plugin has besides its own: how the
// target is reached, which is the gateway's business. A plugin that has one of
// that name keeps it.
func Ours(own []sdk.Setting) []sdk.Setting {
	return slices.DeleteFunc(sdk.SettingsOf[transport.Connection](), func(ours sdk.Setting) bool {
		return slices.ContainsFunc(own, func(s sdk.Setting) bool { return s.Name == ours.Name })
	})
}

// New returns a Sender of a plugin with these settings of its own.
func New(port *Port, own []sdk.Setting, cfg core.SenderConfig) (*Sender, error) {
	theirs, connection, err := divide(cfg.Settings, Ours(own))
	if err != nil {
		return nil, err
	}
	client, err := transport.New(transport.Config{AllowedCIDRs: cfg.AllowedCIDRs, Connection: connection, Patience: patience})
	if err != nil {
		return nil, err
	}
	return &Sender{
		port: port, plugin: cfg.Plugin, settings: theirs, client: client,
		texts: slices.Sorted(maps.Keys(cfg.Templates)), words: wording.New(cfg.Templates),
	}, nil
}

// divide keeps our settings from the plugin: it has no use for a private key.
func divide(settings json.RawMessage, ours []sdk.Setting) (theirs json.RawMessage, connection transport.Connection, err error) {
	all, mine := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := json.Unmarshal(settings, &all); err != nil {
		return nil, connection, fmt.Errorf("settings: %w", err)
	}
	for _, s := range ours {
		if value, ok := all[s.Name]; ok {
			mine[s.Name] = value
			delete(all, s.Name)
		}
	}
	object, err := json.Marshal(mine)
	if err != nil {
		return nil, connection, fmt.Errorf("settings: %w", err)
	}
	if connection, err = sdk.DecodeSettings[transport.Connection](object); err != nil {
		return nil, connection, err
	}
	theirs, err = json.Marshal(all)
	return theirs, connection, err
}

// Plugin is the plugin's name.
func (s *Sender) Plugin() string { return s.plugin }

// Settings are what the plugin shall be configured with.
func (s *Sender) Settings() json.RawMessage { return s.settings }

// Send makes the requests that the plugin asks for, until it says how the
// attempt ended. A plugin that doesn't answer is as a destination that doesn't.
func (s *Sender) Send(ctx context.Context, m core.Message) core.Answer {
	d := s.delivery(m)
	var last core.Answer
	for {
		step, err := s.port.deliver(ctx, s.plugin, d)
		switch {
		case err != nil:
			return failed(last, fmt.Errorf("the plugin: %w", err))
		case step.Outcome != nil:
			return ended(last, *step.Outcome, m.Now)
		case len(d.Answers) == maxRequests:
			return failed(last, fmt.Errorf("the plugin asks for more than %d requests in one attempt", maxRequests))
		}
		request, err := httpRequest(ctx, *step.Request)
		if err != nil {
			return failed(last, fmt.Errorf("the plugin's request: %w", err))
		}
		reply := s.client.Do(request)
		if reply.Err != nil {
			return reply.Answer // nobody has answered: there is nothing to interpret
		}
		last = reply.Answer
		d.Answers = append(d.Answers, sdk.HTTPAnswer{Status: reply.Status, Header: reply.Header, Body: reply.Body})
	}
}

func httpRequest(ctx context.Context, r sdk.HTTPRequest) (*http.Request, error) {
	if err := transport.CheckURL(r.URL); err != nil {
		return nil, err
	}
	if len(r.Body) > maxBody {
		return nil, fmt.Errorf("its body has %d bytes, %d are the most", len(r.Body), maxBody)
	}
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return nil, errors.New("method or url can't be used") // the error would repeat the URL
	}
	for name, values := range r.Header {
		for _, value := range values {
			request.Header.Add(name, value)
		}
	}
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "bellcrank")
	}
	return request, nil
}

func failed(last core.Answer, err error) core.Answer {
	last.Err, last.Fault = err, core.DestinationFault
	return last
}

// ended is what an outcome means for the last answer. The plugin knows its
// target: a 409 may well be a success, and a 200 none. What it says nothing of
// is as it is with every other type: how long a 429 waits, and that a 410 is
// for ever.
func ended(last core.Answer, o sdk.Outcome, now time.Time) core.Answer {
	class, _ := last.Classify(now)
	last.Remember = o.Remember
	if len(o.Remember) > maxRemember {
		return failed(last, fmt.Errorf("the plugin wants %d bytes remembered, %d are the most", len(o.Remember), maxRemember))
	}
	switch {
	case o.Class == sdk.Delivered:
		last.Status, last.Err, last.Fault = http.StatusOK, nil, core.NoFault
		return last
	case o.Class == sdk.Refused && class == core.Gone:
		last.Fault = core.Gone
	case o.Class == sdk.Refused:
		last.Fault = core.DeliveryFault
	case o.RetryAfter > 0:
		last.Fault, last.RetryAfter = core.Throttled, strconv.FormatInt(int64(o.RetryAfter/time.Second), 10)
	case class == core.Throttled:
		last.Fault = core.Throttled
	default:
		last.Fault = core.DestinationFault
	}
	if last.Err = errors.New("the target didn't take it"); o.Message != "" {
		last.Err = errors.New(wording.Cut(wording.Line(o.Message), maxWords))
	}
	return last
}

func (s *Sender) delivery(m core.Message) sdk.Delivery {
	return sdk.Delivery{
		ID: m.ID, Destination: m.Destination, Kind: string(m.Kind), Attempt: m.Attempt, At: m.At, Now: m.Now,
		Author: m.Author, Note: m.Note, Memory: m.Memory, Settings: s.settings, Incident: fit(incident(m)),
		Texts: s.rendered(m), Headline: wording.New(nil).Title(m),
	}
}

// rendered makes the texts that the operator has written. One that fails is
// left out: the plugin has words of its own.
func (s *Sender) rendered(m core.Message) map[string]string {
	texts := map[string]string{}
	for _, name := range s.texts {
		if text := s.words.Render(name, m, func(core.Message) string { return "" }); text != "" {
			texts[name] = text
		}
	}
	return texts
}

func incident(m core.Message) sdk.Incident {
	in := m.Incident
	return sdk.Incident{
		ID: in.Name(), UID: in.ID.String(), Title: in.Title, Description: in.Description, Severity: in.Severity, Status: string(in.Status),
		Service: in.Service, AffectedServices: in.Affected, CustomerImpact: in.Impact, URL: m.IncidentURL, SourceURL: in.SourceURL,
		Integration: in.Integration, DedupKey: in.DedupKey, Version: in.Version, Count: in.Count,
		OpenedAt: in.OpenedAt, AcknowledgedAt: in.AckedAt, ResolvedAt: in.ResolvedAt,
		Labels: in.Labels, Metadata: in.Metadata, Links: in.Links, Test: in.Test, Previous: in.Previous.String(),
	}
}

// fit leaves out of an incident that is far too large what it is large by.
func fit(in sdk.Incident) sdk.Incident {
	if texts(in) <= maxIncident {
		if encoded, err := json.Marshal(in); err == nil && len(encoded) <= maxIncident {
			return in
		}
	}
	const (
		members = 256
		text    = 4 << 10 // characters
	)
	in.Metadata = nil
	for _, s := range []*string{&in.Title, &in.Service, &in.DedupKey, &in.SourceURL} {
		*s = wording.Cut(*s, text)
	}
	in.Description = wording.Cut(in.Description, 4*text)
	var affected []string
	for _, s := range in.AffectedServices[:min(len(in.AffectedServices), members)] {
		affected = append(affected, wording.Cut(s, text))
	}
	labels := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(in.Labels))[:min(len(in.Labels), members)] {
		labels[wording.Cut(name, text)] = wording.Cut(in.Labels[name], text)
	}
	var links []sdk.Link
	for _, l := range in.Links[:min(len(in.Links), members)] {
		links = append(links, sdk.Link{Name: wording.Cut(l.Name, text), URL: wording.Cut(l.URL, text)})
	}
	in.AffectedServices, in.Labels, in.Links = affected, labels, links
	return in
}

// texts counts the bytes of an incident's texts: what is too large by them
// needn't be encoded to know it.
func texts(in sdk.Incident) int {
	n := len(in.Title) + len(in.Description) + len(in.Service) + len(in.DedupKey) + len(in.SourceURL)
	for _, s := range in.AffectedServices {
		n += len(s)
	}
	for name, value := range in.Labels {
		n += len(name) + len(value)
	}
	for _, l := range in.Links {
		n += len(l.Name) + len(l.URL)
	}
	return n
}
