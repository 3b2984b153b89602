package wire

import (
	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// What follows reads the library's messages, as the gateway did before it read
// them by itself: the tests hold the one reader to the other.

// ToResult reads a result message. An event whose labels or metadata aren't
// JSON objects becomes a rejection. Nothing else is judged.
func ToResult(m *adapterv1.Result) sdk.Result {
	r := sdk.Result{
		Ignored:   m.GetIgnored(),
		Notes:     m.GetNotes(),
		PathsRead: m.GetPathsRead(),
	}
	if n := len(m.GetEvents()); n > 0 {
		r.Events = make([]sdk.Event, 0, n)
	}
	for _, rejected := range m.GetRejected() {
		r.Rejected = append(r.Rejected, sdk.Rejection{
			Index: int(rejected.GetIndex()), Path: rejected.GetPath(), Reason: rejected.GetReason(),
		})
	}
	for i, message := range m.GetEvents() {
		event, err := toEvent(message)
		if err != nil {
			r.Rejected = append(r.Rejected, sdk.Rejection{Index: i, Reason: err.Error()})
			continue
		}
		r.Events = append(r.Events, event)
	}
	if reply := m.GetReply(); reply != nil {
		r.Reply = &sdk.Reply{
			Status: int(reply.GetStatus()), ContentType: reply.GetContentType(), Body: reply.GetBody(),
		}
	}
	if m.GetConfirmUrl() != "" {
		r.Confirm = &sdk.Confirm{URL: m.GetConfirmUrl()}
	}
	return r
}

func toEvent(m *adapterv1.Event) (sdk.Event, error) {
	e := sdk.Event{
		Action:           toAction(m.GetAction()),
		DedupKey:         m.GetDedupKey(),
		SeriesKey:        m.GetSeriesKey(),
		Title:            m.GetTitle(),
		Description:      m.GetDescription(),
		Severity:         toSeverity(m.GetSeverity()),
		SeverityRaw:      m.GetSeverityRaw(),
		Service:          m.GetService(),
		AffectedServices: m.GetAffectedServices(),
		SourceURL:        m.GetSourceUrl(),
		OccurredAt:       fromNanos(m.GetOccurredAtUnixNano()),
		EndedAt:          fromNanos(m.GetEndedAtUnixNano()),
		Test:             m.GetTest(),
		IdentityRule:     m.GetIdentityRule(),
	}
	if m != nil {
		e.CustomerImpact = m.CustomerImpact
	}
	if err := readMaps(&e, string(m.GetLabelsJson()), string(m.GetMetadataJson())); err != nil {
		return sdk.Event{}, err
	}
	for _, link := range m.GetLinks() {
		e.Links = append(e.Links, sdk.Link{Name: link.GetName(), URL: link.GetUrl()})
	}
	return e, nil
}

// ToAnswer reads an answer.
func ToAnswer(m *adapterv1.AdaptResponse) Answer {
	a := Answer{Call: m.GetCall(), ID: m.GetId()}
	switch outcome := m.GetOutcome().(type) {
	case *adapterv1.AdaptResponse_Result:
		result := ToResult(outcome.Result)
		a.Result = &result
	case *adapterv1.AdaptResponse_Failure:
		a.Failure, a.Oversize = ToFailure(outcome.Failure), outcome.Failure.GetOversize()
	}
	return a
}

// ToFailure reads a failure message. An unknown code is the adapter's fault.
func ToFailure(m *adapterv1.Failure) *sdk.Failure {
	return &sdk.Failure{Code: toCode(m.GetCode()), Path: m.GetPath(), Message: m.GetMessage()}
}
