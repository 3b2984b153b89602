package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

type settings struct {
	Mappings []mapping `json:"mapping" doc:"How the body of a tool without an adapter becomes events; without any, the plain shape is read."`
}

// adapter remembers the mappings that it has compiled: settings are few, and
// come with every request.
type adapter struct{ compiled *memory }

func newAdapter() adapter { return adapter{compiled: &memory{}} }

func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "custom", Name: "Custom", Version: "0.1.0",
		Summary:   "Incidents from scripts, cron jobs and tools without an adapter of their own.",
		Sender:    sdk.Human,
		EventTime: sdk.Arrival,
		Headers:   []string{"Content-Type"},
		Settings:  schemaOf(),
		Samples: []sdk.Sample{{
			Name:   "high latency",
			Method: http.MethodPost,
			Header: http.Header{"Content-Type": {"application/json"}},
			Body: json.RawMessage(`{"title":"API latency spike","description":"95th percentile above 5 s for 10 minutes",` +
				`"severity":"High","service":"api-backend","affected_services":["api-backend","web"],"region":"eu-1"}`),
		}},
		Template: `Whatever sends this has to fill in its placeholders before it sends.`,
		Setup: "POST a JSON object with at least a `title`:\n\n" +
			"    curl {{url}} -H 'Content-Type: application/json' -d '{\"title\": \"Server is down\", \"severity\": \"High\"}'\n\n" +
			"Add a `dedup_key` and `\"status\": \"resolved\"` to end what you began. For a tool that sends another shape, write\n" +
			"a `mapping` into the integration's settings: `docs/mapping.md`.\n",
	}
}

// Adapt makes events by the integration's mappings. Without one, or if none is
// for the request, it makes one of a plain object, or one of each element of a
// list.
func (a adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	programs, err := a.compiled.programs(r.Settings)
	if err != nil {
		return sdk.Result{}, err
	}
	if len(programs) == 0 {
		return adaptPlain(ctx, r)
	}
	result, ok, err := mapRequest(ctx, programs, r)
	if _, failed := errors.AsType[*sdk.Failure](err); ok && !failed {
		return result, err
	}
	if result, ok := plain(r, err); ok {
		return result, nil
	}
	if err == nil {
		err = &sdk.Failure{Code: sdk.Unsupported, Path: "when", Message: "no mapping is for this request"}
	}
	return sdk.Result{}, err
}

// adaptPlain reads the plain shape.
func adaptPlain(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	body := bytes.TrimSpace(r.Body)
	if len(body) == 0 {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "the body is empty; want a JSON object with a title"}
	}
	if body[0] == '[' {
		return list(ctx, body)
	}
	event, notes, err := plainEvent(body)
	if err != nil {
		return sdk.Result{}, err
	}
	return sdk.Result{Events: []sdk.Event{event}, Notes: notes}, nil
}

// list reads a batch. An element that can't be read costs only itself, as
// long as there is another; a list without any is refused like an object.
func list(ctx context.Context, body []byte) (sdk.Result, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "the list is not valid JSON"}
	}
	if len(elements) == 0 {
		return sdk.Result{Ignored: "an empty list"}, nil
	}
	var result sdk.Result
	for i, element := range elements {
		if err := ctx.Err(); err != nil {
			return sdk.Result{}, err
		}
		event, notes, err := plainEvent(element)
		if failure, ok := errors.AsType[*sdk.Failure](err); ok {
			result.Rejected = append(result.Rejected, sdk.Rejection{Index: i, Path: path(i, failure.Path), Reason: failure.Message})
			continue
		}
		result.Events = append(result.Events, event)
		for _, note := range notes {
			result.Notes = append(result.Notes, fmt.Sprintf("%s (element %d)", note, i))
		}
	}
	if len(result.Events) == 0 {
		first := result.Rejected[0]
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: first.Path, Message: first.Reason}
	}
	return result, nil
}

// plainEvent reads one object. Its error is an *sdk.Failure.
func plainEvent(object []byte) (sdk.Event, []string, error) {
	members, err := flat.Parse(object)
	if err != nil {
		return sdk.Event{}, nil, err
	}
	return flat.Event(members)
}

// path names a member of an element.
func path(index int, member string) string {
	if member == "" {
		return fmt.Sprintf("[%d]", index)
	}
	return fmt.Sprintf("[%d].%s", index, member)
}
