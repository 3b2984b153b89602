package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"bellcrank.example/core"
)

// attempt sends what is next on the lane and reports how that ended. It ends
// by itself: its sender has a deadline, and the loop listens until every
// attempt has reported.
func (l *line) attempt(working context.Context, dest *core.Destination, lane core.Lane, next core.Next) {
	try, err := l.send(working, dest, lane, next)
	l.sent <- sent{try: try, err: err}
}

func (l *line) send(working context.Context, dest *core.Destination, lane core.Lane, next core.Next) (core.Try, error) {
	cfg := &l.d.cfg
	try := core.Try{Lane: lane, Next: next, Retry: dest.Retry, Fold: dest.Fold}
	version, m, err := l.d.message(working, dest, next.Delivery)
	if err != nil {
		return try, err
	}
	try.Kind = next.Kind(version)
	m.Kind = try.Kind
	sending, cancel := context.WithTimeout(working, timeout(dest))
	try.Answer = dest.Sender.Send(sending, m)
	cancel()
	try.Now = cfg.Now()
	if try.Answer.Status == 0 && working.Err() != nil {
		return try, fmt.Errorf("cut off by shutdown: %w", working.Err())
	}
	try.Attempt = core.Attempt{ID: cfg.NewID(), At: m.Now, Took: max(0, try.Now.Sub(m.Now))}
	return try, nil
}

// message makes what a delivery sends, as the kind that the delivery says.
func (d *Dispatcher) message(ctx context.Context, dest *core.Destination, row core.Delivery) (core.Version, core.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	version, err := d.cfg.Store.Version(ctx, row.Incident, row.Version)
	if err != nil {
		return version, core.Message{}, fmt.Errorf("read version: %w", err)
	}
	m := core.Message{
		ID: row.MessageID(), Destination: row.Destination, Kind: row.Kind, At: version.At,
		Now: d.cfg.Now(), Attempt: row.Attempt + 1, Incident: version.Snapshot,
		Author: version.Author, Note: version.Note,
	}
	if dest.Memory {
		if m.Memory, err = d.cfg.Store.Memory(ctx, row.Incident, row.Destination); err != nil {
			return version, m, fmt.Errorf("read memory: %w", err)
		}
	}
	if d.cfg.PublicURL != "" {
		m.IncidentURL = core.IncidentURL(d.cfg.PublicURL, version.Snapshot.Number)
	}
	return version, m, nil
}

// settle decides what an attempt changes and has it stored. The decision is
// made here, in the loop, so that each sees the state that the one before left.
func (l *line) settle(working context.Context, s sent) {
	l.d.sockets.give(l.sending)
	l.sending--
	incident := s.try.Lane.Incident
	if s.err != nil {
		l.d.cfg.Logger.Warn("attempt not made", "delivery", s.try.Next.Delivery.ID, "destination", l.id, "err", s.err)
		delete(l.busy, incident)
		l.notYet[incident] = l.d.cfg.Now().Add(shortWait)
		l.dirty = true
		return
	}
	now := l.d.cfg.Now()
	l.tell(working, now) // what follows is decided by this clock, and isn't to be mended for an earlier one
	s.endedBy(now)
	before := l.snapshot()
	s.try.State, s.try.Jitter, s.try.Suspect = before, l.d.cfg.Rand(), l.d.cfg.Suspect()
	o := s.try.Settle()
	parks := l.keepState(&o, s.try.Now)
	l.paceRelease(&o, before, s.try.Now)
	l.report(o, before, s.try.Now)
	if l.well = o.Attempt.Class != core.DestinationFault; l.well {
		l.turn = time.Time{}
	}
	chain := o.Destination != nil || parks
	done := recorded{incident: incident, again: len(o.Deliveries) > 1 || o.Release || o.FoldOlder > 0}
	l.writeInTurn(working, chain, done, "record attempt", func(ctx context.Context) error {
		err := l.d.cfg.Store.Record(ctx, o)
		if err == nil {
			l.d.cfg.Observe(o.Attempt)
		}
		return err
	})
}

// endedBy corrects an attempt during which the clock was set back.
func (s *sent) endedBy(now time.Time) {
	if s.try.Now.Sub(now) > jumpBack {
		s.try.Now = now
	}
	if s.try.Attempt.At.Sub(now) > jumpBack {
		s.try.Attempt.At = s.try.Now.Add(-s.try.Attempt.Took)
	}
}

// keepState makes the outcome's state of the destination the line's. It is
// stored unless it says only that all is still well. keepState reports whether
// the outcome parks a row.
func (l *line) keepState(o *core.Outcome, now time.Time) (parks bool) {
	for _, d := range o.Deliveries {
		parks = parks || d.State == core.DeliveryParked
	}
	if o.Destination == nil {
		return parks
	}
	state := *o.Destination
	l.set(state)
	same := l.stored
	same.LastSuccess = state.LastSuccess
	if same == state && now.Sub(l.stored.LastSuccess) < storeSuccess && !parks {
		o.Destination = nil
		return parks
	}
	l.stored = state
	return parks
}

// paceRelease lets a second pass between two releases: a destination that
// fails every other time would have all its waiting rows written each time.
func (l *line) paceRelease(o *core.Outcome, before core.DestinationState, now time.Time) {
	late := l.owed && o.Attempt.Class == core.NoFault
	if !o.Release && !late {
		return
	}
	if before.Active() && now.Sub(l.released) < releasePause && !now.Before(l.released) {
		o.Release, l.owed = false, true
		return
	}
	if !o.Release {
		o.Release, o.ReleaseFrom, o.ReleaseStep = true, now, core.ReleaseStep
	}
	l.released, l.owed = now, false
}

// report tells people of a failure, and of what must be known.
func (l *line) report(o core.Outcome, before core.DestinationState, now time.Time) {
	a := o.Attempt
	if a.Delivery != 0 && a.Class != core.NoFault {
		l.d.cfg.Logger.Warn("attempt failed", "delivery", a.Delivery.String(), "destination", l.id,
			"attempt", a.Number, "fault", string(a.Class), "status", a.Status, "err", a.Error)
	}
	state := l.snapshot()
	switch {
	case state.Active() && !before.Active():
		l.d.cfg.Logger.Info("destination active again", "destination", l.id)
	case !state.Active() && before.Active():
		l.d.cfg.Logger.Error("destination disabled", "destination", l.id, "reason", string(state.Disabled), "err", a.Error)
	}
	n := Notice{Destination: l.id, Error: problem(o), From: now, To: now}
	if !state.Active() && before.Disabled != state.Disabled {
		n.Disabled = state.Disabled
	}
	for _, d := range o.Deliveries {
		if d.State == core.DeliveryDead {
			n.Dead++
			n.Deliveries = append(n.Deliveries, d.ID)
		}
	}
	if n.Dead > 0 || n.Disabled != "" {
		l.notices.add(n, l.d.cfg.Notice)
	}
}

// problem says what went wrong: with the attempt, or with a row that was given
// up without one.
func problem(o core.Outcome) string {
	if o.Attempt.Delivery == 0 && len(o.Deliveries) > 0 {
		return o.Deliveries[0].LastError
	}
	return o.Attempt.Error
}

// obey carries out a person's command.
func (l *line) obey(working context.Context, c command) {
	state, now := l.snapshot(), l.d.cfg.Now()
	c.change(&state, now)
	l.set(state)
	l.stored = state
	if state.Disabled != "" {
		l.notices.add(Notice{Destination: l.id, Disabled: state.Disabled, From: now, To: now}, l.d.cfg.Notice)
	}
	l.writeInTurn(working, true, recorded{again: true}, "change destination", func(ctx context.Context) error {
		err := l.d.cfg.Store.SetDestination(ctx, state)
		if err == nil {
			c.done <- nil
		}
		return err
	})
}

// writeInTurn stores changes of the destination's state, and rows that park
// because of it, in the order in which they were decided; all else at once.
func (l *line) writeInTurn(working context.Context, inTurn bool, done recorded, what string, fn func(context.Context) error) {
	if !inTurn {
		l.write(working, nil, done, what, fn)
		return
	}
	before, mine := l.written, make(chan struct{})
	l.written = mine
	l.write(working, before, done, what, func(ctx context.Context) error {
		err := fn(ctx)
		if err == nil {
			close(mine)
		}
		return err
	})
}

// write stores something beside the loop, after the write before it if there
// is one, and reports when it is on stable storage or the process ends.
func (l *line) write(working context.Context, before <-chan struct{}, done recorded, what string, fn func(context.Context) error) {
	l.writing++
	go func() {
		defer func() { l.recorded <- done }()
		if before != nil {
			select {
			case <-before:
			case <-working.Done():
				return // what wasn't stored is sent again, with the same id
			}
		}
		if err := persist(working, l.log, what, fn); err != nil {
			l.log.Error(what, "err", err)
		}
	}()
}

// persist calls fn until it succeeds or ctx ends, waiting between the calls
// from 50 ms up to 5 seconds.
func persist(ctx context.Context, log *slog.Logger, what string, fn func(context.Context) error) error {
	wait := 50 * time.Millisecond
	for {
		limited, cancel := context.WithTimeout(ctx, readLimit)
		err := fn(limited)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
		log.Warn(what+": trying again", "err", err, "wait", wait)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		wait = min(2*wait, 5*time.Second)
	}
}
