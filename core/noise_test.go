package core

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"bellcrank.example/sdk"
)

// heldRoutes holds news back as the test says.
type heldRoutes struct {
	fixedRoutes
	hold func(in *Incident, now time.Time) (Hold, bool)
}

func (r *heldRoutes) Hold(in *Incident, now time.Time) (Hold, bool) { return r.hold(in, now) }

// noisy is a book whose integration has rules about noise, and a clock that
// the test sets.
type noisy struct {
	*book
	t           *testing.T
	integration Integration
}

func newNoisy(t *testing.T) *noisy {
	n := &noisy{book: newBook("webhook/ops"), t: t, integration: *testIntegration}
	return n
}

// say folds one request now.
func (n *noisy) say(events ...sdk.Event) {
	n.t.Helper()
	r := &Request{ID: n.state.NewID(), Tenant: DefaultTenant, Integration: n.integration.ID(), ReceivedAt: n.now}
	n.keep(Fold(&n.state, []*Change{{
		Request: r, ReopenWindow: DefaultReopenWindow, Flap: n.integration.Flap, AutoResolve: n.integration.AutoResolve, Last: true,
		Events: PrepareEvents(&n.integration, r.ID, false, events),
	}}, n.routes, n.now))
}

// wake does what is due, as the scheduler would.
func (n *noisy) wake(suspect bool) {
	var due []Waking
	for _, in := range n.all.Created {
		if !in.WakeAt.IsZero() && !in.WakeAt.After(n.now) {
			due = append(due, in.Wakings())
		}
	}
	n.keep(Wake(&n.state, due, n.routes, n.now, suspect))
}

// after moves the clock and does what is due then.
func (n *noisy) after(d time.Duration) {
	n.now = n.now.Add(d)
	n.wake(false)
}

func (n *noisy) keep(f *Folded) {
	for _, in := range f.Created {
		n.number++
		in.Number = n.number
	}
	n.all.Created = append(n.all.Created, f.Created...)
	n.all.Timeline = append(n.all.Timeline, f.Timeline...)
	n.all.Versions = append(n.all.Versions, f.Versions...)
	n.all.Deliveries = append(n.all.Deliveries, f.Deliveries...)
}

// told lists what was owed since the last call: "INC-001 created".
func (n *noisy) told() string {
	var lines []string
	for _, d := range n.all.Deliveries {
		lines = append(lines, fmt.Sprintf("%s %s", n.state.Incidents[d.Incident].Name(), d.Kind))
	}
	n.all.Deliveries = nil
	return strings.Join(lines, ", ")
}

func (n *noisy) wantTold(want string) {
	n.t.Helper()
	if got := n.told(); got != want {
		n.t.Errorf("told %q, want %q", got, want)
	}
}

func fires(key string) sdk.Event {
	return sdk.Event{Action: sdk.Trigger, DedupKey: key, Title: "trouble with " + key, Severity: sdk.Medium}
}

func ends(key string) sdk.Event { return sdk.Event{Action: sdk.Resolve, DedupKey: key} }

// silencedUntil holds everything back between now and a time.
func (n *noisy) silencedUntil(until time.Time) {
	n.routes = &heldRoutes{fixedRoutes{"webhook/ops"}, func(_ *Incident, now time.Time) (Hold, bool) {
		return Hold{By: "silence x", Until: until}, now.Before(until)
	}}
}

func TestWhatASilenceHeldBackIsOwedAtItsEnd(t *testing.T) {
	n := newNoisy(t)
	n.silencedUntil(n.now.Add(time.Hour))
	n.say(fires("a"), fires("b"))
	n.say(sdk.Event{Action: sdk.Acknowledge, DedupKey: "a"})
	n.say(ends("b"))
	n.wantTold("")
	a, b := n.all.Created[0], n.all.Created[1]
	if a.Held.By != "silence x" || a.Version != 2 || b.Held.By != "" {
		t.Errorf("a is held by %q at version %d, b by %q", a.Held.By, a.Version, b.Held.By)
	}
	n.after(59 * time.Minute)
	n.wantTold("")
	n.after(time.Minute)
	n.wantTold("INC-001 created")
	if a.Version != 2 || a.Held.By != "" || !a.WakeAt.IsZero() {
		t.Errorf("after it: version %d, held by %q, due %v", a.Version, a.Held.By, a.WakeAt)
	}
	n.say(ends("a"))
	n.wantTold("INC-001 resolved")
}

func TestASilenceNeverHoldsBackTheEndOfWhatWasTold(t *testing.T) {
	n := newNoisy(t)
	n.say(fires("a"))
	n.wantTold("INC-001 created")
	n.silencedUntil(n.now.Add(time.Hour))
	worse := fires("a")
	worse.Severity = sdk.Critical
	n.say(worse)
	n.wantTold("")
	n.say(ends("a"))
	n.wantTold("INC-001 resolved")
	n.after(2 * time.Hour)
	n.wantTold("")
}

func TestAHoldThatBecameLongerGoesOn(t *testing.T) {
	n := newNoisy(t)
	n.silencedUntil(n.now.Add(time.Hour))
	n.say(fires("a"))
	n.silencedUntil(n.now.Add(3 * time.Hour))
	n.after(time.Hour)
	n.wantTold("")
	n.after(2 * time.Hour)
	n.wantTold("INC-001 created")
}

func TestTestsAndOurOwnTroubleAreNotHeldBack(t *testing.T) {
	n := newNoisy(t)
	n.silencedUntil(n.now.Add(time.Hour))
	test := fires("a")
	test.Test = true
	n.say(test)
	n.wantTold("INC-001 created")
	n.integration.Type, n.integration.Name = "bellcrank", "gateway"
	n.say(fires("b"))
	n.wantTold("INC-002 created")
}

// groupedBy groups what has a label of this name.
func (n *noisy) groupedBy(label string, window, wait time.Duration) {
	n.integration.Group = func(e *Event) GroupKey {
		return NewGroupKey("storm", label+"="+e.Labels[label], window, wait)
	}
}

func inCluster(key, cluster string) sdk.Event {
	e := fires(key)
	e.Labels = map[string]string{"cluster": cluster}
	return e
}

func TestAStormNotifiesOncePerGroup(t *testing.T) {
	n := newNoisy(t)
	n.groupedBy("cluster", 5*time.Minute, 0)
	for i := range 500 {
		n.say(inCluster(fmt.Sprint("k", i), fmt.Sprint("c", i%5)))
		n.now = n.now.Add(100 * time.Millisecond)
	}
	if len(n.all.Deliveries) != 5 {
		t.Fatalf("%d notifications of 500 alerts in 5 groups, want 5", len(n.all.Deliveries))
	}
	members := map[ID]int{}
	for _, in := range n.all.Created {
		if in.Grouped == nil {
			members[in.Group]++
		}
	}
	for _, d := range n.all.Deliveries {
		g := n.state.Incidents[d.Incident]
		if d.Kind != Created || members[g.ID] != 100 || g.Grouped.Members != 100 || g.Count != 100 {
			t.Errorf("%s of %q: %d members are stored, it counts %+v", d.Kind, g.Title, members[g.ID], g.Grouped)
		}
	}
	n.all.Deliveries = nil
	for i := range 499 {
		n.say(ends(fmt.Sprint("k", i)))
	}
	if got := strings.Count(n.told(), "resolved"); got != 4 {
		t.Errorf("%d groups are over, want 4: one alert burns still", got)
	}
	n.say(ends("k499"))
	if got := n.told(); !strings.HasSuffix(got, " resolved") || strings.Contains(got, ",") {
		t.Errorf("at the last: %q", got)
	}
}

func TestAGroup(t *testing.T) {
	tests := map[string]struct {
		wait time.Duration
		play func(n *noisy)
		want string
	}{
		"takes members as long as its window": {play: func(n *noisy) {
			n.say(inCluster("a", "x"))
			n.now = n.now.Add(6 * time.Minute)
			n.say(inCluster("b", "x"))
		}, want: "INC-002 created, INC-004 created"},
		"tells of a worse member": {play: func(n *noisy) {
			n.say(inCluster("a", "x"))
			worse := inCluster("b", "x")
			worse.Severity = sdk.Critical
			n.say(worse)
		}, want: "INC-002 created, INC-002 escalated"},
		"begins again within its window": {play: func(n *noisy) {
			n.say(inCluster("a", "x"))
			n.say(ends("a"))
			n.say(inCluster("b", "x"))
		}, want: "INC-002 created, INC-002 resolved, INC-002 reopened"},
		"counts a member that returns once": {play: func(n *noisy) {
			n.say(inCluster("a", "x"), inCluster("b", "x"))
			n.say(ends("a"))
			n.say(inCluster("a", "x"))
			n.say(ends("b"))
			n.say(ends("a"))
		}, want: "INC-002 created, INC-002 resolved"},
		"waits for members before it speaks": {wait: 30 * time.Second, play: func(n *noisy) {
			n.say(inCluster("a", "x"))
			n.after(29 * time.Second)
			n.say(inCluster("b", "x"))
			n.wantTold("")
			n.after(time.Second)
			if title := n.all.Created[1].Title; title != "[storm: cluster=x] 2 problems, the first: trouble with a" {
				n.t.Errorf("title %q", title)
			}
		}, want: "INC-002 created"},
		"that is over before it spoke says nothing": {wait: 30 * time.Second, play: func(n *noisy) {
			n.say(inCluster("a", "x"))
			n.say(ends("a"))
			n.after(time.Minute)
		}, want: ""},
		"speaks when one member isn't silenced": {play: func(n *noisy) {
			n.routes = &heldRoutes{fixedRoutes{"webhook/ops"}, func(in *Incident, now time.Time) (Hold, bool) {
				return Hold{By: "silence x", Until: now.Add(time.Hour)}, strings.HasSuffix(in.Title, "with a")
			}}
			n.say(inCluster("a", "x"))
			n.wantTold("")
			n.say(inCluster("b", "x"))
		}, want: "INC-002 created"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNoisy(t)
			n.groupedBy("cluster", 5*time.Minute, tt.wait)
			tt.play(n)
			n.wantTold(tt.want)
		})
	}
}

func (n *noisy) flapping() {
	n.integration.Flap = FlapPolicy{Transitions: 4, Window: 10 * time.Minute, Quiet: 10 * time.Minute}
}

// effects lists what the timeline says happened, without repeats.
func (n *noisy) effects() []string {
	var all []string
	for _, e := range n.all.Timeline {
		all = append(all, string(e.Effect))
	}
	return slices.Compact(all)
}

func TestAFlapperIsHeldOpenAndSaysSoOnce(t *testing.T) {
	n := newNoisy(t)
	n.flapping()
	for range 20 {
		n.say(fires("a"))
		n.now = n.now.Add(30 * time.Second)
		n.say(ends("a"))
		n.now = n.now.Add(30 * time.Second)
	}
	n.wantTold("INC-001 created, INC-001 resolved, INC-001 reopened, INC-001 updated")
	in := n.all.Created[0]
	if len(n.all.Created) != 1 || !in.Flap.On() || !in.Open() {
		t.Fatalf("%d incidents, the first %s, flaps: %v", len(n.all.Created), in.Status, in.Flap.On())
	}
	n.after(9 * time.Minute)
	n.wantTold("")
	n.after(time.Minute)
	n.wantTold("INC-001 resolved")
	if in.Flap.On() || in.Open() || !in.WakeAt.IsZero() {
		t.Errorf("after its quiet it is %s, flaps: %v, due %v", in.Status, in.Flap.On(), in.WakeAt)
	}
	n.now = n.now.Add(time.Hour)
	n.say(fires("a"))
	n.wantTold("INC-002 created")
}

func TestAFlapperThatStaysIsLetGoOpen(t *testing.T) {
	n := newNoisy(t)
	n.flapping()
	for range 3 {
		n.say(fires("a"))
		n.say(ends("a"))
	}
	n.say(fires("a"))
	n.told()
	n.after(10 * time.Minute)
	n.wantTold("")
	in := n.all.Created[0]
	if in.Flap.On() || !in.Open() {
		t.Errorf("it is %s, flaps: %v", in.Status, in.Flap.On())
	}
	n.say(ends("a"))
	n.wantTold("INC-001 resolved")
	if got := n.effects(); !slices.Contains(got, "flapping") || !slices.Contains(got, "held open") || !slices.Contains(got, "settled") {
		t.Errorf("the timeline says %q", got)
	}
}

func TestAFlapperIsSeenThroughNewKeys(t *testing.T) {
	n := newNoisy(t)
	n.flapping()
	cycle := func(i int, e sdk.Event) sdk.Event {
		e.DedupKey, e.SeriesKey = fmt.Sprint("cycle", i), "monitor"
		return e
	}
	for i := range 10 {
		n.say(cycle(i, fires("")))
		n.say(cycle(i, ends("")))
	}
	n.wantTold("INC-001 created, INC-001 resolved, INC-002 created, INC-002 updated")
	if len(n.all.Created) != 2 {
		t.Errorf("%d incidents, want the flapping one to take the others' keys", len(n.all.Created))
	}
	n.after(10 * time.Minute)
	n.wantTold("INC-002 resolved")
	for ref, slot := range n.state.Slots {
		if slot.Open != 0 {
			t.Errorf("slot %+v still holds %v open", ref, slot.Open)
		}
	}
}

func TestSlowComingsAndGoingsAreNoFlapping(t *testing.T) {
	n := newNoisy(t)
	n.flapping()
	for range 10 {
		n.say(fires("a"))
		n.now = n.now.Add(6 * time.Minute)
		n.say(ends("a"))
		n.now = n.now.Add(6 * time.Minute)
	}
	if got := n.told(); strings.Contains(got, "updated") || strings.Count(got, "resolved") != 10 {
		t.Errorf("told %q", got)
	}
}

func TestSilenceOfItsSenderResolves(t *testing.T) {
	n := newNoisy(t)
	n.integration.AutoResolve = AutoResolve{After: 24 * time.Hour, Severity: map[sdk.Severity]time.Duration{sdk.Low: time.Hour, sdk.Critical: 0}}
	low, critical := fires("low"), fires("critical")
	low.Severity, critical.Severity = sdk.Low, sdk.Critical
	n.say(low, critical, fires("medium"))
	n.told()
	n.after(30 * time.Minute)
	n.say(low)
	n.after(59 * time.Minute)
	n.wantTold("")
	n.after(time.Minute)
	n.wantTold("INC-001 resolved")
	n.after(21 * time.Hour)
	n.wantTold("")
	n.now = n.now.Add(2 * time.Hour)
	n.wake(true)
	n.wantTold("") // the clock can't be trusted
	n.after(time.Minute)
	n.wantTold("INC-003 resolved")
	n.after(1000 * time.Hour)
	n.wantTold("")
	n.say(low)
	n.wantTold("INC-004 created")
}
