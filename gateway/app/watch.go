package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/route"
	"bellcrank.example/sdk"
)

// watcher tells operators of trouble with the gateway itself: a destination
// that is disabled, a plugin that doesn't start. Each is an incident like any
// other, stored, delivered with retries, and resolved when the trouble ends.
type watcher struct {
	store interface {
		Commit(ctx context.Context, s *core.Submission) (core.Receipt, error)
		Incidents(ctx context.Context, f core.IncidentFilter) ([]*core.Incident, error)
		NewID() core.ID
	}
	troubles func(ctx context.Context) ([]sdk.Event, error) // what is wrong now, as triggers
	every    time.Duration
	now      func() time.Time
	log      *slog.Logger
}

const (
	watchEvery   = 5 * time.Second
	watchTimeout = 10 * time.Second // of storing what changed
)

// Run looks until ctx ends. It goes on from the incidents that are open, so a
// restart neither repeats nor forgets.
func (w *watcher) Run(ctx context.Context) error {
	var told map[string]bool
	ticker := time.NewTicker(w.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		var err error
		if told == nil {
			told, err = w.open(ctx)
		}
		if err == nil {
			err = w.look(ctx, told)
		}
		if err != nil && ctx.Err() == nil {
			w.log.Error("tell of the gateway's own trouble", "err", err)
		}
	}
}

// open lists the keys of the incidents that are open.
func (w *watcher) open(ctx context.Context) (map[string]bool, error) {
	list, err := w.store.Incidents(ctx, core.IncidentFilter{Integration: core.SelfIntegration, Open: true, Page: core.Page{Limit: 500}})
	if err != nil {
		return nil, fmt.Errorf("list our own incidents: %w", err)
	}
	told := map[string]bool{}
	for _, in := range list {
		told[in.DedupKey] = true
	}
	return told, nil
}

// look stores what has begun and what is over.
func (w *watcher) look(ctx context.Context, told map[string]bool) error {
	now := map[string]bool{}
	var events []sdk.Event
	wrong, err := w.ask(ctx)
	if err != nil {
		return err
	}
	for _, e := range wrong {
		now[e.DedupKey] = true
		if !told[e.DedupKey] {
			events = append(events, e)
		}
	}
	for key := range told {
		if !now[key] {
			events = append(events, sdk.Event{Action: sdk.Resolve, DedupKey: key})
		}
	}
	if len(events) == 0 {
		return nil
	}
	if err := w.commit(ctx, events); err != nil {
		return err
	}
	for _, e := range events {
		if told[e.DedupKey] = true; e.Action == sdk.Resolve {
			delete(told, e.DedupKey)
		}
	}
	return nil
}

func (w *watcher) ask(ctx context.Context) ([]sdk.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	return w.troubles(ctx)
}

// commit stores the events as a request from ourselves.
func (w *watcher) commit(ctx context.Context, events []sdk.Event) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	body, err := json.Marshal(events)
	if err != nil {
		return fmt.Errorf("encode our own events: %w", err)
	}
	self := &core.Integration{Type: "bellcrank", Name: "gateway"}
	r := &core.Request{
		ID: w.store.NewID(), Tenant: core.DefaultTenant, Integration: core.SelfIntegration, ReceivedAt: w.now(),
		Method: "POST", Body: body, State: core.RequestDone, Adapter: "bellcrank",
	}
	_, err = w.store.Commit(ctx, &core.Submission{Insert: true, Change: core.Change{
		Request: r, ReopenWindow: core.DefaultReopenWindow, Last: true,
		Events: core.PrepareEvents(self, r.ID, false, events),
	}})
	return err
}

// troubles is what is wrong with the gateway now.
func (g *Gateway) troubles(ctx context.Context) ([]sdk.Event, error) {
	letters, err := g.store.DeadLetters(ctx)
	if err != nil {
		return nil, fmt.Errorf("list what was given up: %w", err)
	}
	return slices.Concat(g.disabled(), givenUp(letters), g.broken()), nil
}

// disabled tells of each destination that isn't sent to.
func (g *Gateway) disabled() []sdk.Event {
	var events []sdk.Event
	configured := g.current.Load().config.Destinations
	for _, s := range g.dispatcher.States() {
		known := slices.ContainsFunc(configured, func(d *core.Destination) bool { return d.ID() == s.Destination })
		if s.Active() || !known {
			continue
		}
		severity := sdk.High
		if s.Disabled == core.DisabledOperator {
			severity = sdk.Low // somebody meant it, but others may not know
		}
		events = append(events, sdk.Event{
			Action: sdk.Trigger, Severity: severity, DedupKey: "destination:" + s.Destination, IdentityRule: "destination",
			Title:       "Destination " + s.Destination + " is disabled: " + disabledWord(s.Disabled),
			Description: "What it is owed is parked, and delivered when it is back. Its last error: " + cmp.Or(s.LastError, "none"),
			Labels:      map[string]string{route.AboutLabel: s.Destination}, // it isn't told of itself
		})
	}
	return events
}

// givenUp tells of each destination's dead letters. What dies in another minute
// is another trouble: the one before ends with it, as the newer one counts all.
func givenUp(letters []core.DeadLetters) []sdk.Event {
	var events []sdk.Event
	for _, l := range letters {
		what := fmt.Sprintf("%d deliveries to %s were given up", l.Count, l.Destination)
		if l.Count == 1 {
			what = "A delivery to " + l.Destination + " was given up"
		}
		events = append(events, sdk.Event{
			Action: sdk.Trigger, Severity: sdk.High, IdentityRule: "dead letters", Title: what,
			DedupKey: "dead:" + l.Destination + ":" + l.Newest.UTC().Format("2006-01-02T15:04"),
			Description: "The last one at " + l.Newest.UTC().Format(time.RFC3339) + ". `bellcrank delivery list -state dead -destination " +
				l.Destination + "` lists them; `delivery retry` sends and `delivery discard` forgets them.",
			Labels: map[string]string{route.AboutLabel: l.Destination}, // it isn't told of itself
		})
	}
	return events
}

// broken tells of each plugin that doesn't start, and that somebody needs.
func (g *Gateway) broken() []sdk.Event {
	var events []sdk.Event
	for _, p := range g.plugins.Plugins() {
		if p.State != "quarantined" || p.Guest {
			continue
		}
		events = append(events, sdk.Event{
			Action: sdk.Trigger, Severity: sdk.High, DedupKey: "plugin:" + p.Name, IdentityRule: "plugin",
			Title:       "The adapter " + p.Name + " doesn't start",
			Description: "Requests for it are stored and adapted when it is back. Its last error: " + p.LastError,
		})
	}
	return append(events, g.drift.Troubles(g.current.Load().integrations)...)
}

func disabledWord(why core.DisabledReason) string {
	switch why {
	case core.DisabledGone:
		return "it answered 410 Gone"
	case core.DisabledOperator:
		return "somebody did so"
	}
	return "its retries are exhausted"
}
