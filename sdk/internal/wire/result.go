package wire

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// FromResult makes the message for an adapter's result. Text that isn't valid
// UTF-8 is mended; an event whose metadata can't be encoded as JSON becomes a
// rejection.
func FromResult(r sdk.Result) *adapterv1.Result {
	m := &adapterv1.Result{
		Ignored:   text(r.Ignored),
		Notes:     texts(r.Notes),
		PathsRead: texts(r.PathsRead),
	}
	if len(r.Events) > 0 {
		m.Events = make([]*adapterv1.Event, 0, len(r.Events))
	}
	for _, rejected := range r.Rejected {
		m.Rejected = append(m.Rejected, fromRejection(rejected))
	}
	for i := range r.Events {
		event, err := fromEvent(&r.Events[i])
		if err != nil {
			m.Rejected = append(m.Rejected, fromRejection(sdk.Rejection{Index: i, Reason: err.Error()}))
			continue
		}
		m.Events = append(m.Events, event)
	}
	if r.Reply != nil {
		m.Reply = &adapterv1.Reply{
			Status: clampInt32(r.Reply.Status), ContentType: text(r.Reply.ContentType), Body: r.Reply.Body,
		}
	}
	if r.Confirm != nil {
		m.ConfirmUrl = text(r.Confirm.URL)
	}
	return m
}

func fromRejection(r sdk.Rejection) *adapterv1.Rejection {
	return &adapterv1.Rejection{Index: int64(r.Index), Path: text(r.Path), Reason: text(r.Reason)}
}

func fromEvent(e *sdk.Event) (*adapterv1.Event, error) {
	m := &adapterv1.Event{
		Action:             fromAction(e.Action),
		DedupKey:           text(e.DedupKey),
		SeriesKey:          text(e.SeriesKey),
		Title:              text(e.Title),
		Description:        text(e.Description),
		Severity:           fromSeverity(e.Severity),
		SeverityRaw:        text(e.SeverityRaw),
		Service:            text(e.Service),
		AffectedServices:   texts(e.AffectedServices),
		CustomerImpact:     e.CustomerImpact,
		SourceUrl:          text(e.SourceURL),
		OccurredAtUnixNano: nanos(e.OccurredAt),
		EndedAtUnixNano:    nanos(e.EndedAt),
		Test:               e.Test,
		IdentityRule:       text(e.IdentityRule),
	}
	var err error
	if len(e.Labels) > 0 {
		if m.LabelsJson, err = appendLabels(nil, e.Labels); err != nil {
			return nil, fmt.Errorf("encode labels: %w", err)
		}
	}
	if len(e.Metadata) > 0 {
		if m.MetadataJson, err = appendMetadata(nil, e.Metadata); err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
	}
	for _, link := range e.Links {
		m.Links = append(m.Links, &adapterv1.Link{Name: text(link.Name), Url: text(link.URL)})
	}
	return m, nil
}

// FromAnswer makes the message for an answer.
func FromAnswer(a Answer) *adapterv1.AdaptResponse {
	m := &adapterv1.AdaptResponse{Call: a.Call, Id: text(a.ID)}
	switch {
	case a.Failure != nil:
		failure := FromFailure(a.Failure)
		failure.Oversize = a.Oversize
		m.Outcome = &adapterv1.AdaptResponse_Failure{Failure: failure}
	case a.Result != nil:
		m.Outcome = &adapterv1.AdaptResponse_Result{Result: FromResult(*a.Result)}
	}
	return m
}

// FromFailure makes the message for a failure.
func FromFailure(f *sdk.Failure) *adapterv1.Failure {
	return &adapterv1.Failure{Code: fromCode(f.Code), Path: text(f.Path), Message: text(f.Message)}
}

func text(s string) string {
	if utf8.ValidString(s) { // by far the quicker of the two
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func texts(list []string) []string {
	if !slices.ContainsFunc(list, func(s string) bool { return text(s) != s }) {
		return list
	}
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = text(s)
	}
	return out
}

func clampInt32(n int) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }
