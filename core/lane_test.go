package core

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClassify(t *testing.T) {
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	in := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	tests := map[string]struct {
		answer Answer
		class  FaultClass
		wait   time.Duration
	}{
		"no answer":                 {class: DestinationFault},
		"200":                       {answer: Answer{Status: 200}},
		"299":                       {answer: Answer{Status: 299}},
		"301":                       {answer: Answer{Status: 301}, class: DestinationFault},
		"400":                       {answer: Answer{Status: 400}, class: DeliveryFault},
		"401":                       {answer: Answer{Status: 401}, class: DestinationFault},
		"403":                       {answer: Answer{Status: 403}, class: DestinationFault},
		"404":                       {answer: Answer{Status: 404}, class: DestinationFault},
		"405":                       {answer: Answer{Status: 405}, class: DestinationFault},
		"408":                       {answer: Answer{Status: 408}, class: DestinationFault},
		"409":                       {answer: Answer{Status: 409}, class: DeliveryFault},
		"410":                       {answer: Answer{Status: 410}, class: Gone},
		"413":                       {answer: Answer{Status: 413}, class: DeliveryFault},
		"422":                       {answer: Answer{Status: 422}, class: DeliveryFault},
		"425":                       {answer: Answer{Status: 425}, class: DestinationFault},
		"429":                       {answer: Answer{Status: 429}, class: Throttled, wait: time.Minute},
		"429 for 2 minutes":         {answer: Answer{Status: 429, RetryAfter: "120"}, class: Throttled, wait: 2 * time.Minute},
		"429 until a date":          {answer: Answer{Status: 429, RetryAfter: in(90 * time.Second)}, class: Throttled, wait: 90 * time.Second},
		"429 until an old date":     {answer: Answer{Status: 429, RetryAfter: in(-time.Hour)}, class: Throttled, wait: time.Minute},
		"429 for a negative time":   {answer: Answer{Status: 429, RetryAfter: "-5"}, class: Throttled, wait: time.Minute},
		"429 for no time":           {answer: Answer{Status: 429, RetryAfter: "0"}, class: Throttled, wait: time.Minute},
		"429 for ever":              {answer: Answer{Status: 429, RetryAfter: "1000000000"}, class: Throttled, wait: time.Minute},
		"429 for garbage":           {answer: Answer{Status: 429, RetryAfter: "soon"}, class: Throttled, wait: time.Minute},
		"500":                       {answer: Answer{Status: 500, RetryAfter: "120"}, class: DestinationFault},
		"503":                       {answer: Answer{Status: 503}, class: DestinationFault},
		"503 for an hour":           {answer: Answer{Status: 503, RetryAfter: "3600"}, class: Throttled, wait: time.Hour},
		"503 for more than an hour": {answer: Answer{Status: 503, RetryAfter: "3601"}, class: DestinationFault},
		"599":                       {answer: Answer{Status: 599}, class: DestinationFault},
		"200, but throttled":        {answer: Answer{Status: 200, Fault: Throttled, RetryAfter: "30"}, class: Throttled, wait: 30 * time.Second},
		"200, but refused":          {answer: Answer{Status: 200, Fault: DeliveryFault}, class: DeliveryFault},
		"400, but misconfigured":    {answer: Answer{Status: 400, Fault: DestinationFault}, class: DestinationFault},
		"a status out of range":     {answer: Answer{Status: 999}, class: DestinationFault},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			class, wait := tt.answer.Classify(now)
			if class != tt.class || wait != tt.wait {
				t.Errorf("Classify = %q, %v; want %q, %v", class, wait, tt.class, tt.wait)
			}
		})
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "120", "-1", "1e9", "Tue, 24 Nov 2026 08:01:00 GMT", "99999999999999999999", "+5", " 7 "} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, header string) {
		wait, ok := parseRetryAfter(header, now)
		if ok && (wait < time.Second || wait > time.Hour) {
			t.Errorf("parseRetryAfter(%q) = %v, want 1 s to 1 h", header, wait)
		}
	})
}

// laneStart is when the lanes of these tests begin.
var laneStart = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// row makes a delivery of a lane; changes make it what a test needs.
func row(version int, kind Kind, changes ...func(*Delivery)) Delivery {
	d := Delivery{
		ID: ID(100 + version), Tenant: 1, Incident: 7, Version: version, Kind: kind, Destination: "webhook/a",
		State: DeliveryDue, NextAt: laneStart, CreatedAt: laneStart,
	}
	for _, change := range changes {
		change(&d)
	}
	return d
}

// faulted makes a row that has failed that often by the destination's fault.
func faulted(attempts int, next time.Duration) func(*Delivery) {
	return func(d *Delivery) {
		d.Attempt, d.Fault, d.FirstAt, d.NextAt = attempts, DestinationFault, laneStart, laneStart.Add(next)
	}
}

// disliked makes a row that has failed that often by its own fault.
func disliked(tries int, next time.Duration) func(*Delivery) {
	return func(d *Delivery) {
		d.Attempt, d.FaultTries, d.Fault, d.FirstAt, d.NextAt = tries, tries, DeliveryFault, laneStart, laneStart.Add(next)
	}
}

func lane(rows ...Delivery) Lane {
	return Lane{Incident: 7, Destination: "webhook/a", Deliveries: rows}
}

func TestLaneNext(t *testing.T) {
	tests := map[string]struct {
		lane    Lane
		inOrder bool
		version int
		at      time.Duration
		kind    Kind
	}{
		"one": {lane: lane(row(1, Created)), version: 1, kind: Created},
		"an opening goes before what is newer": {
			lane: lane(row(1, Created), row(2, Escalated)), version: 1, kind: Created,
		},
		"an opening that the destination held up still goes first": {
			lane:    lane(row(1, Created, faulted(2, 5*time.Minute)), row(2, ResolvedKind, faulted(2, 5*time.Minute))),
			version: 1, at: 5 * time.Minute, kind: Created,
		},
		"a newer one doesn't hurry an opening": {
			lane: lane(row(1, Created, faulted(1, time.Minute)), row(2, AckedKind)), version: 1, at: time.Minute, kind: Created,
		},
		"after the opening the newest": {
			lane: lane(row(2, AckedKind), row(3, Escalated), row(4, ResolvedKind)), version: 4, kind: ResolvedKind,
		},
		"the newest inherits a destination-fault's wait": {
			lane: lane(row(2, AckedKind, faulted(2, 5*time.Minute)), row(3, Escalated)), version: 3, at: 5 * time.Minute, kind: Escalated,
		},
		"the newest doesn't inherit a delivery-fault's wait": {
			lane: lane(row(2, AckedKind, disliked(1, 30*time.Minute)), row(3, Escalated)), version: 3, kind: Escalated,
		},
		"a disliked opening gives way, told as created": {
			lane: lane(row(1, Created, disliked(1, 30*time.Minute)), row(2, Escalated)), version: 2, kind: Created,
		},
		"a disliked opening of what is over is told as resolved": {
			lane: lane(row(1, Created, disliked(1, 30*time.Minute)), row(2, ResolvedKind)), version: 2, kind: ResolvedKind,
		},
		"a reopening that wasn't told goes before the resolve": {
			lane: lane(row(3, Reopened), row(4, ResolvedKind)), version: 3, kind: Reopened,
		},
		"without folding all go in order": {
			lane: lane(row(2, AckedKind), row(3, Escalated)), inOrder: true, version: 2, kind: AckedKind,
		},
		"without folding a disliked one keeps its place": {
			lane: lane(row(2, AckedKind, disliked(1, 30*time.Minute)), row(3, Escalated)), inOrder: true,
			version: 2, at: 30 * time.Minute, kind: AckedKind,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			next, ok := tt.lane.Next(!tt.inOrder)
			if !ok || next.Delivery.Version != tt.version || !next.At.Equal(laneStart.Add(tt.at)) {
				t.Fatalf("Next = version %d after %v, %v; want version %d after %v",
					next.Delivery.Version, next.At.Sub(laneStart), ok, tt.version, tt.at)
			}
			v := Version{Snapshot: &Incident{Status: Investigating}}
			if next.Delivery.Kind == ResolvedKind {
				v.Snapshot.Status = Resolved
			}
			if got := next.Kind(v); got != tt.kind {
				t.Errorf("it is told as %q, want %q", got, tt.kind)
			}
		})
	}
	if _, ok := (Lane{}).Next(true); ok {
		t.Error("an empty lane has a next")
	}
}

func TestPostpone(t *testing.T) {
	l := lane(row(1, Created, faulted(1, time.Minute)), row(2, Escalated), row(3, AckedKind, faulted(1, time.Minute)))
	next, _ := l.Next(true)
	late := l.Postpone(next)
	if len(late) != 1 || late[0].Version != 2 || !late[0].NextAt.Equal(laneStart.Add(time.Minute)) {
		t.Fatalf("Postpone = %+v, want version 2 to wait a minute", late)
	}
	l.Deliveries[1] = late[0]
	if late := l.Postpone(next); len(late) != 0 {
		t.Errorf("Postpone again = %+v, want nothing", late)
	}
}

// settled is what a test compares of an outcome.
type settled struct {
	Rows     map[int]string // by version: state, attempt/fault tries, fault, wait from now
	Fold     int
	Release  bool
	Disabled DisabledReason
	Probe    time.Duration // until the next one
	Pause    time.Duration // of the whole destination
	Failures int
}

func summary(o Outcome, was DestinationState, now time.Time) settled {
	s := settled{Rows: map[int]string{}, Fold: o.FoldOlder, Release: o.Release}
	for _, d := range o.Deliveries {
		text := fmt.Sprintf("%s %d/%d %s", d.State, d.Attempt, d.FaultTries, d.Fault)
		if d.State == DeliveryDue {
			text += fmt.Sprintf(" +%v", d.NextAt.Sub(now))
		}
		s.Rows[d.Version] = text
	}
	if o.Destination != nil {
		was = *o.Destination
	}
	s.Disabled, s.Failures = was.Disabled, was.Failures
	if !was.ProbeAt.IsZero() {
		s.Probe = was.ProbeAt.Sub(now)
	}
	if !was.PausedUntil.IsZero() {
		s.Pause = was.PausedUntil.Sub(now)
	}
	return s
}

func TestSettle(t *testing.T) {
	// Attempts end three hours after the lane began.
	now := laneStart.Add(3 * time.Hour)
	active := DestinationState{Destination: "webhook/a"}
	failing := DestinationState{Destination: "webhook/a", Failures: 3, LastError: "503"}
	passing := DestinationState{Destination: "webhook/a", LastSuccess: now.Add(-time.Minute)}
	exhausted := DestinationState{
		Destination: "webhook/a", Disabled: DisabledExhausted, Since: now.Add(-time.Hour),
		ProbeAt: now.Add(-time.Second), Probes: 2, Failures: 8,
	}
	parked := func(d *Delivery) { d.State = DeliveryParked }
	tests := map[string]struct {
		lane    Lane
		answer  Answer
		state   DestinationState
		jitter  float64
		inOrder bool
		retry   Retry
		want    settled
	}{
		"delivered": {
			lane: lane(row(1, Created)), answer: Answer{Status: 200}, state: active,
			want: settled{Rows: map[int]string{1: "delivered 1/0 "}},
		},
		"delivered folds what is older": {
			lane: lane(row(2, AckedKind), row(3, Escalated)), answer: Answer{Status: 200}, state: active,
			want: settled{Rows: map[int]string{3: "delivered 1/0 "}, Fold: 3},
		},
		"a delivered opening lets the newer go at once": {
			lane:   lane(row(1, Created, faulted(2, 0)), row(2, ResolvedKind, faulted(2, 0))),
			answer: Answer{Status: 200}, state: failing,
			want: settled{Rows: map[int]string{1: "delivered 3/0 ", 2: "due 0/0  +0s"}, Release: true},
		},
		"destination-fault, first": {
			lane: lane(row(1, Created)), answer: Answer{Status: 500}, state: active,
			want: settled{Rows: map[int]string{1: "due 1/0 destination +1m0s"}, Failures: 1},
		},
		"destination-fault, second, most jitter": {
			lane: lane(row(1, Created, faulted(1, 0))), answer: Answer{Status: 500}, state: failing, jitter: 1,
			want: settled{Rows: map[int]string{1: "due 2/0 destination +5m30s"}, Failures: 4},
		},
		"destination-fault, third": {
			lane: lane(row(1, Created, faulted(2, 0))), answer: Answer{Status: 500}, state: failing,
			want: settled{Rows: map[int]string{1: "due 3/0 destination +30m0s"}, Failures: 4},
		},
		"destination-fault, fourth": {
			lane: lane(row(1, Created, faulted(3, 0))), answer: Answer{Status: 500}, state: failing,
			want: settled{Rows: map[int]string{1: "due 4/0 destination +2h0m0s"}, Failures: 4},
		},
		"destination-fault, fifth, disables": {
			lane: lane(row(1, Created, faulted(4, 0))), answer: Answer{Status: 500}, state: failing,
			want: settled{
				Rows:     map[int]string{1: "parked 5/0 destination"},
				Disabled: DisabledExhausted, Probe: time.Minute, Failures: 4,
			},
		},
		"exhausted while others get through takes the older along": {
			lane: lane(row(2, AckedKind, faulted(1, 0)), row(3, Escalated, faulted(4, 0))), answer: Answer{Status: 500}, state: passing,
			want: settled{Rows: map[int]string{2: "dead 1/0 destination", 3: "dead 5/0 destination"}, Failures: 1},
		},
		"a second fault while others get through is its own": {
			lane: lane(row(1, Created, faulted(1, 0))), answer: Answer{Status: 500}, state: passing,
			want: settled{Rows: map[int]string{1: "due 2/0 delivery +5m0s"}, Failures: 1},
		},
		"on_exhausted = dead spares the destination": {
			lane: lane(row(1, Created, faulted(4, 0)), row(2, AckedKind, faulted(4, 0))), answer: Answer{Status: 500}, state: failing,
			retry: Retry{Schedule: DefaultRetry().Schedule, OnExhausted: "dead"},
			want:  settled{Rows: map[int]string{1: "dead 5/0 destination", 2: "due 0/0  +0s"}, Failures: 4},
		},
		"successors inherit from an opening": {
			lane: lane(row(1, Created), row(2, Escalated)), answer: Answer{Err: fmt.Errorf("refused")}, state: active,
			want: settled{Rows: map[int]string{1: "due 1/0 destination +1m0s", 2: "due 1/0 destination +1m0s"}, Failures: 1},
		},
		"delivery-fault, first": {
			lane: lane(row(1, Created)), answer: Answer{Status: 400}, state: active,
			want: settled{Rows: map[int]string{1: "due 1/1 delivery +30m0s"}, Failures: 1},
		},
		"delivery-fault, second": {
			lane: lane(row(1, Created, disliked(1, 0))), answer: Answer{Status: 400}, state: active,
			want: settled{Rows: map[int]string{1: "due 2/2 delivery +2h0m0s"}, Failures: 1},
		},
		"delivery-fault, third, takes the older along": {
			lane: lane(row(1, Created, disliked(1, 0)), row(2, Escalated, disliked(2, 0))), answer: Answer{Status: 400}, state: active,
			want: settled{Rows: map[int]string{1: "dead 1/1 delivery", 2: "dead 3/3 delivery"}, Failures: 1},
		},
		"a disliked opening lets the newest go at once": {
			lane: lane(row(1, Created), row(2, Escalated, faulted(1, time.Minute))), answer: Answer{Status: 422}, state: active,
			want: settled{Rows: map[int]string{1: "due 1/1 delivery +30m0s", 2: "due 0/0  +0s"}, Failures: 1},
		},
		"the older wait for the newest": {
			lane: lane(row(1, Created, disliked(1, time.Minute)), row(2, Escalated)), answer: Answer{Status: 422}, state: active,
			want: settled{Rows: map[int]string{1: "due 1/1 delivery +30m0s", 2: "due 1/1 delivery +30m0s"}, Failures: 1},
		},
		"429 pauses the destination and is no attempt": {
			lane: lane(row(1, Created)), answer: Answer{Status: 429, RetryAfter: "120"}, state: active,
			want: settled{Rows: map[int]string{1: "due 0/0 throttled +2m0s"}, Pause: 2 * time.Minute},
		},
		"503 with Retry-After is no attempt": {
			lane: lane(row(1, Created)), answer: Answer{Status: 503, RetryAfter: "120"}, state: active,
			want: settled{Rows: map[int]string{1: "due 0/0 throttled +2m0s"}},
		},
		"429 for the length of the schedule disables": {
			lane: lane(row(1, Created)), answer: Answer{Status: 429},
			state: DestinationState{Destination: "webhook/a", ThrottledSince: now.Add(-157 * time.Minute)},
			want: settled{
				Rows: map[int]string{1: "parked 0/0 throttled"}, Disabled: DisabledExhausted,
				Probe: time.Minute, Pause: time.Minute,
			},
		},
		"410 disables": {
			lane: lane(row(1, Created)), answer: Answer{Status: 410}, state: active,
			want: settled{Rows: map[int]string{1: "parked 1/0 gone"}, Disabled: DisabledGone, Failures: 1},
		},
		"a probe that fails": {
			lane: lane(row(1, Created, parked, faulted(5, 0))), answer: Answer{Status: 500}, state: exhausted,
			want: settled{
				Rows:     map[int]string{1: "parked 6/0 destination"},
				Disabled: DisabledExhausted, Probe: 8 * time.Minute, Failures: 9,
			},
		},
		"a probe that is throttled": {
			lane: lane(row(1, Created, parked)), answer: Answer{Status: 429, RetryAfter: "3600"}, state: exhausted,
			want: settled{
				Rows:     map[int]string{1: "parked 0/0 throttled"},
				Disabled: DisabledExhausted, Probe: time.Hour, Failures: 8,
			},
		},
		"a probe that succeeds": {
			lane: lane(row(1, Created, parked)), answer: Answer{Status: 200}, state: exhausted,
			want: settled{Rows: map[int]string{1: "delivered 1/0 "}, Release: true},
		},
		"a probe that is disliked": {
			lane: lane(row(1, Created, parked)), answer: Answer{Status: 400}, state: exhausted,
			want: settled{Rows: map[int]string{1: "due 1/1 delivery +30m0s"}, Release: true, Failures: 9},
		},
		"a late fault doesn't move the probes": {
			lane: lane(row(1, Created)), answer: Answer{Status: 500}, state: exhausted,
			want: settled{
				Rows:     map[int]string{1: "parked 1/0 destination"},
				Disabled: DisabledExhausted, Probe: -time.Second, Failures: 9,
			},
		},
		"a late success doesn't overrule a person": {
			lane: lane(row(1, Created)), answer: Answer{Status: 200},
			state: DestinationState{Destination: "webhook/a", Disabled: DisabledOperator, Failures: 2},
			want:  settled{Rows: map[int]string{1: "delivered 1/0 "}, Disabled: DisabledOperator},
		},
		"what was parked starts afresh": {
			lane: lane(row(1, Created, faulted(5, 0))), answer: Answer{Status: 500},
			state: DestinationState{Destination: "webhook/a", Since: now.Add(-time.Minute), LastSuccess: now.Add(-time.Minute)},
			want:  settled{Rows: map[int]string{1: "due 1/0 destination +1m0s"}, Failures: 1},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			next, _ := tt.lane.Next(!tt.inOrder)
			if tt.retry.Schedule == nil {
				tt.retry = DefaultRetry()
			}
			o := Try{
				Lane: tt.lane, Next: next, Kind: next.Delivery.Kind, Answer: tt.answer,
				Attempt: Attempt{ID: 1, At: now.Add(-time.Second), Took: time.Second},
				State:   tt.state, Retry: tt.retry, Fold: !tt.inOrder, Jitter: tt.jitter, Now: now,
			}.Settle()
			if diff := cmp.Diff(tt.want, summary(o, tt.state, now)); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
			if o.Attempt.Delivery != next.Delivery.ID || o.Attempt.Destination != "webhook/a" || o.Attempt.Number < 1 {
				t.Errorf("attempt %+v doesn't name its delivery", o.Attempt)
			}
		})
	}
}
