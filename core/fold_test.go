package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bellcrank.example/sdk"
)

// book is a store in miniature: it loads what a change refers to, folds, and
// keeps the result.
type book struct {
	state  State
	routes Routes
	now    time.Time
	next   ID
	number int64
	all    Folded
}

// fixedRoutes sends everything to the same destinations.
type fixedRoutes []string

func (r fixedRoutes) Decide(*Incident) ([]string, []Decision) {
	return r, []Decision{{Route: "all", Matched: true, To: r}}
}
func (r fixedRoutes) Wants(string, Kind) bool                       { return true }
func (r fixedRoutes) Hold(*Incident, time.Time) (Hold, bool)        { return Hold{}, false }
func (r fixedRoutes) Generation() int64                             { return 1 }
func (r fixedRoutes) Instead(*Incident, func(string) bool) []string { return nil }

func newBook(destinations ...string) *book {
	b := &book{
		state:  State{Slots: map[SlotRef]*Slot{}, Incidents: map[ID]*Incident{}, Destinations: map[string]DestinationState{}},
		routes: fixedRoutes(destinations),
		now:    time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	b.state.NewID = func() ID { b.next++; return b.next }
	return b
}

var testIntegration = &Integration{
	Tenant: DefaultTenant, Type: "datadog", Name: "prod", ReopenWindow: DefaultReopenWindow,
	Info: sdk.Info{EventTime: sdk.Observed},
}

// send folds one request with the events, a second after the one before.
func (b *book) send(events ...sdk.Event) *Request {
	return b.change(nil, "", events...)
}

func (b *book) change(r *Request, failure Code, events ...sdk.Event) *Request {
	b.now = b.now.Add(time.Second)
	if r == nil {
		r = &Request{ID: b.state.NewID(), Tenant: DefaultTenant, Integration: testIntegration.ID(), ReceivedAt: b.now}
	}
	r.Incidents, r.Total = nil, 0
	f := Fold(&b.state, []*Change{{
		Request: r, Observed: true, ReopenWindow: DefaultReopenWindow, Failure: failure, Detail: "broken", Last: true,
		Events: PrepareEvents(testIntegration, r.ID, false, events),
	}}, b.routes, b.now)
	for _, in := range f.Created {
		b.number++
		in.Number = b.number
	}
	b.all.Created = append(b.all.Created, f.Created...)
	b.all.Timeline = append(b.all.Timeline, f.Timeline...)
	b.all.Versions = append(b.all.Versions, f.Versions...)
	b.all.Deliveries = append(b.all.Deliveries, f.Deliveries...)
	return r
}

// story tells the incidents and what was owed, a line each.
func (b *book) story() string {
	var lines []string
	for _, in := range b.all.Created {
		line := fmt.Sprintf("%s %s %s %q x%d", in.Name(), in.Status, in.Severity, in.Title, in.Count)
		for _, d := range b.all.Deliveries {
			if d.Incident == in.ID {
				line += fmt.Sprintf(" %d:%s", d.Version, d.Kind)
			}
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func (b *book) effects() string {
	var effects []string
	for _, e := range b.all.Timeline {
		effects = append(effects, string(e.Effect))
	}
	return strings.Join(effects, " ")
}

// said returns a vendor's time, so many minutes after noon.
func said(minute int) time.Time { return time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC) }

func trigger(key string, severity sdk.Severity, minute int) sdk.Event {
	return sdk.Event{Action: sdk.Trigger, DedupKey: key, Title: "disk full", Severity: severity, OccurredAt: said(minute)}
}

func resolve(key string, minute int) sdk.Event {
	return sdk.Event{Action: sdk.Resolve, DedupKey: key, OccurredAt: said(minute)}
}

func acknowledge(key string, minute int) sdk.Event {
	return sdk.Event{Action: sdk.Acknowledge, DedupKey: key, OccurredAt: said(minute)}
}

func TestFold(t *testing.T) {
	tests := map[string]struct {
		events  []sdk.Event // each in a request of its own
		story   string
		effects string
	}{
		"a trigger opens": {
			events:  []sdk.Event{trigger("a", sdk.High, 1)},
			story:   `INC-001 investigating High "disk full" x1 1:created`,
			effects: "opened",
		},
		"a repeat counts and tells nobody": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), trigger("a", sdk.High, 2)},
			story:   `INC-001 investigating High "disk full" x2 1:created`,
			effects: "opened repeated",
		},
		"a higher severity is news": {
			events:  []sdk.Event{trigger("a", sdk.Medium, 1), trigger("a", sdk.Critical, 2)},
			story:   `INC-001 investigating Critical "disk full" x2 1:created 2:escalated`,
			effects: "opened raised",
		},
		"a lower severity is not taken over": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), trigger("a", sdk.Low, 2)},
			story:   `INC-001 investigating High "disk full" x2 1:created`,
			effects: "opened repeated",
		},
		"a resolve ends it and keeps the severity": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), resolve("a", 2)},
			story:   `INC-001 resolved High "disk full" x1 1:created 2:resolved`,
			effects: "opened resolved",
		},
		"a second resolve does nothing": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), resolve("a", 2), resolve("a", 3)},
			story:   `INC-001 resolved High "disk full" x1 1:created 2:resolved`,
			effects: "opened resolved none",
		},
		"an acknowledgement is news once": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), acknowledge("a", 2), acknowledge("a", 3)},
			story:   `INC-001 acknowledged High "disk full" x1 1:created 2:acknowledged`,
			effects: "opened acknowledged none",
		},
		"a repeat leaves the acknowledgement": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), acknowledge("a", 2), trigger("a", sdk.High, 3)},
			story:   `INC-001 acknowledged High "disk full" x2 1:created 2:acknowledged`,
			effects: "opened acknowledged repeated",
		},
		"a resolve of nothing is an orphan": {
			events:  []sdk.Event{resolve("a", 1)},
			effects: "orphan",
		},
		"two keys are two incidents": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), trigger("b", sdk.Low, 2), resolve("a", 3)},
			story:   "INC-001 resolved High \"disk full\" x1 1:created 2:resolved\nINC-002 investigating Low \"disk full\" x1 1:created",
			effects: "opened opened resolved",
		},
		"a return within the window reopens and notifies": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), resolve("a", 2), trigger("a", sdk.Low, 3)},
			story:   `INC-001 investigating Low "disk full" x2 1:created 2:resolved 3:reopened`,
			effects: "opened resolved reopened",
		},
		"a resolve said before the newest trigger closes nothing": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), trigger("a", sdk.High, 5), resolve("a", 3)},
			story:   `INC-001 investigating High "disk full" x2 1:created`,
			effects: "opened repeated stale",
		},
		"a trigger said before the resolve that came first opens nothing": {
			events:  []sdk.Event{resolve("a", 5), trigger("a", sdk.High, 1)},
			story:   `INC-001 resolved High "disk full" x1`,
			effects: "orphan late",
		},
		"a late trigger counts for its episode": {
			events:  []sdk.Event{trigger("a", sdk.High, 1), resolve("a", 5), trigger("a", sdk.High, 3)},
			story:   `INC-001 resolved High "disk full" x2 1:created 2:resolved`,
			effects: "opened resolved late",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBook("webhook/ops")
			for _, e := range tt.events {
				b.send(e)
			}
			if got := b.story(); got != tt.story {
				t.Errorf("story:\n%s\nwant:\n%s", got, tt.story)
			}
			if got := b.effects(); got != tt.effects {
				t.Errorf("effects: %s, want %s", got, tt.effects)
			}
		})
	}
}

func TestReturnAfterTheWindowOpensAnewAndNamesThePrevious(t *testing.T) {
	b := newBook("webhook/ops")
	b.send(trigger("a", sdk.High, 1))
	b.send(resolve("a", 2))
	b.now = b.now.Add(DefaultReopenWindow)
	b.send(trigger("a", sdk.High, 20))
	want := "INC-001 resolved High \"disk full\" x1 1:created 2:resolved\nINC-002 investigating High \"disk full\" x1 1:created"
	if got := b.story(); got != want {
		t.Fatalf("story:\n%s\nwant:\n%s", got, want)
	}
	if got, want := b.all.Created[1].Previous, b.all.Created[0].ID; got != want {
		t.Errorf("previous is %v, want %v", got, want)
	}
}

func TestNextEpisodeOfASeriesNamesThePrevious(t *testing.T) {
	b := newBook()
	for i, key := range []string{"cycle-1", "cycle-2"} {
		e := trigger(key, sdk.High, i+1)
		e.SeriesKey = "monitor:1"
		b.send(e)
	}
	if got, want := b.all.Created[1].Previous, b.all.Created[0].ID; got != want {
		t.Errorf("previous is %v, want %v", got, want)
	}
}

func TestEventsOfOneRequestFoldInOrder(t *testing.T) {
	b := newBook("webhook/ops")
	r := b.send(trigger("a", sdk.High, 1), trigger("a", sdk.Critical, 2), resolve("a", 3))
	want := `INC-001 resolved Critical "disk full" x2 1:created 2:escalated 3:resolved`
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
	if len(r.Incidents) != 1 || r.Total != 1 {
		t.Errorf("the request lists %v of %d incidents, want one", r.Incidents, r.Total)
	}
}

func TestArrivalOrdersEventsWhoseTimesAreNotTheSenders(t *testing.T) {
	b := newBook()
	b.send(trigger("a", sdk.High, 5))
	r := &Request{ID: b.state.NewID(), Tenant: DefaultTenant, Integration: testIntegration.ID(), ReceivedAt: b.now}
	Fold(&b.state, []*Change{{
		Request: r, Events: PrepareEvents(testIntegration, r.ID, false, []sdk.Event{resolve("a", 1)}),
	}}, b.routes, b.now)
	if got := b.all.Created[0].Status; got != Resolved {
		t.Errorf("status %s, want resolved: an older source time must not matter", got)
	}
}

func TestEventWithoutIdentityOpensUnlessItIsARetry(t *testing.T) {
	b := newBook()
	e := sdk.Event{Action: sdk.Trigger, Title: "Server is down"}
	b.send(e)
	b.send(e) // a second later: the client's retry
	b.now = b.now.Add(time.Minute)
	b.send(e)
	want := "INC-001 investigating Medium \"Server is down\" x2\nINC-002 investigating Medium \"Server is down\" x1"
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}

func TestTestsAndRealProblemsDontTouch(t *testing.T) {
	b := newBook()
	test := trigger("a", sdk.High, 1)
	test.Test = true
	b.send(test)
	b.send(trigger("a", sdk.High, 2))
	over := resolve("a", 3)
	over.Test = true
	b.send(over)
	want := "INC-001 resolved High \"disk full\" x1\nINC-002 investigating High \"disk full\" x1"
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}

func TestIdentityIsScopedToTheIntegration(t *testing.T) {
	b := newBook()
	b.send(trigger("a", sdk.High, 1))
	r := &Request{ID: b.state.NewID(), Tenant: DefaultTenant, Integration: "datadog/staging", ReceivedAt: b.now}
	f := Fold(&b.state, []*Change{{
		Request: r, Events: PrepareEvents(testIntegration, r.ID, false, []sdk.Event{trigger("a", sdk.High, 2)}),
	}}, b.routes, b.now)
	if len(f.Created) != 1 {
		t.Errorf("the same key of another integration created %d incidents, want 1", len(f.Created))
	}
}

func TestWhoHearsOfAVersion(t *testing.T) {
	b := newBook("webhook/ops")
	b.send(trigger("a", sdk.Low, 1))
	b.routes = fixedRoutes{"log/file"} // routes have changed
	b.send(trigger("a", sdk.High, 2))
	b.routes = fixedRoutes{"webhook/late"}
	b.send(resolve("a", 3))
	var got []string
	for _, d := range b.all.Deliveries {
		got = append(got, fmt.Sprintf("%s %d %s", d.Destination, d.Version, d.Kind))
	}
	want := []string{
		"webhook/ops 1 created",
		"log/file 2 created", "webhook/ops 2 escalated",
		"log/file 3 resolved", "webhook/ops 3 resolved",
	}
	if !slices.Equal(got, want) {
		t.Errorf("deliveries %q\nwant %q", got, want)
	}
}

func TestDisabledDestinationIsOwedParkedDeliveries(t *testing.T) {
	b := newBook("webhook/ops")
	b.state.Destinations["webhook/ops"] = DestinationState{Disabled: DisabledExhausted}
	b.send(trigger("a", sdk.Low, 1))
	if got := b.all.Deliveries[0].State; got != DeliveryParked {
		t.Errorf("delivery is %s, want parked", got)
	}
}

func TestSuccessorWaitsAsLongAsItsPredecessor(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	failed := Delivery{State: DeliveryDue, Attempt: 3, NextAt: at.Add(time.Hour), FirstAt: at, Fault: DestinationFault}
	d := Delivery{State: DeliveryDue, NextAt: at}
	Inherit(&d, failed)
	if d.Attempt != 3 || !d.NextAt.Equal(failed.NextAt) {
		t.Errorf("after a destination-fault: attempt %d at %v, want 3 at %v", d.Attempt, d.NextAt, failed.NextAt)
	}
	failed.Fault = DeliveryFault
	d = Delivery{State: DeliveryDue, NextAt: at}
	Inherit(&d, failed)
	if d.Attempt != 0 || !d.NextAt.Equal(at) {
		t.Errorf("after a delivery-fault: attempt %d at %v, want 0 at once", d.Attempt, d.NextAt)
	}
}

func TestFallbackIncidentTellsOnceAndOnEachDoubling(t *testing.T) {
	b := newBook("webhook/ops")
	for range 5 {
		b.change(nil, AdapterRejected)
	}
	want := `INC-001 investigating High "An alert from datadog/prod could not be read" x5 1:created 2:updated 3:updated`
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}

func TestFallbackIncidentIsCorrectedInPlace(t *testing.T) {
	b := newBook("webhook/ops")
	r := b.change(nil, AdapterRejected)
	b.change(r, "", trigger("a", sdk.Critical, 1))
	want := `INC-001 investigating Critical "disk full" x1 1:created 2:updated`
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
	b.send(resolve("a", 2))
	if got := b.all.Created[0].Status; got != Resolved {
		t.Errorf("after the vendor's resolve the corrected incident is %s", got)
	}
}

func TestFallbackIncidentEndsWhenNobodyWaits(t *testing.T) {
	b := newBook("webhook/ops")
	b.send(trigger("a", sdk.Low, 1))
	first, second := b.change(nil, AdapterRejected), b.change(nil, AdapterRejected)
	b.change(first, "", trigger("a", sdk.Low, 2)) // a repeat takes nothing over
	if got := b.all.Created[1].Status; got != Investigating {
		t.Fatalf("one still waits, but the fallback incident is %s", got)
	}
	b.change(second, "", trigger("a", sdk.Low, 3))
	fallback := b.all.Created[1]
	if fallback.Status != Resolved || fallback.SupersededBy != b.all.Created[0].ID {
		t.Errorf("fallback incident is %s, superseded by %v; want resolved by %v", fallback.Status, fallback.SupersededBy, b.all.Created[0].ID)
	}
}

func TestTenThousandRepeatsAreOneIncidentToldOnce(t *testing.T) {
	b := newBook("webhook/ops", "log/file")
	for range 10_000 {
		b.send(trigger("a", sdk.High, 1))
	}
	want := `INC-001 investigating High "disk full" x10000 1:created 1:created`
	if got := b.story(); got != want {
		t.Errorf("story:\n%s\nwant:\n%s", got, want)
	}
}
