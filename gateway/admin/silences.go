package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/core/route"
	"bellcrank.example/core/schedule"
	"bellcrank.example/sdk"
)

// Scheduler makes and ends silences, and knows how heartbeats are.
type Scheduler interface {
	AddSilence(ctx context.Context, s core.Silence) (core.Silence, error)
	ExpireSilence(ctx context.Context, id core.ID, author string) (core.Silence, error)
	Silence(ctx context.Context, id core.ID) (core.Silence, error)
	Silences(ctx context.Context, endsAfter time.Time) ([]core.Silence, error)
	Beats(ctx context.Context) ([]schedule.Beat, error)
	// Suspect reports whether the clock was set of late.
	Suspect() bool
}

// Matcher selects incidents as the match block of a route does.
type Matcher struct {
	Integration []string          `json:"integration,omitempty"`
	Severity    []string          `json:"severity,omitempty"` // levels, or comparisons such as ">=High"
	Service     []string          `json:"service,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Title       []string          `json:"title,omitempty"`
}

func (m Matcher) core() (core.Matcher, error) {
	out := core.Matcher{Integrations: m.Integration, Services: m.Service, Labels: m.Labels, Titles: m.Title}
	for _, word := range m.Severity {
		levels, err := route.ParseSeverities(word)
		if err != nil {
			return out, badRequest("match", err.Error())
		}
		out.Severities = append(out.Severities, levels...)
	}
	return out, nil
}

func matcherOf(m core.Matcher) Matcher {
	out := Matcher{Integration: m.Integrations, Service: m.Services, Labels: m.Labels, Title: m.Titles}
	for _, s := range m.Severities {
		out.Severity = append(out.Severity, string(s))
	}
	return out
}

// Silence is a silence that was made at run time.
type Silence struct {
	ID        string            `json:"id"`
	State     core.SilenceState `json:"state"`
	Match     Matcher           `json:"match"`
	Author    string            `json:"author"`
	Reason    string            `json:"reason"`
	CreatedAt Time              `json:"created_at"`
	StartsAt  Time              `json:"starts_at"`
	EndsAt    Time              `json:"ends_at"`
	ExpiredAt Time              `json:"expired_at,omitzero"` // before its time
	ExpiredBy string            `json:"expired_by,omitempty"`
	Holding   []Incident        `json:"holding,omitempty"` // only in the detail: whose news it holds back, 100 at most
}

// Quiet is a silence or window of the configuration.
type Quiet struct {
	Name   string `json:"name"` // such as "window nightly"
	Author string `json:"author,omitempty"`
	Reason string `json:"reason"`
	Active bool   `json:"active"`
	Until  Time   `json:"until,omitzero"`
}

// NewSilence asks for a silence.
type NewSilence struct {
	Match    Matcher `json:"match"`
	Author   string  `json:"author"`
	Reason   string  `json:"reason"`
	StartsAt Time    `json:"starts_at,omitzero"` // now if it isn't given
	EndsAt   Time    `json:"ends_at,omitzero"`
	For      string  `json:"for,omitempty"` // instead of ends_at: a duration such as "2h"
}

// Preview tells which open incidents a silence would match.
type Preview struct {
	Total     int        `json:"total"`
	Incidents []Incident `json:"incidents"` // 100 at most
}

func (a *api) silenceOf(s core.Silence) Silence {
	return Silence{
		ID: s.ID.String(), State: s.State(a.cfg.Now()), Match: matcherOf(s.Match), Author: s.Author, Reason: s.Reason,
		CreatedAt: Time{s.CreatedAt}, StartsAt: Time{s.StartsAt}, EndsAt: Time{s.EndsAt},
		ExpiredAt: Time{s.ExpiredAt}, ExpiredBy: s.ExpiredBy,
	}
}

// silences lists those that aren't over, or all with ?ended=true, and those of
// the configuration.
func (a *api) silences(c *fiber.Ctx) error {
	now := a.cfg.Now()
	after := now
	if c.QueryBool("ended") {
		after = time.Time{}
	}
	list, err := a.cfg.Scheduler.Silences(c.UserContext(), after)
	if err != nil {
		return err
	}
	return ok(c, fiber.Map{
		"silences": each(list, a.silenceOf),
		"configured": each(a.cfg.Routes().Quiets(now), func(q route.QuietState) Quiet {
			return Quiet{Name: q.Name, Author: q.Author, Reason: q.Reason, Active: q.Active, Until: Time{q.Until}}
		}),
	})
}

func (a *api) silence(c *fiber.Ctx) error {
	id, err := silenceID(c)
	if err != nil {
		return err
	}
	s, err := a.cfg.Scheduler.Silence(c.UserContext(), id)
	if err != nil {
		return err
	}
	held, err := a.cfg.Store.Incidents(c.UserContext(), core.IncidentFilter{HeldBy: s.Name(), Page: core.Page{Limit: maxPreview}})
	if err != nil {
		return err
	}
	out := a.silenceOf(s)
	out.Holding = each(held, incidentOf)
	return ok(c, out)
}

func silenceID(c *fiber.Ctx) (core.ID, error) {
	id, err := core.ParseID(c.Params("id"))
	if err != nil {
		return 0, notFound("There is no such silence")
	}
	return id, nil
}

func (a *api) addSilence(c *fiber.Ctx) error {
	s, err := a.newSilence(c)
	if err != nil {
		return err
	}
	made, err := a.cfg.Scheduler.AddSilence(c.UserContext(), s)
	if err != nil {
		return err
	}
	return ok(c, a.silenceOf(made))
}

// newSilence reads what is asked for. Times are checked by who makes it.
func (a *api) newSilence(c *fiber.Ctx) (core.Silence, error) {
	var asked NewSilence
	if err := decode(c, &asked); err != nil {
		return core.Silence{}, err
	}
	match, err := asked.Match.core()
	if err != nil {
		return core.Silence{}, err
	}
	s := core.Silence{
		Match: match, Author: strings.TrimSpace(asked.Author), Reason: strings.TrimSpace(asked.Reason),
		StartsAt: asked.StartsAt.Time, EndsAt: asked.EndsAt.Time,
	}
	if asked.For == "" {
		return s, nil
	}
	length, err := time.ParseDuration(asked.For)
	if err != nil || !s.EndsAt.IsZero() || length <= 0 {
		return s, badRequest("for", `for must be a duration such as "2h", and stands instead of ends_at`)
	}
	from := s.StartsAt
	if from.IsZero() {
		from = a.cfg.Now()
	}
	s.EndsAt = from.Add(length)
	return s, nil
}

// expireSilence ends a silence. Who does it is in the body.
func (a *api) expireSilence(c *fiber.Ctx) error {
	id, err := silenceID(c)
	if err != nil {
		return err
	}
	var by struct {
		Author string `json:"author"`
	}
	if err := decode(c, &by); err != nil {
		return err
	}
	if by.Author = strings.TrimSpace(by.Author); by.Author == "" || len(by.Author) > 100 {
		return badRequest("author", "author must say who ends the silence, in 100 bytes at most")
	}
	s, err := a.cfg.Scheduler.ExpireSilence(c.UserContext(), id, by.Author)
	if err != nil {
		return err
	}
	return ok(c, a.silenceOf(s))
}

const (
	maxPreview = 100
	maxLooked  = 20 // pages of open incidents that a preview looks at
)

// previewSilence tells which incidents are open that a silence would match.
func (a *api) previewSilence(c *fiber.Ctx) error {
	s, err := a.newSilence(c)
	if err != nil {
		return err
	}
	if s.Match.Empty() {
		return badRequest("match", "Say what to match")
	}
	p := Preview{Incidents: []Incident{}}
	filter := core.IncidentFilter{Open: true, Page: core.Page{Limit: 500}}
	for range maxLooked {
		list, err := a.cfg.Store.Incidents(c.UserContext(), filter)
		if err != nil {
			return err
		}
		for _, in := range list {
			if in.Test || in.Integration == core.SelfIntegration || !route.Matches(s.Match, in) {
				continue
			}
			if p.Total++; p.Total <= maxPreview {
				p.Incidents = append(p.Incidents, incidentOf(in))
			}
		}
		if len(list) < filter.Page.Limit {
			break
		}
		filter.Page.Before = list[len(list)-1].ID
	}
	return ok(c, p)
}

// Heartbeat is how an expected heartbeat is.
type Heartbeat struct {
	Integration string            `json:"integration"`
	Every       string            `json:"every"`
	Grace       string            `json:"grace"`
	Severity    sdk.Severity      `json:"severity"`
	Service     string            `json:"service,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	LastAt      Time              `json:"last_at,omitzero"`
	DueAt       Time              `json:"due_at"` // missing from then on
	MissingAt   Time              `json:"missing_since,omitzero"`
}

func (a *api) heartbeats(c *fiber.Ctx) error {
	beats, err := a.cfg.Scheduler.Beats(c.UserContext())
	if err != nil {
		return err
	}
	slices.SortFunc(beats, func(x, y schedule.Beat) int { return strings.Compare(x.Integration, y.Integration) })
	return ok(c, fiber.Map{"heartbeats": each(beats, func(b schedule.Beat) Heartbeat {
		return Heartbeat{
			Integration: b.Integration, Every: b.Every.String(), Grace: b.Grace.String(), Severity: b.Severity,
			Service: b.Service, Labels: b.Labels, LastAt: Time{b.Last}, DueAt: Time{b.Due}, MissingAt: Time{b.Missing},
		}
	})})
}
