package storetest

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/core"
)

// incidents returns which incidents the lanes are of, by number.
func (f *fixture) numbers(lanes []core.Lane) []int64 {
	f.t.Helper()
	var all []int64
	for _, l := range lanes {
		v, err := f.Version(f.t.Context(), l.Incident, 1)
		f.must(err)
		all = append(all, v.Snapshot.Number)
	}
	return all
}

// reschedule sets when a delivery is due, as a failed attempt would.
func (f *fixture) reschedule(d core.Delivery, next time.Time, fault core.FaultClass) {
	f.t.Helper()
	d.NextAt, d.Fault, d.Attempt, d.FirstAt = next, fault, d.Attempt+1, f.clock()
	f.must(f.Record(f.t.Context(), core.Outcome{
		Deliveries: []core.Delivery{d},
		Attempt: core.Attempt{
			ID: f.NewID(), Tenant: tenant, Delivery: d.ID, Destination: d.Destination, At: f.clock(), Class: fault, Error: "no",
		},
	}))
}

func lanesAreDue(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("a"))
	f.advance(time.Second)
	f.accept(trigger("b"))
	f.advance(time.Second)
	f.accept(acknowledge("a"))
	f.accept(trigger("c"))
	if got := f.numbers(f.due()); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Errorf("due are %v, want 1, 2, 3", got)
	}
	lane := f.due()[0]
	if len(lane.Deliveries) != 2 || lane.Deliveries[0].Version != 1 || lane.Deliveries[1].Kind != core.AckedKind {
		t.Errorf("lane %+v, want both versions, oldest first", lane)
	}
	later := f.clock().Add(time.Hour)
	f.reschedule(f.delivery(2, 1), later, core.DestinationFault)
	if got := f.numbers(f.due()); !slices.Equal(got, []int64{1, 3}) {
		t.Errorf("due are %v, want 1 and 3", got)
	}
	for _, n := range []int64{1, 3} {
		for _, d := range f.incident(n).Deliveries {
			f.reschedule(d, later.Add(time.Second), core.DestinationFault)
		}
	}
	next, err := f.NextDue(t.Context(), webhook)
	if err != nil || !next.Equal(micros(later)) {
		t.Errorf("next due %v, %v; want %v", next, err, later)
	}
	if next, err := f.NextDue(t.Context(), "webhook/other"); err != nil || !next.IsZero() {
		t.Errorf("next due of nobody %v, %v; want none", next, err)
	}
	f.advance(2 * time.Hour)
	if lanes, err := f.Due(t.Context(), webhook, f.clock(), 2); err != nil || len(lanes) != 2 {
		t.Errorf("%d lanes, %v; want 2", len(lanes), err)
	}
}

func attemptRecorded(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	f.accept(acknowledge("k"))
	f.accept(resolve("k"))
	old, ack, newest := f.delivery(1, 1), f.delivery(1, 2), f.delivery(1, 3)
	newest.State, newest.Attempt, newest.FirstAt, newest.DoneAt = core.DeliveryDelivered, 1, f.clock(), f.clock()
	attempt := core.Attempt{
		ID: f.NewID(), Tenant: tenant, Delivery: newest.ID, Destination: webhook, Number: 1, At: micros(f.clock()),
		Took: 12345 * time.Microsecond, Status: 200, Snippet: "ok", Address: netip.MustParseAddrPort("192.0.2.1:443"),
	}
	state := core.DestinationState{Tenant: tenant, Destination: webhook, LastSuccess: micros(f.clock())}
	f.must(f.Record(t.Context(), core.Outcome{
		Attempt: attempt, Deliveries: []core.Delivery{newest}, FoldOlder: 3, Destination: &state,
	}))
	f.restart()
	for _, d := range []core.Delivery{old, ack} {
		got := f.delivery(1, d.Version)
		if got.State != core.DeliveryFolded || got.FoldedInto != newest.ID || got.DoneAt.IsZero() {
			t.Errorf("version %d: %+v, want it folded into %s", d.Version, got, newest.ID)
		}
	}
	if got := f.delivery(1, 3); got.State != core.DeliveryDelivered || got.Attempt != 1 {
		t.Errorf("version 3: %+v, want it delivered", got)
	}
	attempts, err := f.Attempts(t.Context(), newest.ID)
	f.must(err)
	if diff := cmp.Diff([]core.Attempt{attempt}, attempts, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
	states, err := f.DestinationStates(t.Context())
	f.must(err)
	if diff := cmp.Diff([]core.DestinationState{state}, states); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if lanes := f.due(); len(lanes) != 0 {
		t.Errorf("still due: %+v", lanes)
	}
}

func senderRemembers(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	d := f.delivery(1, 1)
	remember := func(text string, class core.FaultClass) {
		f.must(f.Record(t.Context(), core.Outcome{
			Attempt: core.Attempt{
				ID: f.NewID(), Tenant: tenant, Delivery: d.ID, Destination: webhook, At: f.clock(), Class: class,
			},
			Deliveries: []core.Delivery{d}, Remember: text,
		}))
	}
	memory := func(destination string) string {
		text, err := f.Memory(t.Context(), d.Incident, destination)
		f.must(err)
		return text
	}
	if got := memory(webhook); got != "" {
		t.Errorf("remembered %q at first, want nothing", got)
	}
	remember("first", core.NoFault)
	remember("second", core.DestinationFault)
	remember("", core.NoFault)
	f.restart()
	if got := memory(webhook); got != "second" {
		t.Errorf("remembered %q, want the last that was said", got)
	}
	if got := memory("webhook/other"); got != "" {
		t.Errorf("another destination remembers %q, want nothing", got)
	}
}

func finishedStays(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	stale := f.delivery(1, 1)
	done := stale
	done.State, done.DoneAt = core.DeliveryDiscarded, f.clock()
	f.must(f.Record(t.Context(), core.Outcome{Deliveries: []core.Delivery{done}}))
	f.reschedule(stale, f.clock(), core.DestinationFault)
	if got := f.delivery(1, 1); got.State != core.DeliveryDiscarded {
		t.Errorf("got %s, want it discarded still", got.State)
	}
}

func versionInherits(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	f.accept(trigger("other"))
	later := f.clock().Add(30 * time.Minute)
	f.reschedule(f.delivery(1, 1), later, core.DestinationFault)
	f.reschedule(f.delivery(2, 1), later, core.DeliveryFault)
	f.accept(acknowledge("k"))
	f.accept(acknowledge("other"))
	heir := f.delivery(1, 2)
	if !heir.NextAt.Equal(micros(later)) || heir.Attempt != 1 || heir.Fault != core.DestinationFault || heir.FirstAt.IsZero() {
		t.Errorf("after a destination-fault: %+v, want it to wait until %v", heir, later)
	}
	if fresh := f.delivery(2, 2); fresh.NextAt.After(f.clock()) || fresh.Attempt != 0 {
		t.Errorf("after a delivery-fault: %+v, want it due now", fresh)
	}
	f.accept(resolve("k"))
	if heir := f.delivery(1, 3); !heir.NextAt.Equal(micros(later)) {
		t.Errorf("the heir's heir: %+v, want it to wait until %v", heir, later)
	}
}

func parkAndRelease(t *testing.T, f *fixture) {
	f.run()
	for i := range 3 {
		f.accept(trigger(fmt.Sprint(i)))
	}
	off := core.DestinationState{Tenant: tenant, Destination: webhook, Disabled: core.DisabledOperator, Since: micros(f.clock())}
	f.must(f.SetDestination(t.Context(), off))
	f.accept(trigger("3"))
	f.accept(acknowledge("0"))
	if lanes := f.due(); len(lanes) != 0 {
		t.Errorf("due at a disabled destination: %+v", lanes)
	}
	f.reschedule(f.delivery(2, 1), f.clock(), core.DestinationFault) // an attempt that was under way
	if got := f.delivery(2, 1); got.State != core.DeliveryParked {
		t.Errorf("an attempt that ends late leaves %s, want parked", got.State)
	}
	f.restart()
	f.accept(trigger("4")) // the state is remembered
	parked, err := f.Parked(t.Context(), webhook, 0, 100)
	f.must(err)
	if got := f.numbers(parked); !slices.Equal(got, []int64{1, 2, 3, 4, 5}) || len(parked[0].Deliveries) != 2 {
		t.Errorf("parked %v, want 1 to 5", got)
	}
	behind, err := f.Parked(t.Context(), webhook, parked[1].Deliveries[0].ID, 2)
	f.must(err)
	if got := f.numbers(behind); !slices.Equal(got, []int64{3, 4}) {
		t.Errorf("behind the second %v, want 3 and 4", got)
	}
	backlog, err := f.Backlog(t.Context())
	f.must(err)
	if backlog.Deliveries != 6 || backlog.Parked != 6 {
		t.Errorf("backlog %+v, want 6 parked deliveries", backlog)
	}
	f.advance(time.Hour)
	on := core.DestinationState{Tenant: tenant, Destination: webhook, Since: micros(f.clock())}
	f.must(f.SetDestination(t.Context(), on))
	all, err := f.Deliveries(t.Context(), core.DeliveryFilter{Destination: webhook, State: core.DeliveryDue})
	f.must(err)
	slices.Reverse(all) // oldest first
	for i, d := range all {
		if want := on.Since.Add(time.Duration(i) * core.ReleaseStep); !d.NextAt.Equal(want) {
			t.Errorf("row %d is due at %v, want %v", i, d.NextAt, want)
		}
	}
	if len(all) != 6 {
		t.Errorf("%d rows are due, want 6", len(all))
	}
}

func standInHears(t *testing.T, f *fixture) {
	f.stead = true
	f.run()
	f.accept(trigger("delivered"))
	for i := range 3 {
		f.accept(trigger(fmt.Sprint(i)))
	}
	f.accept(resolve("2"))
	done := f.delivery(1, 1)
	done.State = core.DeliveryDelivered
	f.must(f.Record(t.Context(), core.Outcome{Deliveries: []core.Delivery{done}}))
	off := core.DestinationState{Tenant: tenant, Destination: webhook, Disabled: core.DisabledExhausted, Since: f.clock()}
	f.must(f.SetDestination(t.Context(), off))
	f.must(f.SetDestination(t.Context(), off)) // told once
	if got := f.bells(); !slices.Contains(got, "webhook/stead") {
		t.Errorf("rang for %v, want the one who stands in", got)
	}
	f.accept(trigger("new"))
	f.accept(resolve("0"))
	rows, err := f.Deliveries(t.Context(), core.DeliveryFilter{Destination: "webhook/stead"})
	f.must(err)
	slices.Reverse(rows)
	var told []string
	for _, d := range rows {
		told = append(told, fmt.Sprintf("%d %s %s", d.Number, d.Kind, d.State))
	}
	want := []string{"2 created due", "3 created due", "5 created due", "2 resolved due"}
	slices.Sort(told[:min(2, len(told))])
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("it was told (-want +got):\n%s", diff)
	}
}

func successReleases(t *testing.T, f *fixture) {
	f.run()
	later := f.clock().Add(time.Hour)
	for i := range 4 {
		f.accept(trigger(fmt.Sprint(i)))
	}
	f.reschedule(f.delivery(1, 1), later, core.DestinationFault)
	f.reschedule(f.delivery(2, 1), later, core.DestinationFault)
	f.reschedule(f.delivery(3, 1), later, core.DeliveryFault)
	sent := f.delivery(4, 1)
	sent.State = core.DeliveryDelivered
	from := micros(f.clock().Add(time.Minute))
	f.must(f.Record(t.Context(), core.Outcome{
		Attempt:    core.Attempt{Tenant: tenant, Delivery: sent.ID, Destination: webhook, At: f.clock()},
		Deliveries: []core.Delivery{sent}, Release: true, ReleaseFrom: from, ReleaseStep: core.ReleaseStep,
	}))
	for n, want := range map[int64]time.Time{1: from, 2: from.Add(core.ReleaseStep), 3: micros(later)} {
		if got := f.delivery(n, 1).NextAt; !got.Equal(want) {
			t.Errorf("INC-%d is due at %v, want %v", n, got, want)
		}
	}
}

func scheduleSurvives(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	later := f.clock().Add(2*time.Hour + 7*time.Minute + 123457*time.Nanosecond)
	f.reschedule(f.delivery(1, 1), later, core.DestinationFault)
	before := f.delivery(1, 1)
	r := f.owe(later)
	f.restart()
	if diff := cmp.Diff(before, f.delivery(1, 1)); diff != "" || !before.NextAt.Equal(micros(later)) {
		t.Errorf("delivery due at %v, want %v; (-before +after):\n%s", before.NextAt, later, diff)
	}
	got, err := f.Request(t.Context(), r.ID)
	f.must(err)
	if !got.NextAt.Equal(micros(later)) {
		t.Errorf("request due at %v, want %v", got.NextAt, later)
	}
}

func bellRings(t *testing.T, f *fixture) {
	f.run()
	f.match = []string{"webhook/a", "webhook/b"}
	f.accept(trigger("k"))
	if got := f.bells(); !slices.Equal(got, f.match) {
		t.Errorf("rang for %v, want %v", got, f.match)
	}
	f.accept(trigger("k"))
	if got := f.bells(); len(got) != 0 {
		t.Errorf("rang for %v at a repeat", got)
	}
	off := core.DestinationState{Tenant: tenant, Destination: "webhook/a", Disabled: core.DisabledGone, Since: f.clock()}
	f.must(f.SetDestination(t.Context(), off))
	f.accept(acknowledge("k"))
	if got := f.bells(); !slices.Equal(got, []string{"webhook/b"}) {
		t.Errorf("rang for %v, want only the active one", got)
	}
	off.Disabled = ""
	f.must(f.SetDestination(t.Context(), off))
	if got := f.bells(); !slices.Equal(got, []string{"webhook/a"}) {
		t.Errorf("rang for %v, want the one that was enabled", got)
	}
}

func countedByMinute(t *testing.T, f *fixture) {
	f.run()
	began := f.clock()
	f.accept(trigger("k"))
	rejected := f.request()
	rejected.State, rejected.Code = core.RequestRejected, core.InvalidJSON
	f.commit(insert(rejected))
	f.advance(time.Minute)
	last := f.clock()
	open := f.owe(last)
	open.State = core.RequestQuarantined
	f.commit(&core.Submission{Change: core.Change{Request: open, Failure: core.AdapterRejected, Detail: "what is this"}})
	f.Refuse(core.Refusal{Tenant: tenant, Integration: integration, At: last, Code: core.SignatureInvalid})
	f.flush()
	f.restart()
	for since, want := range map[time.Time]core.Tally{
		began: {OK: 2, Failed: 3, Last: micros(last), LastOK: micros(last)},
		last:  {OK: 1, Failed: 2, Last: micros(last), LastOK: micros(last)},
	} {
		got, err := f.RequestTally(t.Context(), integration, since)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("requests since %v: %v (-want +got):\n%s", since, err, diff)
		}
	}
	f.reschedule(f.delivery(1, 1), last, core.DestinationFault)
	f.reschedule(f.delivery(1, 1), last, core.Throttled) // not an attempt
	f.reschedule(f.delivery(1, 1), last, core.NoFault)
	got, err := f.DeliveryTally(t.Context(), webhook, last)
	if err != nil || got.OK != 1 || got.Failed != 1 {
		t.Errorf("attempts %+v, %v; want one of each", got, err)
	}
}

func troublesListed(t *testing.T, f *fixture) {
	f.run()
	f.Refuse(core.Refusal{Tenant: tenant, Integration: integration, At: f.clock(), Code: core.SignatureInvalid, Reason: "no signature"})
	f.advance(time.Minute)
	bad := f.request()
	bad.State, bad.Code, bad.Reason = core.RequestQuarantined, core.AdapterRejected, "not JSON"
	f.commit(insert(bad))
	f.flush()
	got, err := f.RequestTrouble(t.Context(), integration, 10)
	f.must(err)
	if len(got) != 2 || got[0].Code != "ADAPTER_REJECTED" || got[0].Subject != bad.ID.String() || got[1].Message != "no signature" {
		t.Errorf("got %+v, want the quarantined request, then the refusal", got)
	}
	f.accept(trigger("k"))
	f.reschedule(f.delivery(1, 1), f.clock(), core.DestinationFault)
	f.reschedule(f.delivery(1, 1), f.clock(), core.NoFault)
	got, err = f.DeliveryTrouble(t.Context(), webhook, 10)
	f.must(err)
	if len(got) != 1 || got[0].Code != "destination" || got[0].Message != "no" {
		t.Errorf("got %+v, want one failed attempt", got)
	}
}

func refusalsAreBounded(t *testing.T, f *fixture) {
	f.run()
	for i := range 1000 {
		f.Refuse(core.Refusal{Tenant: tenant, Integration: integration, At: f.clock(), Code: core.RateLimited, Reason: fmt.Sprint(i)})
		if i%100 == 99 {
			f.flush()
		}
	}
	f.flush()
	got, err := f.RequestTrouble(t.Context(), integration, 500)
	f.must(err)
	if len(got) != 200 || got[0].Message != "999" {
		t.Errorf("%d refusals, the newest %+v; want 200 up to 999", len(got), got[0])
	}
	tally, err := f.RequestTally(t.Context(), integration, f.clock().Add(-time.Hour))
	if err != nil || tally.Failed != 1000 {
		t.Errorf("%+v, %v; want all 1000 counted", tally, err)
	}
}
