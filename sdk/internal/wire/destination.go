package wire

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/destinationv1"
)

// CapabilityDeliver is that of a destination.
const CapabilityDeliver = "deliver"

// FromDelivery makes the message for one step of an attempt.
func FromDelivery(d sdk.Delivery, generation uint64, deadline time.Time) (*destinationv1.DeliverRequest, error) {
	incident, err := json.Marshal(d.Incident)
	if err != nil {
		return nil, fmt.Errorf("encode incident: %w", err)
	}
	m := &destinationv1.DeliverRequest{
		Instance: text(d.Destination), Generation: generation, Id: text(d.ID), Kind: text(d.Kind), Attempt: uint32(max(d.Attempt, 0)),
		AtUnixNano: nanos(d.At), NowUnixNano: nanos(d.Now), IncidentJson: incident, Author: text(d.Author), Note: text(d.Note),
		Memory: text(d.Memory), DeadlineUnixNano: nanos(deadline), Headline: text(d.Headline),
	}
	for name, words := range d.Texts {
		if m.Texts == nil {
			m.Texts = make(map[string]string, len(d.Texts))
		}
		m.Texts[text(name)] = text(words)
	}
	for _, a := range d.Answers {
		m.Answers = append(m.Answers, &destinationv1.HTTPResponse{Status: clampInt32(a.Status), Headers: fromHeader(a.Header), Body: a.Body})
	}
	return m, nil
}

// ToDelivery reads such a message. An error means that the gateway broke the
// contract.
func ToDelivery(m *destinationv1.DeliverRequest) (sdk.Delivery, error) {
	d := sdk.Delivery{
		Destination: m.GetInstance(), ID: m.GetId(), Kind: m.GetKind(), Attempt: int(m.GetAttempt()),
		At: fromNanos(m.GetAtUnixNano()), Now: fromNanos(m.GetNowUnixNano()), Author: m.GetAuthor(), Note: m.GetNote(), Memory: m.GetMemory(),
		Texts: m.GetTexts(), Headline: m.GetHeadline(),
	}
	if err := json.Unmarshal(m.GetIncidentJson(), &d.Incident); err != nil {
		return sdk.Delivery{}, fmt.Errorf("read incident: %w", err)
	}
	for _, a := range m.GetAnswers() {
		d.Answers = append(d.Answers, sdk.HTTPAnswer{Status: int(a.GetStatus()), Header: toHeader(a.GetHeaders()), Body: a.GetBody()})
	}
	return d, nil
}

var outcomes = map[sdk.OutcomeClass]destinationv1.OutcomeClass{
	sdk.Delivered: destinationv1.OutcomeClass_OUTCOME_CLASS_DELIVERED,
	sdk.Retry:     destinationv1.OutcomeClass_OUTCOME_CLASS_RETRY,
	sdk.Refused:   destinationv1.OutcomeClass_OUTCOME_CLASS_REFUSED,
}

// FromStep makes the answer.
func FromStep(s sdk.Step) *destinationv1.DeliverResponse {
	if r := s.Request; r != nil {
		return &destinationv1.DeliverResponse{Step: &destinationv1.DeliverResponse_Request{Request: &destinationv1.HTTPRequest{
			Method: text(r.Method), Url: text(r.URL), Headers: fromHeader(r.Header), Body: r.Body,
		}}}
	}
	if o := s.Outcome; o != nil {
		return &destinationv1.DeliverResponse{Step: &destinationv1.DeliverResponse_Outcome{Outcome: &destinationv1.Outcome{
			Class: outcomes[o.Class], RetryAfterSeconds: int64(o.RetryAfter / time.Second), Message: text(o.Message), Remember: text(o.Remember),
		}}}
	}
	return &destinationv1.DeliverResponse{}
}

// maxRetrySeconds bounds what is read as a duration.
const maxRetrySeconds = int64(365 * 24 * time.Hour / time.Second)

// ToStep reads an answer. A class that isn't known is Retry.
func ToStep(m *destinationv1.DeliverResponse) sdk.Step {
	if r := m.GetRequest(); r != nil {
		return sdk.Ask(sdk.HTTPRequest{Method: r.GetMethod(), URL: r.GetUrl(), Header: toHeader(r.GetHeaders()), Body: r.GetBody()})
	}
	o := m.GetOutcome()
	if o == nil {
		return sdk.Step{}
	}
	out := sdk.Outcome{
		Class: sdk.Retry, Message: o.GetMessage(), Remember: o.GetRemember(),
		RetryAfter: time.Duration(min(max(o.GetRetryAfterSeconds(), 0), maxRetrySeconds)) * time.Second,
	}
	for class, number := range outcomes {
		if number == o.GetClass() {
			out.Class = class
		}
	}
	return sdk.Step{Outcome: &out}
}

func fromHeader(h http.Header) []*destinationv1.Header {
	var list []*destinationv1.Header
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			list = append(list, &destinationv1.Header{Name: text(name), Value: text(value)})
		}
	}
	return list
}

func toHeader(list []*destinationv1.Header) http.Header {
	if len(list) == 0 {
		return nil
	}
	h := http.Header{}
	for _, line := range list {
		h.Add(line.GetName(), line.GetValue())
	}
	return h
}
