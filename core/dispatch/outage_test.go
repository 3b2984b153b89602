package dispatch

import (
	"slices"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
)

// outage is a destination that is away for a while, and takes note of what it
// is sent.
type outage struct {
	mu   sync.Mutex
	back time.Time                           // when it answers again
	took map[core.ID][]int                   // versions of each incident, in order
	ids  map[core.ID]map[int]map[string]bool // under which each version came
}

func (o *outage) answer(m core.Message) core.Answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	in := m.Incident
	if o.ids[in.ID] == nil {
		o.ids[in.ID] = map[int]map[string]bool{}
	}
	if o.ids[in.ID][in.Version] == nil {
		o.ids[in.ID][in.Version] = map[string]bool{}
	}
	o.ids[in.ID][in.Version][m.ID] = true
	if time.Now().Before(o.back) {
		return core.Answer{Status: 503}
	}
	o.took[in.ID] = append(o.took[in.ID], in.Version)
	return core.Answer{Status: 200}
}

// A thousand incidents change while their destination is away for three hours,
// which is longer than the schedule lasts.
func TestAfterAnOutageEveryFinalStateHasArrived(t *testing.T) {
	const incidents = 1000
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		out := &outage{back: start.Add(3 * time.Hour), took: map[core.ID][]int{}, ids: map[core.ID]map[int]map[string]bool{}}
		ops := &answers{answer: func(core.Message) core.Answer { return core.Answer{Status: 200} }}
		var d *Dispatcher
		var disabled time.Time
		d, stop := running(t, m, Config{
			Destinations: []*core.Destination{
				destination("crm", &answers{answer: out.answer}), destination("ops", ops),
			},
			Notice: func(n Notice) {
				disabled = n.From
				m.owe(1_000_000, core.Created, time.Now(), "webhook/ops") // an incident of the gateway's own
				d.Wake([]string{"webhook/ops"})
			},
		})
		// Each opens within the first half hour, and changes twice by its end.
		say := func(kind core.Kind, from, over time.Duration) {
			for i := range core.ID(incidents) {
				time.Sleep(time.Until(start.Add(from + time.Duration(i)*over/incidents)))
				m.owe(i+1, kind, time.Now(), "webhook/crm")
				d.Wake([]string{"webhook/crm"})
			}
		}
		say(core.Created, 0, 30*time.Minute)
		say(core.Escalated, time.Hour, 30*time.Minute)
		say(core.ResolvedKind, 2*time.Hour, 50*time.Minute)
		time.Sleep(time.Until(out.back.Add(16 * time.Minute))) // probes are 15 minutes apart
		time.Sleep(2 * time.Minute)                            // a thousand at 50 a second, openings before ends
		stop()

		if told := ops.messages(); disabled.IsZero() || len(told) != 1 || told[0].Now.Sub(disabled) > time.Minute {
			t.Errorf("disabled at %v, and others told %v; want it told once within a minute", disabled, told)
		}
		if got := m.unfinished(); got != 0 || len(out.took) != incidents {
			t.Errorf("%d deliveries are still owed and %d incidents arrived, want 0 and %d", got, len(out.took), incidents)
		}
		for incident, versions := range out.took {
			if !slices.IsSorted(versions) || versions[len(versions)-1] != 3 {
				t.Errorf("incident %d arrived as versions %v, want them in order up to 3", incident, versions)
			}
		}
		for incident, versions := range out.ids {
			for version, ids := range versions {
				if len(ids) != 1 {
					t.Errorf("version %d of incident %d was sent under %d ids, want 1", version, incident, len(ids))
				}
			}
		}
	})
}
