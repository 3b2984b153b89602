package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// PulseStore remembers who was heard of.
type PulseStore interface {
	// LastBeat returns when an integration last sent something.
	LastBeat(ctx context.Context, integration string) (time.Time, error)
	// Pulses lists what is known of heartbeats, SetPulse stores it. One
	// without a beginning is forgotten.
	Pulses(ctx context.Context) ([]core.Pulse, error)
	SetPulse(ctx context.Context, p core.Pulse) error
	// Listening returns since when, and up to when, the gateway has been able
	// to hear.
	Listening(ctx context.Context) (since, at time.Time, err error)
	SetListening(ctx context.Context, since, at time.Time) error
}

// pulses is what is known of heartbeats. Only Step touches it.
type pulses struct {
	loaded    bool
	known     map[string]core.Pulse // by integration
	since, at time.Time             // the gateway has been able to hear
}

const (
	// deaf is for how long the gateway may not have heard before every
	// interval begins anew: what was sent meanwhile is lost.
	deaf = time.Minute
	// noteEvery is how often it is noted that the gateway can hear.
	noteEvery = 20 * time.Second
)

// listen notes that the gateway can hear, and looks for what is missing.
func (s *Scheduler) listen(ctx context.Context, suspect bool) error {
	p := &s.pulses
	if !p.loaded {
		if err := s.loadPulses(ctx); err != nil {
			return fmt.Errorf("read what is known of heartbeats: %w", err)
		}
	}
	now := s.cfg.Now()
	since := p.since
	if now.Sub(p.at) > deaf || now.Before(p.at) || suspect {
		since = now
	}
	if !since.Equal(p.since) || now.Sub(p.at) >= noteEvery {
		if err := s.cfg.Store.SetListening(ctx, since, now); err != nil {
			return fmt.Errorf("note that we listen: %w", err) // and so we don't: nothing could be stored
		}
		p.since, p.at = since, now
	}
	if suspect {
		return nil
	}
	return s.checkAll(ctx, now)
}

func (s *Scheduler) loadPulses(ctx context.Context) error {
	list, err := s.cfg.Store.Pulses(ctx)
	if err != nil {
		return err
	}
	p := &s.pulses
	if p.since, p.at, err = s.cfg.Store.Listening(ctx); err != nil {
		return err
	}
	for _, pulse := range list {
		p.known[pulse.Integration] = pulse
	}
	p.loaded = true
	return nil
}

func (s *Scheduler) checkAll(ctx context.Context, now time.Time) error {
	var problems []error
	expected := map[string]bool{}
	for _, h := range s.cfg.Heartbeats() {
		expected[h.Integration] = true
		if err := s.check(ctx, &h, now); err != nil {
			problems = append(problems, fmt.Errorf("heartbeat of %s: %w", h.Integration, err))
		}
	}
	for integration, pulse := range s.pulses.known {
		if expected[integration] {
			continue
		}
		if err := s.forget(ctx, pulse); err != nil {
			problems = append(problems, fmt.Errorf("forget the heartbeat of %s: %w", integration, err))
		}
	}
	return errors.Join(problems...)
}

// check tells of one heartbeat that it is missing, or that it is back.
func (s *Scheduler) check(ctx context.Context, h *core.Heartbeat, now time.Time) error {
	pulse, known := s.pulses.known[h.Integration]
	if !known {
		return s.keep(ctx, core.Pulse{Tenant: core.DefaultTenant, Integration: h.Integration, Since: now})
	}
	last, err := s.cfg.Store.LastBeat(ctx, h.Integration)
	if err != nil {
		return err
	}
	switch missing := !pulse.Missing.IsZero(); {
	case missing && last.Add(h.Every+h.Grace).After(now):
		if err := s.tell(ctx, h.Integration, sdk.Event{Action: sdk.Resolve, DedupKey: beatKey}); err != nil {
			return err
		}
		pulse.Missing = time.Time{}
		return s.keep(ctx, pulse)
	case !missing && !now.Before(h.Due(pulse, last, s.pulses.since)):
		if err := s.tell(ctx, h.Integration, missingBeat(h, last)); err != nil {
			return err
		}
		pulse.Missing = now
		return s.keep(ctx, pulse)
	}
	return nil
}

// forget ends what is no longer expected.
func (s *Scheduler) forget(ctx context.Context, pulse core.Pulse) error {
	if !pulse.Missing.IsZero() {
		if err := s.tell(ctx, pulse.Integration, sdk.Event{Action: sdk.Resolve, DedupKey: beatKey}); err != nil {
			return err
		}
	}
	return s.keep(ctx, core.Pulse{Tenant: pulse.Tenant, Integration: pulse.Integration})
}

func (s *Scheduler) keep(ctx context.Context, pulse core.Pulse) error {
	if err := s.cfg.Store.SetPulse(ctx, pulse); err != nil {
		return err
	}
	if s.pulses.known[pulse.Integration] = pulse; pulse.Since.IsZero() {
		delete(s.pulses.known, pulse.Integration)
	}
	return nil
}

// beatKey is the dedup key of the incident within its integration. No
// adapter's key has this form.
const beatKey = "bellcrank:heartbeat"

func missingBeat(h *core.Heartbeat, last time.Time) sdk.Event {
	said := "Nothing has ever come."
	if !last.IsZero() {
		said = "The last came at " + last.UTC().Format(time.RFC3339) + "."
	}
	return sdk.Event{
		Action: sdk.Trigger, DedupKey: beatKey, IdentityRule: "heartbeat", Severity: h.Severity,
		Service: h.Service, Labels: h.Labels,
		Title:       fmt.Sprintf("No heartbeat from %s within %s", h.Integration, h.Every+h.Grace),
		Description: fmt.Sprintf("Something is expected every %s, and %s late at most. %s", h.Every, h.Grace, said),
	}
}

// tell stores an event as a request from ourselves.
func (s *Scheduler) tell(ctx context.Context, integration string, e sdk.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode our own event: %w", err)
	}
	kind, name, _ := strings.Cut(integration, "/")
	in := &core.Integration{Tenant: core.DefaultTenant, Type: kind, Name: name}
	r := &core.Request{
		ID: s.cfg.NewID(), Tenant: in.Tenant, Integration: integration, ReceivedAt: s.cfg.Now(), Method: "POST",
		Body: body, State: core.RequestDone, Adapter: "bellcrank",
	}
	_, err = s.cfg.Commit(ctx, &core.Submission{Insert: true, Change: core.Change{
		Request: r, ReopenWindow: core.DefaultReopenWindow, Last: true,
		Events: core.PrepareEvents(in, r.ID, false, []sdk.Event{e}),
	}})
	return err
}

// Beat is how one heartbeat is, for people.
type Beat struct {
	core.Heartbeat
	Last    time.Time // zero: never
	Due     time.Time // when it is missing
	Missing time.Time // since when it is; zero: it isn't
}

// Beats tells how the heartbeats are.
func (s *Scheduler) Beats(ctx context.Context) ([]Beat, error) {
	list, err := s.cfg.Store.Pulses(ctx)
	if err != nil {
		return nil, err
	}
	since, _, err := s.cfg.Store.Listening(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]core.Pulse{}
	for _, p := range list {
		known[p.Integration] = p
	}
	var beats []Beat
	for _, h := range s.cfg.Heartbeats() {
		b := Beat{Heartbeat: h, Missing: known[h.Integration].Missing}
		if b.Last, err = s.cfg.Store.LastBeat(ctx, h.Integration); err != nil {
			return nil, err
		}
		b.Due = h.Due(known[h.Integration], b.Last, since)
		beats = append(beats, b)
	}
	return beats, nil
}
