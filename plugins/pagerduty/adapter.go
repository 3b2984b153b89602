package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

type adapter struct{}

// Adapt makes one event of an object, or one of each element of a list.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	body := bytes.TrimSpace(r.Body)
	switch {
	case len(body) == 0:
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "the body is empty"}
	case body[0] == '[':
		return s.list(ctx, r, body)
	}
	return s.one(r, body, r.ID)
}

// list reads a batch, which PagerDuty doesn't know but relays send. An element
// that can't be read costs only itself.
func (s settings) list(ctx context.Context, r sdk.Request, body []byte) (sdk.Result, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "the list is not valid JSON"}
	}
	result := sdk.Result{}
	for i, element := range elements {
		if err := ctx.Err(); err != nil {
			return sdk.Result{}, err
		}
		one, err := s.one(r, element, fmt.Sprintf("%s#%d", r.ID, i))
		if failure, ok := errors.AsType[*sdk.Failure](err); ok {
			result.Rejected = append(result.Rejected, sdk.Rejection{Index: i, Path: failure.Path, Reason: failure.Message})
			continue
		}
		result.Events = append(result.Events, one.Events...)
		result.Notes = append(result.Notes, one.Notes...)
	}
	if len(result.Events)+len(result.Rejected) == 0 {
		result.Ignored = "no event in the list"
	}
	return result, nil
}

// one reads one object. An event without a key has the name as its key: the
// sender has been told so.
func (s settings) one(r sdk.Request, object []byte, name string) (sdk.Result, error) {
	m, err := flat.Parse(object)
	switch {
	case err != nil:
		return sdk.Result{}, err
	case r.Path == pathChange || m.Has("payload") && !m.Has("event_action") && !m.Has("dedup_key"):
		return sdk.Result{Ignored: "a change, not a problem"}, nil
	case m.Has("event_action") || m.Has("payload"):
		return s.second(m, name)
	case m.Has("event_type") || m.Has("service_key"):
		return first(m, name)
	}
	event, notes, err := flat.Event(m)
	if err != nil {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "event_action",
			Message: "not an event of PagerDuty's Events API: want event_action and a payload, or a title"}
	}
	return sdk.Result{Events: []sdk.Event{event}, Notes: notes}, nil
}

// actions are the words of both versions.
var actions = map[string]sdk.Action{"trigger": sdk.Trigger, "acknowledge": sdk.Acknowledge, "resolve": sdk.Resolve}

// begin makes the event of an action and a key. A word that nobody knows
// triggers: in doubt somebody is told.
func begin(word, member, key, name string) (e sdk.Event, notes []string, err error) {
	e = sdk.Event{Action: actions[word], DedupKey: "key:" + key, IdentityRule: member}
	if e.Action == "" {
		e.Action = sdk.Trigger
		notes = append(notes, "the action is none that we know; it counts as a trigger")
	}
	if key != "" {
		return e, notes, nil
	}
	if e.Action != sdk.Trigger {
		return e, nil, &sdk.Failure{Code: sdk.Unsupported, Path: member, Message: "an event that is no trigger needs the key of the one that was"}
	}
	e.DedupKey, e.IdentityRule = "key:"+name, "receipt, as there is no "+member
	return e, notes, nil
}
