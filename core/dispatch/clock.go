package dispatch

import (
	"context"
	"time"

	"bellcrank.example/core"
)

// jumpBack is how far the clock must go back to be mended for. Less is the
// usual trimming, which only lengthens a wait by as much.
const jumpBack = time.Minute

// tell lets the line know the time. After a clock was set back, what was put
// off while it was ahead waits for moments that are far off: such waits are
// cut to what they may be by the schedule.
func (l *line) tell(working context.Context, now time.Time) {
	told := l.told
	back := told.Sub(now)
	l.told = now
	switch {
	case told.IsZero():
		l.mend(working, now, now.Add(l.destination().Retry.Longest()), 0)
	case back > jumpBack:
		l.d.cfg.Logger.Warn("the clock was set back", "destination", l.id, "by", back)
		l.shift(back)
		l.back += back
		l.mend(working, now, now, l.back)
	case l.back > 0 && l.writing == 0:
		l.mend(working, now, now, l.back)
	}
	if l.writing == 0 {
		l.back = 0 // else what is being stored was decided by the wrong clock
	}
}

// shift takes what is waited for in memory back with the clock.
func (l *line) shift(back time.Duration) {
	state := l.snapshot()
	if !state.PausedUntil.IsZero() {
		state.PausedUntil = state.PausedUntil.Add(-back)
	}
	if !state.ProbeAt.IsZero() {
		state.ProbeAt = state.ProbeAt.Add(-back)
	}
	l.set(state)
	clear(l.notYet)
	l.lookAt, l.nextStart, l.dirty = time.Time{}, time.Time{}, true
}

// mendPage is how many rows are read at a time to be mended.
const mendPage = 500

// mend hastens rows that are due after a moment, and later than they may be. A
// row that is due later than the clock had got before it went back was most
// likely put off by that clock, and one that was due by it is due. Lanes of
// which something is being stored are left alone: they are mended after that.
func (l *line) mend(working context.Context, now, after time.Time, back time.Duration) {
	l.set(l.snapshot().NotAfter(now))
	retry := l.destination().Retry
	page := core.Page{Limit: mendPage}
	for {
		ctx, cancel := context.WithTimeout(working, readLimit)
		rows, err := l.d.cfg.Store.Deliveries(ctx, core.DeliveryFilter{
			Destination: l.id, State: core.DeliveryDue, DueAfter: after, Page: page,
		})
		var late []core.Delivery
		for _, d := range rows {
			if l.writing > 0 && l.busy[d.Incident] > 0 {
				continue
			}
			if at := mended(d, retry, now, back); at.Before(d.NextAt) {
				d.NextAt = at
				late = append(late, d)
			}
		}
		if err == nil && len(late) > 0 {
			err = l.d.cfg.Store.Record(ctx, core.Outcome{Deliveries: late})
		}
		cancel()
		if err != nil {
			l.d.cfg.Logger.Error("mend waits after a clock was set back", "destination", l.id, "err", err)
			return
		}
		if len(rows) < mendPage {
			return
		}
		page.Before = rows[len(rows)-1].ID
	}
}

// mended returns when a row may be due at the latest.
func mended(d core.Delivery, retry core.Retry, now time.Time, back time.Duration) time.Time {
	at := retry.Latest(d, now)
	if shifted := d.NextAt.Add(-back); back > 0 && shifted.Before(at) {
		at = shifted
	}
	if at.Before(now) {
		return now
	}
	return at
}
