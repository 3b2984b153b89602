package schedule

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"bellcrank.example/core"
)

// SilenceStore remembers silences.
type SilenceStore interface {
	// SetSilence stores a new silence, or the end of one.
	SetSilence(ctx context.Context, s core.Silence) error
	// Silences lists those that end after a time, newest first.
	Silences(ctx context.Context, endsAfter time.Time) ([]core.Silence, error)
	// Silence returns one, a *core.Error with code NotFound if there is none.
	Silence(ctx context.Context, id core.ID) (core.Silence, error)
}

// silences are those that aren't over.
type silences struct {
	stale atomic.Bool // what is held back has to be looked at again

	mu   sync.Mutex
	list []core.Silence // guarded by mu
}

func (l *silences) set(list []core.Silence) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = list
}

// change replaces or adds a silence, drops those that are over, and returns
// what is left.
func (l *silences) change(s core.Silence, now time.Time) []core.Silence {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(l.list), func(other core.Silence) bool {
		return other.ID == s.ID || other.State(now) == core.SilenceEnded
	})
	if s.State(now) != core.SilenceEnded {
		list = append(list, s)
	}
	l.list = list
	return list
}

// maxSilences bounds how many silences are in force or to come: each is asked
// for every version of every incident.
const maxSilences = 500

// AddSilence stores a silence, which holds from now on or from its start. The
// id, and the times that are zero, are set. A silence that can't be is a
// *core.Error with code ValidationFailed.
func (s *Scheduler) AddSilence(ctx context.Context, silence core.Silence) (core.Silence, error) {
	now := s.cfg.Now()
	silence.ID, silence.Tenant, silence.CreatedAt = s.cfg.NewID(), core.DefaultTenant, now
	if silence.StartsAt.IsZero() {
		silence.StartsAt = now
	}
	err := silence.Check(now)
	if s.silences.length() >= maxSilences {
		err = errors.New("there are 500 silences already; expire some")
	}
	if err != nil {
		return core.Silence{}, &core.Error{Code: core.ValidationFailed, Message: err.Error(), Err: err}
	}
	if err := s.cfg.Store.SetSilence(ctx, silence); err != nil {
		return core.Silence{}, err
	}
	s.cfg.Changed(s.silences.change(silence, now))
	s.cfg.Logger.Info("silence added", "silence", silence.ID, "author", silence.Author, "reason", silence.Reason,
		"starts", silence.StartsAt, "ends", silence.EndsAt)
	return silence, nil
}

func (l *silences) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list)
}

// ExpireSilence ends a silence before its time. What it held back is owed at
// once. One that is over already is a *core.Error with code Conflict.
func (s *Scheduler) ExpireSilence(ctx context.Context, id core.ID, author string) (core.Silence, error) {
	silence, err := s.cfg.Store.Silence(ctx, id)
	if err != nil {
		return core.Silence{}, err
	}
	now := s.cfg.Now()
	if silence.State(now) == core.SilenceEnded {
		return core.Silence{}, &core.Error{Code: core.Conflict, Message: "The silence is over already."}
	}
	silence.ExpiredAt, silence.ExpiredBy = now, author
	if err := s.cfg.Store.SetSilence(ctx, silence); err != nil {
		return core.Silence{}, err
	}
	s.cfg.Changed(s.silences.change(silence, now))
	s.cfg.Logger.Info("silence expired", "silence", id, "by", author)
	s.Reload()
	return silence, nil
}

// Silence returns a silence.
func (s *Scheduler) Silence(ctx context.Context, id core.ID) (core.Silence, error) {
	return s.cfg.Store.Silence(ctx, id)
}

// Silences lists the silences that end after a time, newest first.
func (s *Scheduler) Silences(ctx context.Context, endsAfter time.Time) ([]core.Silence, error) {
	return s.cfg.Store.Silences(ctx, endsAfter)
}
