package main

import (
	"context"
	"time"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

type adapter struct{}

// Adapt makes one event of a hook that is about an incident. All others are
// ignored by name.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	if err := ctx.Err(); err != nil {
		return sdk.Result{}, err
	}
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	h, err := readHook(r)
	if err != nil {
		return sdk.Result{}, err
	}
	event, ignored, err := h.event(s)
	if err != nil || ignored != "" {
		return sdk.Result{Ignored: ignored}, err
	}
	h.setTime(&event, r)
	if event.Test && event.DedupKey != "" {
		// A real problem that joined a test's incident would page nobody.
		event.DedupKey = "test:" + event.DedupKey
	}
	if event.Action == sdk.Resolve {
		event.Severity, event.SeverityRaw = "", ""
		if event.EndedAt.IsZero() {
			event.EndedAt = event.OccurredAt
		}
	}
	return sdk.Result{Events: []sdk.Event{event}, Notes: h.notes}, nil
}

// event makes the event of a hook, or says why there is none.
func (h *hook) event(s settings) (event sdk.Event, ignored string, err error) {
	switch h.resource {
	case resourceEventAlert:
		return h.eventAlert(s)
	case resourceError:
		return h.errorEvent(s)
	case resourceIssue:
		return h.issueEvent(s)
	case resourceMetricAlert:
		return h.metricEvent()
	case resourceLegacy:
		return h.legacyEvent(s)
	case resourcePlain:
		return h.plainEvent()
	}
	return sdk.Event{}, h.name() + " is not about an incident", nil
}

// plainEvent reads what a relay or a script made of a hook, in the shape that
// every adapter takes.
func (h *hook) plainEvent() (sdk.Event, string, error) {
	m, err := flat.Parse(h.body)
	if err != nil {
		return sdk.Event{}, "", err
	}
	event, notes, err := flat.Event(m)
	if err != nil {
		return sdk.Event{}, "", &sdk.Failure{Code: sdk.Unsupported,
			Message: "not a Sentry webhook: no header " + headerResource + ", no member that tells what it is, and no title"}
	}
	h.notes = append(h.notes, notes...)
	return event, "", nil
}

// setTime prefers the moment at which Sentry sent the hook, which every hook
// has and Sentry's own clock gives. An event's own timestamp comes from the
// device that crashed, days late or fast, and an issue that was resolved has
// no time of it at all.
func (h *hook) setTime(event *sdk.Event, r sdk.Request) {
	for _, at := range []time.Time{sdk.ParseTime(r.Header.Get(headerTimestamp)), h.receivedAt} {
		if at.IsZero() {
			continue
		}
		if r.ReceivedAt.IsZero() || at.Before(r.ReceivedAt.Add(maxClockSkew)) {
			event.OccurredAt = at
			return
		}
		// It would outrank every later event of the problem.
		h.note("a time that lies in the future was not used")
	}
}

// maxClockSkew is how far Sentry's clock may be ahead of ours.
const maxClockSkew = 5 * time.Minute
