// Package storetest is what every store promises: the same requests make the
// same incidents, numbers and deliveries on each, and what was acknowledged is
// there after a restart.
package storetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
	"bellcrank.example/sdk"
)

// Open opens the database that belongs to a directory, making it the first
// time.
type Open func(t *testing.T, dir string) engine.Driver

// Run tests a driver under the engine.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, *fixture){
		"an accepted request is all there after a restart":            acceptedSurvives,
		"bodies come back byte for byte":                              bodiesAreExact,
		"submitters share commits":                                    submittersShare,
		"operations on one key fold in one batch":                     oneBatchFolds,
		"races on few keys open each once, numbers have no gap":       racesOpenOnce,
		"numbers go on after a restart":                               numbersGoOn,
		"a request is claimed once":                                   claimedOnce,
		"a request is applied in parts":                               appliedInParts,
		"a claim knows the fallback incident raised meanwhile":        claimKnowsFallback,
		"a repeated delivery gets the first receipt":                  repeatedDelivery,
		"a repeat within one batch is a repeat":                       repeatInBatch,
		"a delivery id with another body is a new request":            reusedDeliveryID,
		"a failing request leaves its neighbours alone":               poisonIsAlone,
		"a request that can't be folded is kept":                      unfoldableIsKept,
		"a full queue refuses at once":                                fullQueueRefuses,
		"what nobody waits for any more is withdrawn":                 lateIsWithdrawn,
		"what is unhurried shares the next one's sync":                unhurriedShares,
		"what is queued at the end is stored, what comes later isn't": endFlushes,
		"owed requests come when they are due":                        owedWhenDue,
		"held requests are open once they are resumed":                heldUntilResumed,
		"neglected requests are those without a fallback":             neglected,
		"lanes are due in the order of their waiting":                 lanesAreDue,
		"an attempt is recorded with all it changes":                  attemptRecorded,
		"what a sender remembers comes with its attempt":              senderRemembers,
		"a finished delivery stays finished":                          finishedStays,
		"a new version waits as its predecessor does":                 versionInherits,
		"a disabled destination parks, an enabled one releases":       parkAndRelease,
		"what is dead is tried again, or discarded":                   deadIsRetried,
		"an older change is sent once more only under a new id":       olderIsNotRetried,
		"a bulk operation goes on after a restart":                    bulkGoesOn,
		"a bulk operation that is cancelled stays where it is":        bulkIsCancelled,
		"who stands in hears of what is open":                         standInHears,
		"a success releases what the destination held up":             successReleases,
		"the schedule survives a restart to the microsecond":          scheduleSurvives,
		"the bell rings for destinations that are owed something":     bellRings,
		"requests and attempts are counted by the minute":             countedByMinute,
		"troubles are listed, newest first":                           troublesListed,
		"lists filter and page":                                       listsFilter,
		"what is past its time goes, what is owed stays":              pruned,
		"what was given up is kept as long as is said":                deadLettersKept,
		"what is held back is owed after a restart":                   heldIsOwedAfterRestart,
		"what is roused is due":                                       rousedIsDue,
		"groups outlive a restart":                                    groupsSurvive,
		"flapping outlives a restart":                                 flappingSurvives,
		"silences outlive a restart":                                  silencesSurvive,
		"heartbeats outlive a restart":                                pulsesSurvive,
		"shapes outlive a restart":                                    shapesSurvive,
		"a thousand refusals leave the newest":                        refusalsAreBounded,
		"incidents follow the model whatever comes":                   followsTheModel,
		"what is remembered of a key comes back as it was":            marksComeBack,
		"a person's act is an event, and is told":                     personActs,
		"an act is done once":                                         actedOnce,
		"an act that is refused leaves nothing":                       refusedLeavesNothing,
		"an act that comes twice at once is refused twice":            refusedTwiceInOneBatch,
		"people and vendors race for one incident":                    peopleRace,
		"a version keeps who hears of it and why":                     versionsSayWhy,
		"an audit of what is whole finds no gap":                      auditIsClean,
		"an audit finds what nobody was told of":                      auditFindsQuarantineUntold,
		"an explanation has the opening and the newest":               explained,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, open))
		})
	}
}

// fixture is a store with a clock and routes that the test sets.
type fixture struct {
	*engine.Engine
	engine.Driver
	t    *testing.T
	open Open
	dir  string
	cfg  engine.Config
	stop func() // ends Run and closes the driver

	mu    sync.Mutex
	now   time.Time       // guarded by mu
	hold  core.Hold       // of every incident; guarded by mu
	match []string        // destinations of every incident; guarded by mu
	rung  map[string]bool // guarded by mu
	stead bool            // a destination stands in for those that are down
	poor  string          // the title that the routes can't bear; guarded by mu
}

const (
	tenant      = core.DefaultTenant
	integration = "datadog/prod"
	webhook     = "webhook/pager"
)

// newFixture returns a store that isn't running yet.
func newFixture(t *testing.T, open Open) *fixture {
	f := &fixture{
		t: t, open: open, dir: t.TempDir(), match: []string{webhook}, rung: map[string]bool{},
		now: time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC),
	}
	f.cfg = engine.Config{Routes: func() core.Routes { return f }, Owed: f.ring, Now: f.clock}
	f.reopen()
	t.Cleanup(func() { f.stop() })
	return f
}

// reopen opens the store as a new process would.
func (f *fixture) reopen() {
	f.t.Helper()
	cfg := f.cfg
	cfg.Driver = f.open(f.t, f.dir)
	e, err := engine.New(f.t.Context(), cfg)
	if err != nil {
		f.t.Fatalf("open: %v", err)
	}
	f.Engine, f.Driver = e, cfg.Driver
	f.stop = sync.OnceFunc(func() {
		if err := cfg.Driver.Close(); err != nil {
			f.t.Errorf("close: %v", err)
		}
	})
}

// run starts the writer.
func (f *fixture) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	e, closeDriver := f.Engine, f.stop
	go func() { done <- e.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			f.t.Errorf("Run: %v", err)
		}
		f.freshIsStored()
		closeDriver()
	})
}

// restart ends the store and starts it again.
func (f *fixture) restart() {
	f.t.Helper()
	f.stop()
	f.reopen()
	f.run()
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// Decide makes *fixture core.Routes: every incident goes to the same
// destinations.
func (f *fixture) Decide(in *core.Incident) ([]string, []core.Decision) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.poor != "" && in.Title == f.poor {
		panic("no route for this")
	}
	return slices.Clone(f.match), []core.Decision{{Route: "all", Matched: true, To: slices.Clone(f.match)}}
}

// Instead makes *fixture core.Routes: webhook/stead stands in for all others.
func (f *fixture) Instead(in *core.Incident, down func(string) bool) []string {
	if to, _ := f.Decide(in); f.stead && slices.ContainsFunc(to, down) {
		return []string{"webhook/stead"}
	}
	return nil
}

// Wants makes *fixture core.Routes.
func (f *fixture) Wants(string, core.Kind) bool { return true }

// Hold makes *fixture core.Routes.
func (f *fixture) Hold(*core.Incident, time.Time) (core.Hold, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hold, f.hold.By != ""
}

// Generation makes *fixture core.Routes.
func (f *fixture) Generation() int64 { return 7 }

func (f *fixture) ring(destinations []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range destinations {
		f.rung[d] = true
	}
}

// bells returns for whom the bell rang since the last time, sorted.
func (f *fixture) bells() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for d := range f.rung {
		all = append(all, d)
	}
	clear(f.rung)
	slices.Sort(all)
	return all
}

func source() *core.Integration {
	return &core.Integration{Tenant: tenant, Type: "datadog", Name: "prod"}
}

// request returns a request that was received now and is done.
func (f *fixture) request() *core.Request {
	return &core.Request{
		ID: f.NewID(), Tenant: tenant, Integration: integration, ReceivedAt: f.clock(), Method: "POST",
		State: core.RequestDone, Body: []byte(`{"a":1}`),
	}
}

func trigger(key string) sdk.Event {
	return sdk.Event{Action: sdk.Trigger, DedupKey: key, Title: "trouble with " + key, Severity: sdk.High}
}

func resolve(key string) sdk.Event { return sdk.Event{Action: sdk.Resolve, DedupKey: key} }

func acknowledge(key string) sdk.Event { return sdk.Event{Action: sdk.Acknowledge, DedupKey: key} }

// insert is the submission of a request with its events.
func insert(r *core.Request, events ...sdk.Event) *core.Submission {
	return &core.Submission{Insert: true, Change: core.Change{
		Request: r, Last: true, ReopenWindow: core.DefaultReopenWindow,
		Events: core.PrepareEvents(source(), r.ID, false, events),
	}}
}

// accept stores a new request with its events.
func (f *fixture) accept(events ...sdk.Event) core.Receipt {
	f.t.Helper()
	return f.commit(insert(f.request(), events...))
}

func (f *fixture) commit(s *core.Submission) core.Receipt {
	f.t.Helper()
	receipt, err := f.Commit(f.t.Context(), s)
	if err != nil {
		f.t.Fatalf("commit: %v", err)
	}
	return receipt
}

// flush makes the store write what it has gathered beside the batches.
func (f *fixture) flush() {
	f.t.Helper()
	f.advance(2 * time.Second)
	f.must(f.Writable(f.t.Context()))
}

// must ends the test at an error.
func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// together queues submissions before the writer runs, so that they share a
// batch, and returns what became of each.
func (f *fixture) together(submissions ...*core.Submission) ([]core.Receipt, []error) {
	f.t.Helper()
	receipts, errs := make([]core.Receipt, len(submissions)), make([]error, len(submissions))
	var wait sync.WaitGroup
	for i, s := range submissions {
		wait.Go(func() { receipts[i], errs[i] = f.Commit(f.t.Context(), s) })
		f.await(func() bool { return f.Stats().Waiting == i+1 })
	}
	f.run()
	wait.Wait()
	return receipts, errs
}

// await waits until something holds, for five seconds at most.
func (f *fixture) await(holds func() bool) {
	f.t.Helper()
	for end := time.Now().Add(5 * time.Second); !holds(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			f.t.Fatal("it never came to be")
		}
	}
}

// incident returns an incident with all that belongs to it.
func (f *fixture) incident(number int64) core.IncidentDetail {
	f.t.Helper()
	d, err := f.Incident(f.t.Context(), number)
	f.must(err)
	return d
}

// due returns the lanes that are due now.
func (f *fixture) due() []core.Lane {
	f.t.Helper()
	lanes, err := f.Due(f.t.Context(), webhook, f.clock(), 100)
	f.must(err)
	return lanes
}

// delivery returns the only delivery of the incident's version.
func (f *fixture) delivery(number int64, version int) core.Delivery {
	f.t.Helper()
	for _, d := range f.incident(number).Deliveries {
		if d.Version == version {
			return d
		}
	}
	f.t.Fatalf("incident %d has no delivery of version %d", number, version)
	return core.Delivery{}
}
