package dispatch

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"bellcrank.example/core"
)

const (
	maxWait      = 30 * time.Second // clocks jump: a longer wait asks again
	maxHeads     = 256              // lanes of a destination in memory, and outcomes that wait to be stored
	stale        = time.Second      // lanes older than this are read again if there is news
	shortWait    = 5 * time.Second  // a lane that isn't due is put off in the store only if it waits longer
	readLimit    = 10 * time.Second // of one read from the store
	storeSuccess = 10 * time.Second // how often a destination's last success is stored while all is well
	releasePause = time.Second      // between two releases of what waits
	probeGap     = time.Minute      // before a new opening is a probe
)

// line sends to one destination. Its loop owns everything but what the mutex
// guards; attempts and writes run beside it and report back.
type line struct {
	d        *Dispatcher
	id       string
	log      *slog.Logger
	before   *line         // had this destination until a reload; nil if none
	wakes    chan struct{} // holds one
	commands chan command
	sent     chan sent
	recorded chan recorded
	stopping chan struct{} // closed when the destination is gone
	ended    chan struct{} // closed when the loop has ended

	mu    sync.Mutex
	dest  *core.Destination     // guarded by mu
	state core.DestinationState // guarded by mu

	dirty    bool                  // there may be lanes that are due
	heads    []core.Lane           // due, in the order in which they are sent
	headsAt  time.Time             // when they were read
	busy     map[core.ID]int       // lanes under way, and the newest version that is known of each
	missed   bool                  // a lane under way has a newer version
	notYet   map[core.ID]time.Time // lanes that wait although a row of theirs is due
	sending  int                   // attempts under way
	writing  int                   // outcomes and commands that are being stored
	lookAt   time.Time             // when to look at the store again
	cursor   core.ID               // of the probes' turn
	stored   core.DestinationState
	written  <-chan struct{} // closed when the last change of state is stored
	blind    bool            // the last read failed, and was logged
	released time.Time       // when waiting rows were last released
	owed     bool            // a release was put off
	notices  bundle

	told      time.Time     // what the clock said last
	back      time.Duration // how far it was set back while outcomes were being stored
	nextStart time.Time     // no attempt begins before; for a destination with a pace
	well      bool          // the last attempt was no fault of the destination
	turn      time.Time     // no attempt begins before; for a destination that fails
}

// command is a person's change of a destination's state.
type command struct {
	change func(*core.DestinationState, time.Time)
	done   chan error
}

// sent tells the loop how an attempt ended.
type sent struct {
	try core.Try
	err error // the attempt couldn't be made, or was cut off
}

// recorded tells the loop that something was stored.
type recorded struct {
	incident core.ID // zero: no lane was busy with it
	again    bool    // there may be more to send now
}

func newLine(d *Dispatcher, dest *core.Destination, before *line, state core.DestinationState) *line {
	state.Tenant, state.Destination = dest.Tenant, dest.ID()
	return &line{
		d: d, id: dest.ID(), log: d.cfg.Logger.With("destination", dest.ID()), before: before, dest: dest, state: state, stored: state,
		wakes: make(chan struct{}, 1), commands: make(chan command),
		sent: make(chan sent), recorded: make(chan recorded),
		stopping: make(chan struct{}), ended: make(chan struct{}),
		busy: map[core.ID]int{}, notYet: map[core.ID]time.Time{},
	}
}

func (l *line) wake() {
	select {
	case l.wakes <- struct{}{}:
	default: // it is awake
	}
}

func (l *line) replace(dest *core.Destination) {
	l.mu.Lock()
	l.dest = dest
	l.mu.Unlock()
	l.wake()
}

func (l *line) destination() *core.Destination {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dest
}

func (l *line) snapshot() core.DestinationState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state
}

func (l *line) set(s core.DestinationState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = s
}

// run sends until ctx ends or the destination is gone, then waits for what is
// under way. Attempts and writes use working, which outlives ctx.
func (l *line) run(ctx, working context.Context) {
	defer close(l.ended)
	if l.before != nil {
		<-l.before.ended // two loops would break the order of a lane
		l.set(l.before.snapshot())
		l.before = nil
	}
	l.stored, l.dirty = l.snapshot(), true
	l.well = l.stored.Failures == 0 && !l.stored.LastSuccess.IsZero()
	l.arrive(working)
	for {
		open := l.open(ctx)
		if !open && l.sending+l.writing == 0 {
			l.notices.flush(l.d.cfg.Notice)
			l.leave(ctx, working)
			return
		}
		if open {
			l.advance(working)
		}
		l.wait(ctx, working, open)
	}
}

// arrive makes a destination active that was parked for want of a
// configuration.
func (l *line) arrive(working context.Context) {
	if state := returned(l.stored, l.d.cfg.Now()); state != l.stored {
		l.become(working, state)
	}
}

// leave parks what is owed to a destination that is configured no more.
func (l *line) leave(ctx, working context.Context) {
	if ctx.Err() != nil {
		return // it is the process that ends
	}
	if state := unconfigured(l.snapshot(), l.d.cfg.Now()); state != l.stored {
		l.become(working, state)
	}
}

// become stores a state while nothing else goes on.
func (l *line) become(working context.Context, state core.DestinationState) {
	l.set(state)
	l.stored = state
	store := func(ctx context.Context) error { return l.d.cfg.Store.SetDestination(ctx, state) }
	if err := persist(working, l.log, "change destination", store); err != nil {
		l.log.Error("change destination", "err", err)
	}
}

func (l *line) open(ctx context.Context) bool {
	select {
	case <-l.stopping:
		return false
	default:
		return ctx.Err() == nil
	}
}

// wait takes one report, or lets the time come for which the line waits.
func (l *line) wait(ctx, working context.Context, open bool) {
	var done, stopping <-chan struct{}
	if open {
		done, stopping = ctx.Done(), l.stopping
	}
	timer := time.NewTimer(l.pause(open))
	defer timer.Stop()
	select {
	case <-done:
	case <-stopping:
	case <-l.wakes:
		l.dirty = true
	case c := <-l.commands:
		l.obey(working, c)
	case s := <-l.sent:
		l.settle(working, s)
	case r := <-l.recorded:
		l.finish(r)
	case <-timer.C:
		l.ring()
	}
}

// pause is how long nothing happens by itself.
func (l *line) pause(open bool) time.Duration {
	now, pause := l.d.cfg.Now(), l.d.cfg.Poll
	if !open {
		return pause
	}
	if !l.lookAt.IsZero() {
		pause = min(pause, l.lookAt.Sub(now))
	}
	if at, ok := l.notices.due(); ok {
		pause = min(pause, at.Sub(now))
	}
	return max(pause, 0)
}

// ring is the timer's end: the time has come to look at the store, or to give
// the notices that were collected.
func (l *line) ring() {
	now := l.d.cfg.Now()
	if at, ok := l.notices.due(); ok && !now.Before(at) {
		l.notices.flush(l.d.cfg.Notice)
	}
	if !now.Before(l.lookAt) {
		l.lookAt = time.Time{}
	}
	l.dirty = true
}

// finish frees what was being stored.
func (l *line) finish(r recorded) {
	l.writing--
	if r.incident != 0 {
		delete(l.busy, r.incident)
	}
	idle := len(l.heads) == 0 && l.sending == 0
	if r.again || l.missed || idle {
		l.dirty, l.missed = true, false
	}
}

// advance starts what can be started now.
func (l *line) advance(working context.Context) {
	now := l.d.cfg.Now()
	l.tell(working, now)
	state := l.snapshot()
	switch {
	case !state.Active():
		l.heads = nil
		l.probe(working, now, state)
	case paused(state, now):
		l.heads = nil
		l.lookAt = state.PausedUntil
	default:
		l.refill(working, now)
		l.startHeads(working)
	}
}

// paused reports whether a 429 holds the destination. It never asks for more
// than an hour: a pause that seems longer is a clock that was set back.
func paused(s core.DestinationState, now time.Time) bool {
	wait := s.PausedUntil.Sub(now)
	return wait > 0 && wait <= time.Hour
}

// startHeads begins attempts while there are lanes, slots and sockets.
func (l *line) startHeads(working context.Context) {
	dest := l.destination()
	for len(l.heads) > 0 && l.sending < l.concurrency() && l.writing < maxHeads {
		now := l.d.cfg.Now()
		if wait := l.nextStart.Sub(now); wait > 0 && wait <= dest.Pace {
			l.look(l.nextStart)
			return
		}
		if wait := l.turn.Sub(now); wait > 0 && wait <= turnLimit {
			l.look(l.turn)
			return
		}
		if !l.d.sockets.take(l.sending) {
			l.look(now.Add(50 * time.Millisecond))
			return
		}
		lane := l.heads[0]
		l.heads = l.heads[1:]
		if !l.begin(working, lane) {
			l.d.sockets.give(l.sending + 1)
			continue
		}
		l.nextStart = now.Add(dest.Pace)
		if l.fails() {
			l.turn = l.d.turns.take(now)
		}
	}
}

// concurrency is how many attempts are made at a time: until one ends well, and
// after one that doesn't, only as many as have sockets of their own.
func (l *line) concurrency() int {
	most := cmp.Or(l.destination().Concurrency, l.d.cfg.PerDestination)
	if !l.well {
		return min(most, reserved)
	}
	return most
}

// look makes sure that the line looks around at that time.
func (l *line) look(at time.Time) {
	if l.lookAt.IsZero() || at.Before(l.lookAt) {
		l.lookAt = at
	}
}

// begin starts an attempt at the lane, if one is due.
func (l *line) begin(working context.Context, lane core.Lane) bool {
	dest, now := l.destination(), l.d.cfg.Now()
	next, ok := lane.Next(dest.Fold)
	if !ok || l.busy[lane.Incident] > 0 || l.waits(lane.Incident, now) {
		return false
	}
	if next.Delivery.State != core.DeliveryParked && now.Before(next.At) {
		l.putOff(working, lane, next, now)
		return false
	}
	if o, expired := lane.Expire(dest.Retry, now); expired && !l.d.cfg.Suspect() {
		l.expire(working, lane, o, now)
		return false
	}
	l.busy[lane.Incident] = newest(lane)
	l.sending++
	go l.attempt(working, dest, lane, next)
	return true
}

// putOff leaves a lane of which a row is due, but not the one that goes next.
// In memory for a moment; in the store if it is longer, so that such lanes
// don't stand before others in every read.
func (l *line) putOff(working context.Context, lane core.Lane, next core.Next, now time.Time) {
	late := lane.Postpone(next)
	if at := next.At; at.Sub(now) <= shortWait || len(late) == 0 {
		if limit := now.Add(shortWait); at.After(limit) {
			at = limit
		}
		l.notYet[lane.Incident] = at
		l.look(at)
		return
	}
	l.busy[lane.Incident] = newest(lane)
	o := core.Outcome{Deliveries: late}
	l.write(working, nil, recorded{incident: lane.Incident}, "postpone deliveries", func(ctx context.Context) error {
		return l.d.cfg.Store.Record(ctx, o)
	})
}

// expire gives up what has grown too old.
func (l *line) expire(working context.Context, lane core.Lane, o core.Outcome, now time.Time) {
	l.busy[lane.Incident] = newest(lane)
	l.report(o, l.snapshot(), now)
	done := recorded{incident: lane.Incident, again: true}
	l.write(working, nil, done, "give up deliveries", func(ctx context.Context) error {
		return l.d.cfg.Store.Record(ctx, o)
	})
}

// refill reads the lanes that are due if there may be new ones. What was read
// before is read again, as newer versions may have joined it.
func (l *line) refill(working context.Context, now time.Time) {
	fresh := len(l.heads) >= l.concurrency() && now.Sub(l.headsAt) < stale
	if !l.dirty || fresh {
		return
	}
	ctx, cancel := context.WithTimeout(working, readLimit)
	defer cancel()
	lanes, err := l.d.cfg.Store.Due(ctx, l.id, now, maxHeads)
	if err != nil {
		l.unreadable(now, err)
		return
	}
	l.blind = false
	l.heads, l.headsAt, l.dirty = l.heads[:0], now, len(lanes) == maxHeads
	for _, lane := range lanes {
		if known := l.busy[lane.Incident]; known > 0 {
			l.missed = l.missed || newest(lane) > known
		} else if !l.waits(lane.Incident, now) {
			delete(l.notYet, lane.Incident)
			l.heads = append(l.heads, lane)
		}
	}
	l.plan(ctx, now)
}

// newest returns the lane's newest version.
func newest(lane core.Lane) int { return lane.Deliveries[len(lane.Deliveries)-1].Version }

// waits reports whether a lane isn't to be sent yet. No wait here is longer
// than shortWait: one that seems so is a clock that was set back.
func (l *line) waits(incident core.ID, now time.Time) bool {
	wait := l.notYet[incident].Sub(now)
	return wait > 0 && wait <= shortWait
}

// plan decides when to look again without being told.
func (l *line) plan(ctx context.Context, now time.Time) {
	l.lookAt = now.Add(time.Second)
	if len(l.busy)+len(l.heads) > 0 {
		return // their ends are heard of; the second is for rows that become due meanwhile
	}
	for incident, at := range l.notYet {
		if !now.Before(at) {
			delete(l.notYet, incident)
		} else if at.Before(l.lookAt) {
			l.lookAt = at
		}
	}
	if len(l.notYet) > 0 {
		return
	}
	next, err := l.d.cfg.Store.NextDue(ctx, l.id)
	switch {
	case err != nil:
		l.unreadable(now, err)
	case next.IsZero():
		l.lookAt = time.Time{}
	case next.After(now):
		l.lookAt = next
	}
}

// unreadable tries again in a second: no delivery is lost, only late.
func (l *line) unreadable(now time.Time, err error) {
	l.dirty, l.lookAt = false, now.Add(time.Second)
	if !l.blind {
		l.blind = true
		l.d.cfg.Logger.Error("reading deliveries", "destination", l.id, "err", err)
	}
}

// probe tries a disabled destination when it is time: the parked lanes in
// turn, so that none holds the others back, or an opening that is new.
func (l *line) probe(working context.Context, now time.Time, s core.DestinationState) {
	l.lookAt = time.Time{}
	if s.Disabled != core.DisabledExhausted || l.sending+l.writing > 0 {
		l.dirty = false
		return
	}
	wanted := l.dirty && !now.Before(s.LastFailure.Add(probeGap))
	l.dirty = false
	ctx, cancel := context.WithTimeout(working, readLimit)
	defer cancel()
	var lane core.Lane
	var err error
	switch {
	case !now.Before(s.ProbeAt):
		lane, err = l.nextParked(ctx)
	case wanted:
		lane, err = l.newOpening(ctx, s.LastFailure)
	}
	if err != nil {
		l.unreadable(now, err)
		return
	}
	if len(lane.Deliveries) > 0 && l.begin(working, lane) { // nothing is under way: it has a socket of its own
		return
	}
	switch {
	case now.Before(s.ProbeAt):
		l.lookAt = s.ProbeAt
	case len(lane.Deliveries) > 0:
		l.lookAt = now.Add(time.Second) // it couldn't be read
	}
}

// nextParked returns the parked lane whose turn it is.
func (l *line) nextParked(ctx context.Context) (core.Lane, error) {
	for {
		lanes, err := l.d.cfg.Store.Parked(ctx, l.id, l.cursor, 1)
		switch {
		case err != nil:
			return core.Lane{}, err
		case len(lanes) > 0:
			l.cursor = lanes[0].Deliveries[0].ID
			return lanes[0], nil
		case l.cursor == 0:
			return core.Lane{}, nil
		}
		l.cursor = 0
	}
}

// newOpening returns a parked lane that began after the last probe, if there
// is one.
func (l *line) newOpening(ctx context.Context, since time.Time) (core.Lane, error) {
	lanes, err := l.d.cfg.Store.Parked(ctx, l.id, core.IDAt(since), 8)
	for _, lane := range lanes {
		if lane.Deliveries[0].Kind.Opening() {
			return lane, err
		}
	}
	return core.Lane{}, err
}

// timeout returns how long one attempt may take.
func timeout(dest *core.Destination) time.Duration {
	return min(cmp.Or(dest.Timeout, core.DefaultAttemptTimeout), core.DefaultAttemptTimeout)
}
