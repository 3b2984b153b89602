package dispatch

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"bellcrank.example/core"
)

// history drives the lane of one incident through versions, attempts and their
// ends in any order, and checks each message.
type history struct {
	*memory
	now  time.Time
	next core.Next // under way if lane isn't empty
	lane core.Lane
	sent int // version of the newest message
	open bool
}

const historyIncident core.ID = 5

func newHistory() *history {
	return &history{memory: newMemory(), now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)}
}

// add makes the next version: the kind fits what the incident is.
func (h *history) add(t *rapid.T) {
	kind := core.Created
	switch n := len(h.versions[historyIncident]); {
	case n == 0:
	case !h.open:
		kind = core.Reopened
	default:
		kind = rapid.SampledFrom([]core.Kind{core.Escalated, core.AckedKind, core.ResolvedKind}).Draw(t, "kind")
	}
	h.open = kind != core.ResolvedKind
	h.owe(historyIncident, kind, h.now, "webhook/a")
}

// begin starts an attempt at the lane if one is due.
func (h *history) begin(t *rapid.T) {
	if len(h.lane.Deliveries) > 0 {
		return
	}
	lanes, err := h.Due(t.Context(), "webhook/a", h.now, 1)
	if !h.states["webhook/a"].Active() {
		lanes, err = h.Parked(t.Context(), "webhook/a", 0, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(lanes) == 0 {
		return
	}
	next, _ := lanes[0].Next(true)
	if next.Delivery.State == core.DeliveryDue && next.At.After(h.now) {
		if err := h.Record(t.Context(), core.Outcome{Deliveries: lanes[0].Postpone(next)}); err != nil {
			t.Fatal(err)
		}
		return
	}
	h.lane, h.next = lanes[0], next
	if next.Delivery.Version < h.sent {
		t.Fatalf("version %d is sent after %d", next.Delivery.Version, h.sent)
	}
	h.sent = next.Delivery.Version
	front := lanes[0].Deliveries[0]
	if front.Kind.Opening() && front.FaultTries == 0 && next.Delivery.ID != front.ID {
		t.Fatalf("version %d is sent before the opening %d", next.Delivery.Version, front.Version)
	}
}

// end settles the attempt that is under way.
func (h *history) end(t *rapid.T, answer core.Answer) {
	if len(h.lane.Deliveries) == 0 {
		return
	}
	v, err := h.Version(t.Context(), historyIncident, h.next.Delivery.Version)
	if err != nil {
		t.Fatal(err)
	}
	state := h.states["webhook/a"]
	state.Tenant, state.Destination = 1, "webhook/a"
	o := core.Try{
		Lane: h.lane, Next: h.next, Kind: h.next.Kind(v), Answer: answer,
		Attempt: core.Attempt{ID: h.newID(), At: h.now, Took: time.Second}, State: state, Fold: true, Now: h.now,
	}.Settle()
	if err := h.Record(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	h.lane = core.Lane{}
}

func (h *history) pass(t *rapid.T) {
	steps := []time.Duration{0, time.Second, time.Minute, 31 * time.Minute, 3 * time.Hour}
	h.now = h.now.Add(rapid.SampledFrom(steps).Draw(t, "time"))
}

func TestNoInterleavingBreaksTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory()
		h.add(t)
		answers := []core.Answer{
			{Status: 200}, {}, {Status: 500}, {Status: 400}, {Status: 429}, {Status: 503, RetryAfter: "60"}, {Status: 410},
		}
		t.Repeat(map[string]func(*rapid.T){
			"add":   h.add,
			"begin": h.begin,
			"end":   func(t *rapid.T) { h.end(t, rapid.SampledFrom(answers).Draw(t, "answer")) },
			"pass":  h.pass,
		})
		h.drain(t)
		h.check(t)
	})
}

// drain lets the destination take all from now on.
func (h *history) drain(t *rapid.T) {
	h.end(t, core.Answer{Status: 200})
	if !h.states["webhook/a"].Active() {
		s := h.states["webhook/a"]
		s.Disabled, s.Since = "", h.now
		if err := h.SetDestination(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		if h.unfinished() == 0 {
			return
		}
		h.now = h.now.Add(time.Hour)
		h.begin(t)
		h.end(t, core.Answer{Status: 200})
	}
	t.Fatalf("%d deliveries are still owed", h.unfinished())
}

// check holds the promise: delivered, or folded into a later one that was, or
// given up, which needs three refusals or a schedule's end.
func (h *history) check(t *rapid.T) {
	for _, d := range h.rows {
		switch d.State {
		case core.DeliveryDelivered, core.DeliveryDead:
		case core.DeliveryFolded:
			into := h.rows[d.FoldedInto]
			if into.State != core.DeliveryDelivered || into.Version <= d.Version {
				t.Fatalf("version %d is folded into version %d, which is %s", d.Version, into.Version, into.State)
			}
		default:
			t.Fatalf("version %d ends as %s", d.Version, d.State)
		}
	}
}
