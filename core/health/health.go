// Package health says how integrations and destinations are doing: success
// rate, last request or delivery, recent errors.
package health

import (
	"context"
	"fmt"
	"time"

	"bellcrank.example/core"
)

// Store is what health is computed from.
type Store interface {
	// RequestTally counts an integration's requests since a time, in whole
	// minutes.
	RequestTally(ctx context.Context, integration string, since time.Time) (core.Tally, error)
	// RequestTrouble lists what went wrong with an integration's requests,
	// newest first.
	RequestTrouble(ctx context.Context, integration string, limit int) ([]core.Trouble, error)
	// DeliveryTally counts the attempts at a destination since a time, in
	// whole minutes.
	DeliveryTally(ctx context.Context, destination string, since time.Time) (core.Tally, error)
	// DeliveryTrouble lists a destination's failed attempts, newest first.
	DeliveryTrouble(ctx context.Context, destination string, limit int) ([]core.Trouble, error)
}

// Windows are the times over which rates are counted, the shortest first. The
// store keeps minutes for a day longer than the longest.
func Windows() []time.Duration { return []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} }

// recent bounds the errors that a report lists.
const recent = 10

// Report is how one integration or destination is doing.
type Report struct {
	Over   []Span // one for each of Windows
	Recent []core.Trouble
}

// Span is how it did over one window.
type Span struct {
	Window time.Duration
	Since  time.Time // the window's beginning, a whole minute
	core.Tally
}

// SuccessRate returns the part of requests or attempts that went well, from 0
// to 1, and false if there was none.
func (s Span) SuccessRate() (float64, bool) {
	all := s.OK + s.Failed
	if all == 0 {
		return 0, false
	}
	return float64(s.OK) / float64(all), true
}

// Integration reports on an integration ("TYPE/NAME").
func Integration(ctx context.Context, s Store, id string, now time.Time) (Report, error) {
	return report(ctx, id, now, s.RequestTally, s.RequestTrouble)
}

// Destination reports on a destination ("TYPE/NAME").
func Destination(ctx context.Context, s Store, id string, now time.Time) (Report, error) {
	return report(ctx, id, now, s.DeliveryTally, s.DeliveryTrouble)
}

func report(
	ctx context.Context, id string, now time.Time,
	tally func(context.Context, string, time.Time) (core.Tally, error),
	trouble func(context.Context, string, int) ([]core.Trouble, error),
) (Report, error) {
	var r Report
	var err error
	for _, window := range Windows() {
		s := Span{Window: window, Since: now.Add(-window).Truncate(time.Minute)}
		if s.Tally, err = tally(ctx, id, s.Since); err != nil {
			return Report{}, fmt.Errorf("count for %s: %w", id, err)
		}
		r.Over = append(r.Over, s)
	}
	if r.Recent, err = trouble(ctx, id, recent); err != nil {
		return Report{}, fmt.Errorf("list errors of %s: %w", id, err)
	}
	return r, nil
}
