package route

import (
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Trial is what would become of an event if nothing else had happened.
type Trial struct {
	Event core.Event
	// Incident is the one that a trigger would open, nil for other events: who
	// was told of an incident hears of its end.
	Incident     *core.Incident
	Hold         core.Hold // what would keep it back
	Decisions    []Decision
	Destinations []string // who would hear of it, now or when what holds it back is over
}

// Try tells what would become of an adapter's events. Nothing is stored.
func (t *Tree) Try(in *core.Integration, r *core.Request, events []sdk.Event, now time.Time) []Trial {
	var trials []Trial
	for _, e := range core.PrepareEvents(in, r.ID, r.Test, events) {
		trial := Trial{Event: e}
		if e.Action == sdk.Trigger {
			trial = t.TryIncident(core.NewIncident(&e, r, now), now)
			trial.Event = e
		}
		trials = append(trials, trial)
	}
	return trials
}

// TryIncident tells who would hear of an incident.
func (t *Tree) TryIncident(in *core.Incident, now time.Time) Trial {
	trial := Trial{Incident: in, Decisions: t.Explain(in), Destinations: t.Match(in)}
	if !in.Test && in.Integration != core.SelfIntegration {
		trial.Hold, _ = t.Hold(in, now)
	}
	return trial
}
