package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"bellcrank.example/sdk"
)

type adapter struct{}

// Adapt makes one event of each element. Of a batch, what can't be read is
// rejected alone.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	b, err := readBody(r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		return sdk.Result{}, err
	}
	var result sdk.Result
	for i, element := range b.elements {
		if err := ctx.Err(); err != nil {
			return sdk.Result{}, err
		}
		err := adaptElement(&result, element, s, r)
		failure, ok := errors.AsType[*sdk.Failure](err)
		if err != nil && (!ok || !b.batch) {
			return sdk.Result{}, err
		}
		if ok {
			result.Rejected = append(result.Rejected, sdk.Rejection{Index: i, Path: failure.Path, Reason: failure.Message})
		}
	}
	return result, nil
}

func adaptElement(result *sdk.Result, element []byte, s settings, r sdk.Request) error {
	m, err := readMembers(element)
	if err != nil {
		return err
	}
	event, notes, err := m.event(element, s)
	if err != nil {
		return err
	}
	result.Notes = append(result.Notes, notes...)
	if event.Action == "" {
		result.Ignored = `no data, which the setting no_data = "ignore" leaves alone`
		return nil
	}
	at, note := m.occurredAt(r.ReceivedAt)
	if note != "" {
		result.Notes = append(result.Notes, note)
	}
	event.OccurredAt = at
	if event.Action == sdk.Resolve {
		event.EndedAt = at
	}
	if event.Test {
		keepApart(&event)
	}
	result.Events = append(result.Events, event)
	return nil
}

// event finds out which of Datadog's products speaks. An event without an
// action is one that the settings ignore.
func (m members) event(raw []byte, s settings) (sdk.Event, []string, error) {
	switch {
	case isIncident(m):
		event, notes := incidentEvent(m)
		return event, append(notes, unrenderedNotes(m)...), nil
	case !isNative(raw, m):
		return plainEvent(raw, s)
	}
	mon := readMonitor(m)
	if mon.transition == noData && s.NoData == noDataIgnored {
		return sdk.Event{}, nil, nil
	}
	event, err := mon.event(s)
	return event, unrenderedNotes(m), err
}

// keepApart gives a test keys of its own: a real problem that joined a test's
// incident would page nobody.
func keepApart(event *sdk.Event) {
	event.DedupKey = prefixed("test:", event.DedupKey)
	event.SeriesKey = prefixed("test:", event.SeriesKey)
}

func unrenderedNotes(m members) []string {
	var notes []string
	for _, plain := range slices.Sorted(maps.Keys(m.unrendered)) {
		u := m.unrendered[plain]
		note := "UNRENDERED_TEMPLATE: " + u.name + ": " + u.variable + " was not filled in"
		if strings.HasPrefix(u.variable, "{{") {
			note += "; webhook payloads have $VARIABLES only, {{…}} belongs into a monitor's message"
		}
		notes = append(notes, note)
	}
	return notes
}
