package dispatch

import (
	"context"
	"errors"

	"bellcrank.example/core"
)

// Rehearse returns the request that an attempt at the delivery would make now,
// secrets and all, and how it would go. The error has code Conflict if the
// destination is gone or none would be made.
func (d *Dispatcher) Rehearse(ctx context.Context, row core.Delivery) (*core.Rehearsal, error) {
	l := d.line(row.Destination)
	if l == nil {
		return nil, &core.Error{Code: core.Conflict, Message: "The destination isn't configured any more."}
	}
	dest := l.destination()
	_, m, err := d.message(ctx, dest, row)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(dest))
	defer cancel()
	ctx, rehearsal := core.Rehearse(ctx)
	answer := dest.Sender.Send(ctx, m)
	switch {
	case rehearsal.Request != nil:
		return rehearsal, nil
	case answer.Err != nil && !errors.Is(answer.Err, core.ErrRehearsed):
		return nil, &core.Error{Code: core.Conflict, Message: "No request can be made: " + answer.Err.Error()}
	}
	return nil, &core.Error{Code: core.Conflict, Message: "The destination makes no HTTP request for this."}
}

// Try sends an incident that isn't stored to a destination, once, whatever its
// state, and returns how that ended. Nothing is recorded.
func (d *Dispatcher) Try(ctx context.Context, id string, in *core.Incident) (core.Attempt, error) {
	l := d.line(id)
	if l == nil {
		return core.Attempt{}, ErrUnknown
	}
	dest := l.destination()
	now := d.cfg.Now()
	m := core.Message{
		ID: "msg_" + in.ID.String(), Destination: id, Kind: core.Created, At: now, Now: now, Attempt: 1, Incident: in,
	}
	ctx, cancel := context.WithTimeout(ctx, timeout(dest))
	defer cancel()
	answer := dest.Sender.Send(ctx, m)
	ended := d.cfg.Now()
	class, _ := answer.Classify(ended)
	a := core.Attempt{
		Destination: id, Number: 1, At: now, Took: max(0, ended.Sub(now)), Status: answer.Status, Class: class,
		Snippet: answer.Snippet, Address: answer.Address, Sent: answer.Sent, Header: answer.Header,
	}
	if answer.Err != nil {
		a.Error = answer.Err.Error()
	}
	return a, nil
}

func (d *Dispatcher) line(id string) *line {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.lines[id]
}
