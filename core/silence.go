package core

import (
	"errors"
	"strings"
	"time"
	"unicode"
)

// Silence keeps the news of matching incidents back for a while. It is made at
// run time and stays on record after its end.
type Silence struct {
	ID        ID
	Tenant    int64
	Match     Matcher // never empty
	Author    string
	Reason    string
	CreatedAt time.Time
	StartsAt  time.Time
	EndsAt    time.Time
	ExpiredAt time.Time // when somebody ended it before its time; zero: nobody did
	ExpiredBy string
}

// The bounds of what people write, in bytes.
const (
	maxAuthor  = 100
	maxReason  = 1000
	maxMatcher = 10_000 // every version of every incident is compared with it
)

// Check says what is wrong with a new silence.
func (s *Silence) Check(now time.Time) error {
	switch {
	case s.Match.Empty():
		return errors.New(`a silence needs a matcher; to silence everything, say integration "*"`)
	case s.Match.size() > maxMatcher:
		return errors.New("a silence's matcher has 10000 bytes at most")
	case s.Author == "" || len(s.Author) > maxAuthor || strings.ContainsFunc(s.Author, unicode.IsControl):
		return errors.New("a silence needs an author, of 100 bytes at most, on one line")
	case s.Reason == "" || len(s.Reason) > maxReason:
		return errors.New("a silence needs a reason, of 1000 bytes at most")
	case !s.EndsAt.After(s.StartsAt):
		return errors.New("a silence ends after it starts")
	case !s.EndsAt.After(now):
		return errors.New("a silence ends in the future")
	}
	return nil
}

// End returns when the silence ends or ended.
func (s *Silence) End() time.Time {
	if !s.ExpiredAt.IsZero() {
		return s.ExpiredAt
	}
	return s.EndsAt
}

// Name is what an incident says that the silence holds back.
func (s *Silence) Name() string { return "silence " + s.ID.String() }

// SilenceState says whether a silence holds.
type SilenceState string

// The states.
const (
	SilencePending SilenceState = "pending"
	SilenceActive  SilenceState = "active"
	SilenceEnded   SilenceState = "ended"
)

// State returns the state at a time.
func (s *Silence) State(now time.Time) SilenceState {
	switch {
	case !now.Before(s.End()):
		return SilenceEnded
	case now.Before(s.StartsAt):
		return SilencePending
	}
	return SilenceActive
}
