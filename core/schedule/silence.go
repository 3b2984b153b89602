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

	changing sync.Mutex     // one change at a time, from the store to who is told
	list     []core.Silence // guarded by changing
}

// without returns the silences that aren't over, but for one.
func (l *silences) without(id core.ID, now time.Time) []core.Silence {
	return slices.DeleteFunc(slices.Clone(l.list), func(other core.Silence) bool {
		return other.ID == id || other.State(now) == core.SilenceEnded
	})
}

// change stores a silence and lets everybody know what there is by now.
func (s *Scheduler) change(ctx context.Context, silence core.Silence, now time.Time) error {
	if err := s.cfg.Store.SetSilence(ctx, silence); err != nil {
		return err
	}
	list := s.silences.without(silence.ID, now)
	if silence.State(now) != core.SilenceEnded {
		list = append(list, silence)
	}
	s.silences.list = list
	s.cfg.Changed(list)
	return nil
}

// maxSilences bounds how many silences are in force or to come: each is asked
// for every version of every incident.
const maxSilences = 500

// AddSilence stores a silence, which holds from now on or from its start. The
// id, and the times that are zero, are set. A silence that can't be is a
// *core.Error with code ValidationFailed.
func (s *Scheduler) AddSilence(ctx context.Context, silence core.Silence) (core.Silence, error) {
	s.silences.changing.Lock()
	defer s.silences.changing.Unlock()
	now := s.cfg.Now()
	silence.ID, silence.Tenant, silence.CreatedAt = s.cfg.NewID(), core.DefaultTenant, now
	if silence.StartsAt.IsZero() {
		silence.StartsAt = now
	}
	err := silence.Check(now)
	if len(s.silences.without(0, now)) >= maxSilences {
		err = errors.New("there are 500 silences already; expire some")
	}
	if err != nil {
		return core.Silence{}, &core.Error{Code: core.ValidationFailed, Message: err.Error(), Err: err}
	}
	if err := s.change(ctx, silence, now); err != nil {
		return core.Silence{}, err
	}
	s.cfg.Logger.Info("silence added", "silence", silence.ID, "author", silence.Author, "reason", silence.Reason,
		"starts", silence.StartsAt, "ends", silence.EndsAt)
	return silence, nil
}

// ExpireSilence ends a silence before its time. What it held back is owed at
// once. One that is over already is a *core.Error with code Conflict.
func (s *Scheduler) ExpireSilence(ctx context.Context, id core.ID, author string) (core.Silence, error) {
	s.silences.changing.Lock()
	defer s.silences.changing.Unlock()
	silence, err := s.cfg.Store.Silence(ctx, id)
	if err != nil {
		return core.Silence{}, err
	}
	now := s.cfg.Now()
	if silence.State(now) == core.SilenceEnded {
		return core.Silence{}, &core.Error{Code: core.Conflict, Message: "The silence is over already."}
	}
	silence.ExpiredAt, silence.ExpiredBy = now, author
	if err := s.change(ctx, silence, now); err != nil {
		return core.Silence{}, err
	}
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
