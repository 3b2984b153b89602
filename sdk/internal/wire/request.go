package wire

import (
	"net/http"
	"slices"
	"time"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire/adapterv1"
)

// FromRequest makes the message for one call. Settings don't travel with it:
// the generation names those that Configure has handed over.
func FromRequest(r sdk.Request, generation uint64, deadline time.Time) *adapterv1.AdaptRequest {
	m := &adapterv1.AdaptRequest{
		Id:                 text(r.ID),
		Instance:           text(r.Integration),
		Generation:         generation,
		Method:             text(r.Method),
		Path:               []byte(r.Path),
		Query:              r.Query.Encode(),
		Body:               r.Body,
		ReceivedAtUnixNano: nanos(r.ReceivedAt),
		DeadlineUnixNano:   nanos(deadline),
		Attempt:            uint32(max(r.Attempt, 0)),
	}
	if r.Source.IsValid() {
		m.Source = text(r.Source.String())
	}
	for name, values := range r.Header {
		name = text(name)
		for _, value := range values {
			m.Headers = append(m.Headers, &adapterv1.Header{Name: name, Value: []byte(value)})
		}
	}
	return m
}

// ToRequest reads a request message. An error means that the gateway broke
// the contract. The body is the message's own.
func ToRequest(m *adapterv1.AdaptRequest) (sdk.Request, error) {
	r := sdk.Request{
		ID:          m.GetId(),
		Method:      m.GetMethod(),
		Path:        string(m.GetPath()),
		Header:      make(http.Header, len(m.GetHeaders())),
		Body:        m.GetBody(),
		ReceivedAt:  fromNanos(m.GetReceivedAtUnixNano()),
		Integration: m.GetInstance(),
		Attempt:     int(m.GetAttempt()),
	}
	if err := parse(&r, m.GetQuery(), m.GetSource()); err != nil {
		return sdk.Request{}, err
	}
	for _, h := range m.GetHeaders() {
		name := http.CanonicalHeaderKey(h.GetName())
		r.Header[name] = append(r.Header[name], string(h.GetValue()))
	}
	return r, nil
}

// ToCall reads a request message for its answer.
func ToCall(m *adapterv1.AdaptRequest) *Call {
	c := &Call{Number: m.GetCall(), Deadline: fromNanos(m.GetDeadlineUnixNano())}
	if c.Request, c.Err = ToRequest(m); c.Err != nil {
		c.Request.ID = m.GetId()
	}
	return c
}

// HasCapability reports whether a plugin named a capability in its description.
func HasCapability(m *adapterv1.DescribeResponse, name string) bool {
	return slices.Contains(m.GetCapabilities(), name)
}
