package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/route"
	"bellcrank.example/core/schedule"
	"bellcrank.example/core/store"
	"bellcrank.example/sdk"
)

// timed is a scheduler on a real SQLite store, with clocks that the test
// moves. Nothing runs by itself but the store's writer.
type timed struct {
	t         *testing.T
	dir       string
	quiets    []route.Quiet
	beats     []core.Heartbeat
	routing   *routing
	store     *store.Store
	scheduler *schedule.Scheduler
	stop      func()

	mu      sync.Mutex
	now     time.Time     // guarded by mu
	elapsed time.Duration // guarded by mu
}

// tick is how often a gateway looks, and more.
const tick = 10 * time.Second

func newTimed(t *testing.T) *timed {
	r := &timed{t: t, dir: t.TempDir(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	r.start()
	t.Cleanup(func() { r.stop() })
	return r
}

// start opens the store as a new process would.
func (r *timed) start() {
	r.t.Helper()
	tree, err := route.New(route.Config{
		Routes: []route.Route{{Name: "all", To: []string{"webhook/ops"}}}, Quiets: r.quiets,
		Destinations: []*core.Destination{{Type: "webhook", Name: "ops"}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.routing = &routing{}
	r.routing.configure(tree)
	r.store, err = store.Open(r.t.Context(), store.Config{URL: "sqlite:" + r.dir, Routes: r.routing.routes, Now: r.clock})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	opened := r.store
	running.Go(func() {
		if err := opened.Run(ctx); err != nil {
			r.t.Errorf("store: %v", err)
		}
	})
	r.stop = func() {
		cancel()
		running.Wait()
		if err := opened.Close(); err != nil {
			r.t.Errorf("close store: %v", err)
		}
	}
	r.scheduler = schedule.New(schedule.Config{
		Store: r.store, Commit: r.store.Commit, NewID: r.store.NewID, Changed: r.routing.silence,
		Heartbeats: func() []core.Heartbeat { return r.beats }, Now: r.clock, Elapsed: r.ticking,
	})
	if err := r.scheduler.Load(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.scheduler.Reload()
}

func (r *timed) restart() {
	r.t.Helper()
	r.stop()
	r.start()
}

func (r *timed) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *timed) ticking() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.elapsed
}

// set sets the clock on the wall, as a person would.
func (r *timed) set(by time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(by)
}

// sleep lets time go by while nobody looks.
func (r *timed) sleep(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.elapsed = r.now.Add(d), r.elapsed+d
}

// look does what is due.
func (r *timed) look() {
	r.t.Helper()
	if err := r.scheduler.Step(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// pass lets time go by with a gateway that looks now and then.
func (r *timed) pass(d time.Duration) {
	r.t.Helper()
	for ; d > 0; d -= tick {
		r.sleep(min(d, tick))
		r.look()
	}
}

// say stores a request with a key, as its sender's.
func (r *timed) say(in *core.Integration, events ...sdk.Event) {
	r.t.Helper()
	q := &core.Request{
		ID: r.store.NewID(), Tenant: core.DefaultTenant, Integration: in.ID(), KeyID: "k", ReceivedAt: r.clock(), Method: "POST",
		State: core.RequestDone,
	}
	_, err := r.store.Commit(r.t.Context(), &core.Submission{Insert: true, Change: core.Change{
		Request: q, Last: true, ReopenWindow: core.DefaultReopenWindow, Flap: in.Flap, AutoResolve: in.AutoResolve,
		Events: core.PrepareEvents(in, q.ID, false, events),
	}})
	if err != nil {
		r.t.Fatal(err)
	}
}

// told lists what has ever been owed: "title: kind", oldest first.
func (r *timed) told() string {
	r.t.Helper()
	list, err := r.store.Deliveries(r.t.Context(), core.DeliveryFilter{})
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	for _, d := range list {
		detail, err := r.store.Incident(r.t.Context(), d.Number)
		if err != nil {
			r.t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s: %s", detail.Incident.Title, d.Kind))
	}
	slices.Reverse(lines)
	return strings.Join(lines, ", ")
}

func (r *timed) wantTold(want string) {
	r.t.Helper()
	if got := r.told(); got != want {
		r.t.Errorf("at %s told %q, want %q", r.clock().Format(time.TimeOnly), got, want)
	}
}

var tool = &core.Integration{Tenant: core.DefaultTenant, Type: "custom", Name: "a"}

func burns(title string) sdk.Event {
	return sdk.Event{Action: sdk.Trigger, DedupKey: title, Title: title, Severity: sdk.High, Service: "db"}
}

func over(title string) sdk.Event { return sdk.Event{Action: sdk.Resolve, DedupKey: title} }

func (r *timed) silence(length time.Duration) core.Silence {
	r.t.Helper()
	s, err := r.scheduler.AddSilence(r.t.Context(), core.Silence{
		Match: core.Matcher{Services: []string{"db"}}, Author: "ada", Reason: "a new disk", EndsAt: r.clock().Add(length),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func TestASilenceEndsByTheClockAlsoAfterARestart(t *testing.T) {
	r := newTimed(t)
	r.silence(time.Hour)
	r.say(tool, burns("a"), burns("b"))
	r.pass(30 * time.Minute)
	r.restart()
	r.say(tool, burns("c"), over("b"))
	r.pass(29 * time.Minute)
	r.wantTold("")
	r.pass(time.Minute)
	r.wantTold("a: created, c: created")
	r.pass(time.Hour)
	r.wantTold("a: created, c: created")
}

func TestASilenceThatIsExpiredOwesAtOnce(t *testing.T) {
	r := newTimed(t)
	s := r.silence(24 * time.Hour)
	r.say(tool, burns("a"))
	if _, err := r.scheduler.ExpireSilence(t.Context(), s.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	r.look()
	r.wantTold("a: created")
	r.say(tool, burns("b"))
	r.wantTold("a: created, b: created")
	if _, err := r.scheduler.ExpireSilence(t.Context(), s.ID, "bob"); err == nil {
		t.Error("it is expired twice")
	}
	kept, err := r.scheduler.Silence(t.Context(), s.ID)
	if err != nil || kept.Author != "ada" || kept.ExpiredBy != "bob" || !kept.ExpiredAt.Equal(r.clock()) {
		t.Errorf("on record: %+v (%v)", kept, err)
	}
}

func TestASilenceThatCannotBeIsRefused(t *testing.T) {
	r := newTimed(t)
	some := core.Matcher{Services: []string{"db"}}
	later := r.clock().Add(time.Hour)
	for name, s := range map[string]core.Silence{
		"no matcher":          {Author: "a", Reason: "b", EndsAt: later},
		"an author's escapes": {Match: some, Author: "a\x1b[2J", Reason: "b", EndsAt: later},
		"no author":           {Match: some, Reason: "b", EndsAt: later},
		"no reason":           {Match: some, Author: "a", EndsAt: later},
		"no end":              {Match: some, Author: "a", Reason: "b"},
		"an end in the past":  {Match: some, Author: "a", Reason: "b", StartsAt: r.clock().Add(-2 * time.Hour), EndsAt: r.clock()},
		"an end at the start": {Match: some, Author: "a", Reason: "b", StartsAt: later, EndsAt: later},
		"a book as matcher":   {Match: core.Matcher{Titles: []string{strings.Repeat("*x", 5001)}}, Author: "a", Reason: "b", EndsAt: later},
		"a book as reason":    {Match: some, Author: "a", Reason: strings.Repeat("x", 1001), EndsAt: later},
	} {
		if made, err := r.scheduler.AddSilence(t.Context(), s); err == nil {
			t.Errorf("%s: made %+v", name, made)
		}
	}
}

func TestAWindowNotifiesOnceAtItsEnd(t *testing.T) {
	zurich, err := time.LoadLocation("Europe/Zurich")
	if err != nil {
		t.Fatal(err)
	}
	nightly := &route.Recurrence{From: 22 * 60, To: 4 * 60, Zone: zurich}
	quiets := []route.Quiet{{Name: "window nightly", Match: core.Matcher{Services: []string{"db"}}, Active: nightly.Active}}
	for name, tt := range map[string]struct {
		start string
		hours float64 // until 4 in the morning
	}{
		"in an ordinary night":           {"2026-03-10T23:00:00+01:00", 5},
		"when the clocks go forward":     {"2026-03-28T23:00:00+01:00", 4},
		"when the clocks go back":        {"2026-10-24T23:00:00+02:00", 6},
		"one that began before midnight": {"2026-03-11T03:30:00+01:00", 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTimed(t)
			r.quiets = quiets
			at, err := time.Parse(time.RFC3339, tt.start)
			if err != nil {
				t.Fatal(err)
			}
			r.set(at.Sub(r.clock()))
			r.restart()
			r.say(tool, burns("a"), burns("b"))
			r.say(tool, over("b"))
			until := time.Duration(tt.hours * float64(time.Hour))
			r.sleep(until - time.Second)
			r.look()
			r.wantTold("")
			r.sleep(time.Second)
			r.look()
			r.look()
			r.wantTold("a: created")
		})
	}
}

func TestAWindowThatIsNoLongerConfiguredHoldsNothing(t *testing.T) {
	r := newTimed(t)
	r.quiets = []route.Quiet{{Name: "window x", Active: route.Between(r.clock(), r.clock().Add(time.Hour))}}
	r.restart()
	r.say(tool, burns("a"))
	r.look()
	r.wantTold("")
	r.quiets = nil
	r.restart()
	r.look()
	r.wantTold("a: created")
}

func TestFlappingAndAutoResolveGoByTheClock(t *testing.T) {
	r := newTimed(t)
	in := *tool
	in.Flap = core.FlapPolicy{Transitions: 3, Window: 10 * time.Minute, Quiet: 5 * time.Minute}
	in.AutoResolve = core.AutoResolve{Severity: map[sdk.Severity]time.Duration{sdk.Low: time.Hour}}
	low := burns("low")
	low.Severity = sdk.Low
	r.say(&in, low)
	for range 3 {
		r.say(&in, burns("a"))
		r.say(&in, over("a"))
	}
	flaps := "low: created, a: created, a: resolved, a: updated"
	r.wantTold(flaps)
	r.restart()
	r.pass(5*time.Minute - tick)
	r.wantTold(flaps)
	r.pass(tick)
	r.wantTold(flaps + ", a: resolved")
	r.pass(40 * time.Minute)
	r.say(&in, low)
	r.restart()
	r.pass(59 * time.Minute)
	r.wantTold(flaps + ", a: resolved")
	r.pass(time.Minute)
	r.wantTold(flaps + ", a: resolved, low: resolved")
}

func TestNothingResolvesByASuspectClock(t *testing.T) {
	r := newTimed(t)
	in := *tool
	in.AutoResolve = core.AutoResolve{After: time.Hour}
	r.beats = []core.Heartbeat{{Integration: tool.ID(), Every: time.Hour, Severity: sdk.High}}
	r.look()
	r.say(&in, burns("a"))
	r.pass(time.Minute)
	r.set(24 * time.Hour)
	r.look()
	if !r.scheduler.Suspect() {
		t.Fatal("a clock that was set by a day is trusted")
	}
	if by := r.clock().Sub(r.scheduler.Trusted()); by != 24*time.Hour {
		t.Errorf("the trusted time is %v behind the clock, want a day", by)
	}
	r.pass(9 * time.Minute)
	r.wantTold("a: created")
	r.pass(2 * time.Minute)
	if r.scheduler.Suspect() {
		t.Error("a clock that has been steady for ten minutes isn't trusted")
	}
	if got := r.scheduler.Trusted(); !got.Equal(r.clock()) {
		t.Errorf("the trusted time is %v, want the clock's, %v", got, r.clock())
	}
	r.wantTold("a: created, a: resolved") // by now it is that time
	r.set(30 * time.Second)
	r.look()
	if r.scheduler.Suspect() {
		t.Error("a clock that is corrected by half a minute isn't trusted")
	}
}

// beating is a rig that expects something every hour, and five minutes later
// at most.
func beating(t *testing.T) *timed {
	r := newTimed(t)
	r.beats = []core.Heartbeat{{Integration: tool.ID(), Every: time.Hour, Grace: 5 * time.Minute, Severity: sdk.High}}
	r.look()
	return r
}

const missed = "No heartbeat from custom/a within 1h5m0s"

func TestAMissingHeartbeatIsAnIncidentUntilItIsBack(t *testing.T) {
	r := beating(t)
	r.pass(50 * time.Minute)
	r.say(tool)
	r.pass(65*time.Minute - tick)
	r.wantTold("")
	r.pass(tick)
	r.wantTold(missed + ": created")
	r.pass(3 * time.Hour)
	r.restart()
	r.pass(time.Hour)
	r.wantTold(missed + ": created")
	r.say(tool)
	r.pass(tick)
	r.wantTold(missed + ": created, " + missed + ": resolved")
}

func TestAHeartbeatThatNeverCameIsMissed(t *testing.T) {
	r := beating(t)
	r.pass(65*time.Minute - tick)
	r.wantTold("")
	r.restart() // of a few seconds
	r.pass(tick)
	r.wantTold(missed + ": created")
}

func TestTheGatewaysOwnDowntimeIsNoFalseAlarm(t *testing.T) {
	for name, away := range map[string]func(r *timed){
		"it was down": func(r *timed) {
			r.stop()
			r.sleep(10 * time.Hour)
			r.start()
		},
		"the machine slept": func(r *timed) { r.sleep(10 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := beating(t)
			r.say(tool)
			r.pass(30 * time.Minute)
			away(r)
			r.look()
			r.pass(65*time.Minute - tick)
			r.wantTold("")
			r.pass(tick) // by now it had a whole interval in which we could hear
			r.wantTold(missed + ": created")
		})
	}
}

func TestAHeartbeatThatIsNoLongerExpectedIsForgotten(t *testing.T) {
	r := beating(t)
	r.pass(65 * time.Minute)
	expected := r.beats
	r.beats = nil
	r.pass(tick)
	r.wantTold(missed + ": created, " + missed + ": resolved")
	r.pass(5 * time.Hour)
	r.beats = expected
	r.pass(time.Hour) // it begins anew
	r.wantTold(missed + ": created, " + missed + ": resolved")
}
