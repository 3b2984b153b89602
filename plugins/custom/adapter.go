package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

type settings struct {
	StrictTemplates bool `json:"strict_templates" doc:"Refuse requests with placeholders that the sender has not filled in, instead of keeping them as tests."`
}

type adapter struct{}

func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "custom", Name: "Custom", Version: "0.1.0",
		Summary:   "Incidents from scripts, cron jobs and tools without an adapter of their own.",
		Sender:    sdk.Human,
		EventTime: sdk.Arrival,
		Headers:   []string{"Content-Type"},
		Settings:  sdk.SettingsOf[settings](),
		Samples: []sdk.Sample{{
			Name:   "high latency",
			Method: http.MethodPost,
			Header: http.Header{"Content-Type": {"application/json"}},
			Body: json.RawMessage(`{"title":"API latency spike","description":"95th percentile above 5 s for 10 minutes",` +
				`"severity":"High","service":"api-backend","affected_services":["api-backend","web"],"region":"eu-1"}`),
		}},
		Setup: "POST a JSON object with at least a `title`:\n\n" +
			"    curl {{url}} -H 'Content-Type: application/json' -d '{\"title\": \"Server is down\", \"severity\": \"High\"}'\n\n" +
			"Add a `dedup_key` and `\"status\": \"resolved\"` to end what you began.\n",
	}
}

// Adapt makes one event of an object, or one of each element of a list.
func (adapter) Adapt(_ context.Context, r sdk.Request) (sdk.Result, error) {
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	body := bytes.TrimSpace(r.Body)
	if len(body) == 0 {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "the body is empty; want a JSON object with a title"}
	}
	var result sdk.Result
	if body[0] != '[' {
		return result, s.adapt(&result, body)
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(body, &elements); err != nil {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Malformed, Message: "the list is not valid JSON"}
	}
	if len(elements) == 0 {
		return sdk.Result{Ignored: "an empty list"}, nil
	}
	for i, element := range elements {
		err := s.adapt(&result, element)
		if failure, ok := errors.AsType[*sdk.Failure](err); ok {
			result.Rejected = append(result.Rejected, sdk.Rejection{Index: i, Path: failure.Path, Reason: failure.Message})
		}
	}
	return result, nil
}

func (s settings) adapt(result *sdk.Result, object []byte) error {
	members, err := flat.Parse(object)
	if err != nil {
		return err
	}
	event, notes, err := flat.Event(members)
	if err != nil {
		return err
	}
	if note := unrendered(notes); note != "" && s.StrictTemplates {
		path, _, _ := strings.Cut(strings.TrimPrefix(note, "UNRENDERED_TEMPLATE: "), ":")
		return &sdk.Failure{Code: sdk.Unsupported, Path: path, Message: note}
	}
	result.Events = append(result.Events, event)
	result.Notes = append(result.Notes, notes...)
	return nil
}

func unrendered(notes []string) string {
	for _, note := range notes {
		if strings.HasPrefix(note, "UNRENDERED_TEMPLATE: ") {
			return note
		}
	}
	return ""
}
