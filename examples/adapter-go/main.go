// Command lighthouse adapts the webhooks of Lighthouse, a monitoring tool that
// doesn't exist. It was begun with `bellcrank plugin new`; what a person knew
// and a draft can't are the words for a beacon's states, the settings, and the
// request that is sent to try the connection.
package main

import (
	"context"
	_ "embed"
	"encoding/json"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/serve"
)

func main() { serve.Adapter(adapter{}) }

// firing is a recorded request: a case of the tests, and what the test button
// sends.
//
//go:embed testdata/problem_firing/request.json
var firing []byte

// settings are what an operator can say about an integration.
type settings struct {
	Dimmed      string `json:"dimmed" default:"ignore" enum:"ignore,trigger" doc:"What a beacon that is dimmed, not dark, does."`
	ServiceFrom string `json:"service_from" doc:"A label whose value is the service; the component if it is empty or not there."`
}

type adapter struct{}

// Describe says what the adapter is. Its answer is pinned with the executable.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "lighthouse", Name: "Lighthouse", Version: "1.0.0",
		Summary:  "Beacons that light up, and go dark again.",
		Sender:   sdk.Machine,
		Settings: sdk.SettingsOf[settings](),
		Samples:  []sdk.Sample{sdk.SampleOf("a beacon is lit", firing)},
		Setup:    "Under Beacons → Hooks add `{{url}}`, and tick Lit and Dark: without the latter no incident ends.\n",
	}
}

// payload is the part of a body that we read.
type payload struct {
	Kind    sdk.Text          `json:"kind"`
	Beacons []json.RawMessage `json:"beacons"`
}

// beacon is one element of "beacons".
type beacon struct {
	ID        sdk.Text   `json:"beacon_id"`
	State     sdk.Text   `json:"state"` // lit, dimmed or dark
	Headline  sdk.Text   `json:"headline"`
	Detail    sdk.Text   `json:"detail"`
	Urgency   sdk.Text   `json:"urgency"`
	Component sdk.Text   `json:"component"`
	LitAt     sdk.Text   `json:"lit_at"`
	DarkAt    sdk.Text   `json:"dark_at"`
	Page      sdk.Text   `json:"page"`
	Labels    sdk.Labels `json:"labels"`
}

// Adapt makes an event of each beacon.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	p, err := sdk.Decode[payload](r.Body)
	switch {
	case err != nil:
		return sdk.Result{}, err
	case p.Kind == "beacon.hello":
		return sdk.Result{Ignored: "Lighthouse tries the connection"}, nil
	case p.Kind == "beacon.dimmed" && s.Dimmed == "ignore":
		return sdk.Result{Ignored: "the beacon is only dimmed"}, nil
	}
	return sdk.Each(ctx, "beacons", p.Beacons, s.event)
}

// event says in the gateway's words what Lighthouse says of a beacon.
func (s settings) event(b beacon) (sdk.Event, error) {
	title := sdk.Line(string(b.Headline))
	if title == "" {
		return sdk.Event{}, &sdk.Failure{Code: sdk.Malformed, Path: "headline", Message: "there is no headline"}
	}
	e := sdk.Event{
		Action: sdk.Trigger, Title: title,
		DedupKey: sdk.Line(string(b.ID)), IdentityRule: "beacon_id",
		Description: sdk.Paragraphs(string(b.Detail)),
		SeverityRaw: sdk.Line(string(b.Urgency)),
		Service:     sdk.Line(string(b.Component)),
		SourceURL:   sdk.AbsoluteURL(string(b.Page)),
		OccurredAt:  sdk.ParseTime(string(b.LitAt)),
		Labels:      b.Labels,
	}
	if service := b.Labels[s.ServiceFrom]; service != "" {
		e.Service = service
	}
	if b.State == "dark" {
		e.Action, e.EndedAt = sdk.Resolve, sdk.ParseTime(string(b.DarkAt))
		return e, nil // the end of a problem has no severity
	}
	e.Severity = sdk.SeverityOf(e.SeverityRaw)
	return e, nil
}
