package core

import (
	"net/http"
	"time"
)

// The rules' constants. Everything else of a schedule is the destination's.
const (
	firstProbe = time.Minute
	maxProbe   = 15 * time.Minute
	// ReleaseStep spreads what waited for a destination, so that one which has
	// just come back isn't drowned.
	ReleaseStep = 20 * time.Millisecond
)

// dislikedDelays are the delays after each attempt that ended in a
// delivery-fault; after one more the delivery is dead.
func dislikedDelays() []time.Duration {
	return []time.Duration{30 * time.Minute, 2 * time.Hour}
}

// Try is an attempt that has ended, with all that decides what follows.
type Try struct {
	Lane    Lane // as it was when the attempt began
	Next    Next // what was sent
	Kind    Kind // as what it was sent
	Answer  Answer
	Attempt Attempt          // ID, At and Took are set; Settle fills in the rest
	State   DestinationState // as it is now
	Retry   Retry            // DefaultRetry if its schedule is empty
	Fold    bool             // the destination's
	Jitter  float64          // drawn for this attempt, from 0 to 1
	Now     time.Time        // the attempt's end
	Suspect bool             // the clock can't be trusted: no span of time counts
}

// Settle decides what the attempt changes: the delivery, the others of its
// lane, and what is known of the destination.
func (t Try) Settle() Outcome {
	class, wait := t.Answer.Classify(t.Now)
	if len(t.Retry.Schedule) == 0 {
		t.Retry = DefaultRetry()
	}
	s := settling{Try: t, row: t.Next.Delivery, state: t.State}
	s.begin()
	switch class {
	case NoFault:
		s.delivered()
	case DeliveryFault:
		s.disliked()
	case Throttled:
		s.throttled(wait)
	case Gone:
		s.gone()
	default:
		s.unreachable()
	}
	return s.outcome(class)
}

// settling is Settle at work.
type settling struct {
	Try
	row       Delivery
	state     DestinationState
	others    []Delivery // of the lane, changed
	foldOlder int
	release   bool
}

// begin counts the attempt's row afresh if its destination has been disabled
// since its first attempt: what it suffered then says nothing about now.
func (s *settling) begin() {
	s.row.Kind = s.Kind
	if !s.row.FirstAt.IsZero() && s.state.Active() && s.row.FirstAt.Before(s.state.Since) {
		s.row.Attempt, s.row.FirstAt = s.row.FaultTries, time.Time{}
	}
	if s.row.FirstAt.IsZero() {
		s.row.FirstAt = s.Attempt.At
	}
}

func (s *settling) outcome(class FaultClass) Outcome {
	a := s.Attempt
	a.Tenant, a.Delivery, a.Destination = s.row.Tenant, s.row.ID, s.row.Destination
	a.Number, a.Status, a.Class = max(1, s.row.Attempt), s.Answer.Status, class
	a.Snippet, a.Address, a.Error = s.Answer.Snippet, s.Answer.Address, s.problem(class)
	a.Sent, a.Header = s.Answer.Sent, s.Answer.Header
	o := Outcome{
		Attempt: a, Deliveries: append([]Delivery{s.row}, s.others...), FoldOlder: s.foldOlder, Remember: s.Answer.Remember,
	}
	if s.state != s.State {
		o.Destination = &s.state
	}
	if s.release {
		o.Release, o.ReleaseStep = true, ReleaseStep
		o.ReleaseFrom = later(s.Now, s.state.PausedUntil)
	}
	return o
}

// problem says in a few words what went wrong.
func (s *settling) problem(class FaultClass) string {
	switch {
	case class == NoFault:
		return ""
	case s.Answer.Err != nil:
		return s.Answer.Err.Error()
	}
	return statusText(s.Answer.Status)
}

// delivered ends the row and with it everything older; what is newer needn't
// wait for the destination any more.
func (s *settling) delivered() {
	s.row.Attempt++
	s.row.State, s.row.DoneAt, s.row.Fault, s.row.LastError = DeliveryDelivered, s.Now, NoFault, ""
	if len(s.older()) > 0 {
		s.foldOlder = s.row.Version
	}
	failed := s.state.Failures > 0
	s.state.LastSuccess, s.state.LastError, s.state.Failures = s.Now, "", 0
	s.state.ThrottledSince = time.Time{}
	s.reactivate()
	s.release = s.release || failed && s.state.Active()
	s.hasten(s.newer())
}

// disliked gives a delivery that the destination refuses three tries, then it
// is dead. The destination itself is well.
func (s *settling) disliked() {
	delays := dislikedDelays()
	s.row.Attempt++
	s.row.FaultTries++
	s.fail(DeliveryFault)
	s.reactivate()
	if !s.state.Active() {
		s.row.State = DeliveryParked
		return
	}
	s.row.State = DeliveryDue
	if s.row.FaultTries > len(delays) {
		s.bury()
		return
	}
	s.row.NextAt = s.Now.Add(s.jittered(delays[s.row.FaultTries-1]))
	s.delay(s.older())
	if s.Fold {
		s.hasten(s.newer())
	} else {
		s.delay(s.newer())
	}
}

// unreachable puts the row off by the schedule.
func (s *settling) unreachable() {
	s.row.Attempt++
	s.fail(DestinationFault)
	if !s.state.Active() {
		s.remainParked(0)
		return
	}
	s.row.State = DeliveryDue
	tries := s.row.Attempt - s.row.FaultTries
	if tries >= len(s.Retry.Schedule) {
		s.exhaust(s.othersPassed())
		return
	}
	if tries > 1 && s.othersPassed() {
		// Others get through, so the next success must not hasten this row
		// again: among many that succeed it would use up its attempts within
		// seconds. Nor does a newer version inherit its fate.
		s.row.Fault = DeliveryFault
	}
	s.row.NextAt = s.Now.Add(s.jittered(s.Retry.Schedule[tries]))
	s.delay(s.older())
	s.pass(s.newer())
}

// throttled waits as long as the destination asks; that isn't an attempt. To
// be told so for as long as the whole schedule lasts, and nothing else, counts
// as exhausted.
func (s *settling) throttled(wait time.Duration) {
	s.row.Fault, s.row.LastError = Throttled, s.problem(Throttled)
	if !s.state.Active() {
		s.remainParked(wait)
		return
	}
	s.row.State, s.row.NextAt = DeliveryDue, s.Now.Add(wait)
	since, alone := s.row.FirstAt, s.othersPassed()
	if s.Answer.Status != http.StatusServiceUnavailable { // it means the whole destination
		since, alone = s.pause(s.row.NextAt), false
	}
	if s.Now.Sub(since) >= s.Retry.total() {
		if !s.Suspect {
			s.exhaust(alone)
			return
		}
		s.countAfresh()
	}
	s.delay(s.older())
	s.delay(s.newer())
}

// pause lets the whole destination rest and returns since when it throttles.
func (s *settling) pause(until time.Time) time.Time {
	s.state.PausedUntil = later(s.state.PausedUntil, until)
	if s.state.ThrottledSince.IsZero() {
		s.state.ThrottledSince = s.Now
	}
	return s.state.ThrottledSince
}

// countAfresh forgets for how long there was throttling: it is the clock that
// says so.
func (s *settling) countAfresh() {
	s.row.FirstAt = s.Now
	if !s.state.ThrottledSince.IsZero() {
		s.state.ThrottledSince = s.Now
	}
}

// gone disables the destination: it asked for it.
func (s *settling) gone() {
	s.row.Attempt++
	s.fail(Gone)
	s.row.State = DeliveryParked
	if s.state.Disabled != DisabledOperator {
		s.disable(DisabledGone)
	}
}

// exhaust ends what was tried long enough. Unless others got through
// meanwhile, it isn't the delivery that is wrong but the destination.
func (s *settling) exhaust(alone bool) {
	if alone || s.Retry.OnExhausted == "dead" {
		s.bury()
		return
	}
	s.row.State = DeliveryParked
	s.noteFailure()
	s.disable(DisabledExhausted)
}

// bury gives up the row and all that is older. What is newer starts afresh.
func (s *settling) bury() {
	s.row.State, s.row.DoneAt = DeliveryDead, s.Now
	for _, d := range s.older() {
		d.State, d.DoneAt, d.LastError = DeliveryDead, s.Now, s.row.LastError
		s.others = append(s.others, d)
	}
	s.hasten(s.newer())
}

// fail notes a failed attempt on the row and the destination.
func (s *settling) fail(class FaultClass) {
	s.row.Fault, s.row.LastError = class, s.problem(class)
	s.noteFailure()
	s.state.Failures++
}

// noteFailure notes when the destination last failed, and how. The next probe
// of a disabled one counts from here, so a probe that is throttled is noted too.
func (s *settling) noteFailure() { s.state.LastFailure, s.state.LastError = s.Now, s.row.LastError }

// reactivate makes a destination active that answers again. One that a person
// disabled, or that said it is gone, stays so.
func (s *settling) reactivate() {
	if s.state.Disabled != DisabledExhausted {
		return
	}
	s.state.Disabled, s.state.Since = "", s.Now
	s.state.ProbeAt, s.state.Probes = time.Time{}, 0
	s.row.FirstAt = s.Now
	s.release = true
}

func (s *settling) disable(why DisabledReason) {
	if s.state.Disabled == why {
		return
	}
	s.state.Disabled, s.state.Since = why, s.Now
	s.state.ProbeAt, s.state.Probes = time.Time{}, 0
	if why == DisabledExhausted {
		s.state.ProbeAt = s.Now.Add(firstProbe)
	}
}

// remainParked leaves the row with its disabled destination. If the attempt
// was a probe, the next one comes later, and not before wait is over.
func (s *settling) remainParked(wait time.Duration) {
	probe := s.row.State == DeliveryParked
	s.row.State = DeliveryParked
	if s.state.Disabled != DisabledExhausted || !probe {
		return
	}
	s.noteFailure()
	s.state.Probes++
	delay := firstProbe
	for range min(s.state.Probes, 10) {
		delay = min(2*delay, maxProbe)
	}
	s.state.ProbeAt = s.Now.Add(max(delay, wait))
}

// othersPassed reports whether the destination took anything since the row's
// first attempt.
func (s *settling) othersPassed() bool {
	return !s.state.LastSuccess.IsZero() && !s.state.LastSuccess.Before(s.row.FirstAt)
}

func (s *settling) jittered(delay time.Duration) time.Duration {
	return delay + time.Duration(s.Jitter*s.Retry.Jitter*float64(delay))
}

// older and newer return the rest of the lane.
func (s *settling) older() []Delivery {
	return s.laneWhere(func(v int) bool { return v < s.row.Version })
}
func (s *settling) newer() []Delivery {
	return s.laneWhere(func(v int) bool { return v > s.row.Version })
}

func (s *settling) laneWhere(keep func(version int) bool) []Delivery {
	var rows []Delivery
	for _, d := range s.Lane.Deliveries {
		if keep(d.Version) {
			rows = append(rows, d)
		}
	}
	return rows
}

// delay lets rows wait for this one.
func (s *settling) delay(rows []Delivery) {
	for _, d := range rows {
		if d.NextAt.Before(s.row.NextAt) {
			d.NextAt = s.row.NextAt
			s.others = append(s.others, d)
		}
	}
}

// pass hands the row's attempts and time on to its successors, which it goes
// before.
func (s *settling) pass(rows []Delivery) {
	for _, d := range rows {
		Inherit(&d, s.row)
		d.NextAt = later(d.NextAt, s.row.NextAt)
		s.others = append(s.others, d)
	}
}

// hasten makes successors due now, without what they inherited.
func (s *settling) hasten(rows []Delivery) {
	for _, d := range rows {
		d.State, d.NextAt = DeliveryDue, s.Now
		if d.FaultTries == 0 {
			d.Attempt, d.Fault, d.FirstAt = 0, NoFault, time.Time{}
		}
		if !s.state.Active() {
			d.State = DeliveryParked
		}
		s.others = append(s.others, d)
	}
}

// total is how long the schedule lasts.
func (r Retry) total() time.Duration {
	var total time.Duration
	for _, d := range r.Schedule {
		total += d
	}
	return total
}
