package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/intake"
	"bellcrank.example/core/store"
	"bellcrank.example/sdk"
)

// rig is intake on a real SQLite store, with adapters that do what a test
// tells them to and a clock that the test moves.
type rig struct {
	t       *testing.T
	store   *store.Store
	intake  *intake.Intake
	machine *core.Integration
	human   *core.Integration

	mu    sync.Mutex
	now   time.Time
	ready bool
	adapt func(context.Context, sdk.Request) (sdk.Result, error)
	calls map[string]int // by the body

	proof   func() (core.Proof, error) // of every signature that is judged
	confirm func() error               // what becomes of a confirmation
	urls    []string                   // that were confirmed, or tried to be
}

type everywhere struct{}

func (everywhere) Decide(*core.Incident) ([]string, []core.Decision) {
	return []string{"webhook/ops"}, nil
}
func (everywhere) Wants(string, core.Kind) bool                       { return true }
func (everywhere) Hold(*core.Incident, time.Time) (core.Hold, bool)   { return core.Hold{}, false }
func (everywhere) Generation() int64                                  { return 1 }
func (everywhere) Instead(*core.Incident, func(string) bool) []string { return nil }

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{
		t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), ready: true, calls: map[string]int{},
		machine: integration("datadog", sdk.Machine), human: integration("custom", sdk.Human),
	}
	var err error
	r.store, err = store.Open(t.Context(), store.Config{
		URL: "sqlite:" + t.TempDir(), Routes: func() core.Routes { return everywhere{} }, Now: r.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.intake = intake.New(intake.Config{
		Store: r.store, Adapters: r, Verifier: r, Confirmer: r, NewID: r.store.NewID, Budget: 50 * time.Millisecond, Now: r.clock,
		SweepEvery: time.Hour, // the tests sweep themselves
		Integrations: func() map[string]*core.Integration {
			return map[string]*core.Integration{r.machine.ID(): r.machine, r.human.ID(): r.human}
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := r.store.Run(ctx); err != nil {
			t.Errorf("store: %v", err)
		}
	})
	t.Cleanup(func() {
		done, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.intake.Run(done); err != nil { // waits for late answers
			t.Errorf("intake: %v", err)
		}
		stop()
		running.Wait()
		if err := r.store.Close(); err != nil {
			t.Errorf("close store: %v", err)
		}
	})
	return r
}

func integration(kind string, sender sdk.Sender) *core.Integration {
	return &core.Integration{
		Tenant: core.DefaultTenant, Type: kind, Name: "test", Plugin: kind, ReopenWindow: core.DefaultReopenWindow,
		Info:   sdk.Info{Type: kind, Version: "1.0.0", Sender: sender},
		Limits: sdk.Limits{Body: 1 << 20, Events: 5000},
	}
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// Ready and Adapt make the rig its own adapters.
func (r *rig) Ready(string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ready
}

// Probe is no different here.
func (r *rig) Probe(ctx context.Context, plugin string, request sdk.Request) (sdk.Result, error) {
	return r.Adapt(ctx, plugin, request)
}

// Serves makes the rig its own adapters of the versions that are configured.
func (r *rig) Serves(string) (version, sha256 string) { return "", "" }

func (r *rig) Adapt(ctx context.Context, _ string, request sdk.Request) (sdk.Result, error) {
	r.mu.Lock()
	r.calls[string(request.Body)]++
	adapt, ready := r.adapt, r.ready
	r.mu.Unlock()
	if !ready {
		return sdk.Result{}, &core.AdaptError{Fault: core.AdapterDown, Plugin: "test", Err: errors.New("not ready")}
	}
	return adapt(ctx, request)
}

// says makes the adapters answer with a trigger whose key is the body.
func (r *rig) says(adapt func(context.Context, sdk.Request) (sdk.Result, error)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adapt = adapt
}

func trigger(_ context.Context, r sdk.Request) (sdk.Result, error) {
	return sdk.Result{Events: []sdk.Event{{Action: sdk.Trigger, DedupKey: string(r.Body), Title: "problem " + string(r.Body), Severity: sdk.High}}}, nil
}

func (r *rig) accept(in *core.Integration, body string) core.Receipt {
	r.t.Helper()
	receipt, err := r.intake.Accept(r.t.Context(), in, &core.Request{
		ReceivedAt: r.clock(), Method: "POST", State: core.RequestOpen, Body: []byte(body),
	}, []byte(body))
	if err != nil {
		r.t.Fatalf("accept %q: %v", body, err)
	}
	return receipt
}

func (r *rig) sweep() {
	r.t.Helper()
	if err := r.intake.Sweep(r.t.Context()); err != nil {
		r.t.Fatalf("sweep: %v", err)
	}
}

func (r *rig) request(id core.ID) *core.Request {
	r.t.Helper()
	request, err := r.store.Request(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return request
}

// incidents returns a line for each, in order of their titles.
func (r *rig) incidents() []string {
	r.t.Helper()
	list, err := r.store.Incidents(r.t.Context(), core.IncidentFilter{Page: core.Page{Limit: 500}})
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	for _, in := range list {
		lines = append(lines, fmt.Sprintf("%s: %s x%d", in.Title, in.Status, in.Count))
	}
	slices.Sort(lines)
	return lines
}

func (r *rig) wantIncidents(want ...string) {
	r.t.Helper()
	if got := r.incidents(); !slices.Equal(got, want) {
		r.t.Errorf("incidents %q, want %q", got, want)
	}
}

func (r *rig) wantState(id core.ID, state core.RequestState, code core.Code) {
	r.t.Helper()
	if got := r.request(id); got.State != state || got.Code != code {
		r.t.Errorf("request is %s %q (%s), want %s %q", got.State, got.Code, got.Reason, state, code)
	}
}

func TestAnswerInBudgetCarriesTheIncident(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	receipt := r.accept(r.machine, "a")
	if receipt.State != core.RequestDone || len(receipt.Incidents) != 1 || receipt.Incidents[0].Number != 1 {
		t.Errorf("receipt %+v, want one incident", receipt)
	}
	r.wantIncidents("problem a: investigating x1")
}

func TestLateAnswerIsAppliedOnce(t *testing.T) {
	r := newRig(t)
	release := make(chan struct{})
	r.says(func(ctx context.Context, request sdk.Request) (sdk.Result, error) {
		<-release
		return trigger(ctx, request)
	})
	receipt := r.accept(r.machine, "a")
	if receipt.State != core.RequestOpen {
		t.Fatalf("receipt is %s, want open", receipt.State)
	}
	r.pass(time.Minute)
	r.sweep() // the call is still under way: the sweep leaves it alone
	close(release)
	eventually(t, func() bool { return r.request(receipt.Request).State == core.RequestDone })
	r.wantIncidents("problem a: investigating x1")
	if n := r.calls["a"]; n != 1 {
		t.Errorf("the adapter was called %d times, want once", n)
	}
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for range 6000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("not within a minute")
}

func TestAdapterThatIsDownUsesUpNothing(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.ready = false
	receipt := r.accept(r.machine, "a")
	for range 20 {
		r.pass(time.Second)
		r.sweep()
	}
	r.wantState(receipt.Request, core.RequestOpen, "")
	r.ready = true
	r.sweep()
	r.wantState(receipt.Request, core.RequestDone, "")
	r.wantIncidents("problem a: investigating x1")
}

func TestUnreadableRequest(t *testing.T) {
	malformed := func(context.Context, sdk.Request) (sdk.Result, error) {
		return sdk.Result{}, fmt.Errorf("wrapped: %w", &sdk.Failure{Code: sdk.Malformed, Message: "no JSON"})
	}
	untitled := func(context.Context, sdk.Request) (sdk.Result, error) {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "title", Message: "a title is required"}
	}
	t.Run("of a vendor is kept and told of", func(t *testing.T) {
		r := newRig(t)
		r.says(malformed)
		r.wantState(r.accept(r.machine, "a").Request, core.RequestQuarantined, core.AdapterRejected)
		r.wantIncidents("An alert from datadog/test could not be read: investigating x1")
	})
	t.Run("of a person is refused", func(t *testing.T) {
		r := newRig(t)
		r.says(malformed)
		r.wantState(r.accept(r.human, "a").Request, core.RequestRejected, core.InvalidJSON)
		r.says(untitled)
		r.wantState(r.accept(r.human, "b").Request, core.RequestRejected, core.ValidationFailed)
		r.wantIncidents()
	})
	t.Run("of a person who isn't waiting any more is kept and told of", func(t *testing.T) {
		r := newRig(t)
		r.says(malformed)
		r.ready = false
		receipt := r.accept(r.human, "a")
		r.ready = true
		r.sweep()
		r.wantState(receipt.Request, core.RequestQuarantined, core.AdapterRejected)
		r.wantIncidents("An alert from custom/test could not be read: investigating x1")
	})
}

func TestAnswerOfNothingIsNoSuccess(t *testing.T) {
	r := newRig(t)
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) { return sdk.Result{}, nil })
	receipt := r.accept(r.machine, "a")
	r.wantState(receipt.Request, core.RequestOpen, core.AdapterUnavailable)
	for range 5 {
		r.pass(10 * time.Minute)
		r.sweep()
	}
	r.wantState(receipt.Request, core.RequestQuarantined, core.AdapterFailed)
	if n := r.calls["a"]; n != 5 {
		t.Errorf("the adapter was called %d times, want 5", n)
	}
}

func TestElementNobodyCouldReadIsToldOf(t *testing.T) {
	r := newRig(t)
	r.says(func(ctx context.Context, request sdk.Request) (sdk.Result, error) {
		result, err := trigger(ctx, request)
		result.Rejected = []sdk.Rejection{{Index: 1, Path: "alerts[1]", Reason: "not an alert"}}
		return result, err
	})
	receipt := r.accept(r.machine, "a")
	r.wantState(receipt.Request, core.RequestDone, "")
	r.wantIncidents("An alert from datadog/test could not be read: investigating x1", "problem a: investigating x1")
}

func TestPoisonIsFoundAndItsNeighboursLive(t *testing.T) {
	r := newRig(t)
	crash := errors.New("signal: killed")
	// In company, the poison takes everybody's call with it.
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) {
		return sdk.Result{}, &core.AdaptError{Fault: core.AdapterCrash, Plugin: "datadog", Err: crash}
	})
	receipts := map[string]core.ID{}
	for _, body := range []string{"a", "b", "poison", "c"} {
		receipts[body] = r.accept(r.machine, body).Request
	}
	r.says(func(ctx context.Context, request sdk.Request) (sdk.Result, error) {
		if string(request.Body) == "poison" {
			return sdk.Result{}, &core.AdaptError{Fault: core.AdapterCrash, Plugin: "datadog", Err: crash}
		}
		return trigger(ctx, request)
	})
	for range 3 {
		r.pass(time.Minute)
		r.sweep()
	}
	for _, body := range []string{"a", "b", "c"} {
		r.wantState(receipts[body], core.RequestDone, "")
	}
	r.wantState(receipts["poison"], core.RequestQuarantined, core.AdapterFailed)
	r.wantIncidents("An alert from datadog/test could not be read: its adapter failed: investigating x1",
		"problem a: investigating x1", "problem b: investigating x1", "problem c: investigating x1")
}

func TestRequestWithVeryManyEventsIsAppliedInParts(t *testing.T) {
	r := newRig(t)
	const many = 2500
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) {
		var result sdk.Result
		for i := range many {
			result.Events = append(result.Events, sdk.Event{Action: sdk.Trigger, DedupKey: fmt.Sprint(i), Title: "storm"})
		}
		return result, nil
	})
	receipt := r.accept(r.machine, "a")
	if receipt.State != core.RequestOpen {
		t.Errorf("receipt is %s, want open", receipt.State)
	}
	eventually(t, func() bool { return r.request(receipt.Request).State == core.RequestDone })
	request := r.request(receipt.Request)
	if request.Total != many || len(request.Incidents) != 100 {
		t.Errorf("the request lists %d of %d incidents, want 100 of %d", len(request.Incidents), request.Total, many)
	}
	numbers := map[int64]bool{}
	for page := (core.Page{Limit: 500}); ; {
		list, err := r.store.Incidents(t.Context(), core.IncidentFilter{Page: page})
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range list {
			numbers[in.Number] = true
			page.Before = in.ID
		}
		if len(list) < 500 {
			break
		}
	}
	if len(numbers) != many || slices.Max(slices.Collect(maps.Keys(numbers))) != many {
		t.Errorf("%d incidents, want %d numbered without gaps", len(numbers), many)
	}
}

func TestRequestPastTheLimitOfEventsIsToldOf(t *testing.T) {
	r := newRig(t)
	r.machine.Limits.Events = 10
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) {
		return sdk.Result{Events: make([]sdk.Event, 11)}, nil
	})
	r.wantState(r.accept(r.machine, "a").Request, core.RequestQuarantined, core.AdapterRejected)
}

func TestPersonPastTheLimitOfEventsIsRefused(t *testing.T) {
	r := newRig(t)
	r.human.Limits.Events = 1500
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) {
		return sdk.Result{Events: make([]sdk.Event, 1501)}, nil
	})
	r.wantState(r.accept(r.human, "a").Request, core.RequestRejected, core.ValidationFailed)
	r.wantIncidents()
}

func TestStoredRequestPastALoweredLimitIsToldOf(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.ready = false
	receipt, err := r.intake.Accept(t.Context(), r.machine, &core.Request{
		ReceivedAt: r.clock(), Method: "POST", Encoding: "gzip", Body: gzipped(t, "a long body"),
	}, []byte("a long body"))
	if err != nil {
		t.Fatal(err)
	}
	r.machine.Limits.Body = 4
	r.ready = true
	r.sweep()
	r.wantState(receipt.Request, core.RequestQuarantined, core.AdapterRejected)
	r.wantIncidents("An alert from datadog/test could not be read: investigating x1")
}

func gzipped(t *testing.T, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStopCutsCallsOffAndChargesNobody(t *testing.T) {
	r := newRig(t)
	r.says(func(ctx context.Context, _ sdk.Request) (sdk.Result, error) {
		<-ctx.Done()
		return sdk.Result{}, &core.AdaptError{Fault: core.AdapterTimeout, Plugin: "datadog", Err: ctx.Err()}
	})
	receipt := r.accept(r.machine, "a")
	stopped, stop := context.WithCancel(t.Context())
	stop()
	began := time.Now()
	if err := r.intake.Run(stopped); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 4*time.Second { // less than the call's own deadline
		t.Errorf("it took %v to stop", took)
	}
	r.wantState(receipt.Request, core.RequestOpen, "")
	if got := r.request(receipt.Request).Attempt; got != 0 {
		t.Errorf("the request counts %d tries, want none", got)
	}
}

func TestTestHidesNoAlertWithTheSameBytes(t *testing.T) {
	r := newRig(t)
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) {
		return sdk.Result{Events: []sdk.Event{{Action: sdk.Trigger, Title: "backup failed"}}}, nil
	})
	if _, err := r.intake.Accept(t.Context(), r.human, &core.Request{ReceivedAt: r.clock(), Method: "POST", Test: true, Body: []byte("a")}, []byte("a")); err != nil {
		t.Fatal(err)
	}
	r.accept(r.human, "a")
	r.accept(r.human, "a") // the sender's retry
	r.wantIncidents("backup failed: investigating x1", "backup failed: investigating x2")
}

func TestRepeatedDeliveryIsAnsweredAsTheFirst(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	send := func(id string) core.Receipt {
		receipt, err := r.intake.Accept(t.Context(), r.machine, &core.Request{
			ReceivedAt: r.clock(), Method: "POST", Body: []byte("a"),
			Delivery: core.DeliveryKey{ID: core.HashKey(id), Body: core.HashKey("a")},
		}, []byte("a"))
		if err != nil {
			t.Fatal(err)
		}
		return receipt
	}
	first := send("1")
	for range 1000 {
		again := send("1")
		if !again.Duplicate || again.Request != first.Request || len(again.Incidents) != 1 {
			t.Fatalf("repeat: %+v, want the receipt %v marked as a duplicate", again, first.Request)
		}
	}
	r.wantIncidents("problem a: investigating x1")
	if other := send("2"); other.Duplicate {
		t.Error("another delivery with the same body counts as a duplicate")
	}
	r.wantIncidents("problem a: investigating x2")
}

func TestVendorOfADeadAdapterIsHeardAfterAll(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.ready = false
	receipt := r.accept(r.machine, "a")
	r.pass(31 * time.Second)
	if err := r.intake.Tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	list := r.incidents()
	if len(list) != 1 || !strings.Contains(list[0], "its adapter is not available: investigating x1") {
		t.Fatalf("incidents %q, want a fallback incident", list)
	}
	if err := r.intake.Tell(t.Context()); err != nil { // once is enough
		t.Fatal(err)
	}
	r.ready = true
	r.pass(time.Minute)
	r.sweep()
	r.wantState(receipt.Request, core.RequestDone, "")
	r.wantIncidents("problem a: investigating x1") // corrected in place
}

func TestPluginThatHangsDelaysNoOther(t *testing.T) {
	r := newRig(t)
	r.ready = false
	for i := range 300 { // more than one sweep takes
		r.accept(r.machine, fmt.Sprint("hangs ", i))
	}
	behind := r.accept(r.human, "b").Request
	release := make(chan struct{})
	r.says(func(ctx context.Context, request sdk.Request) (sdk.Result, error) {
		if strings.HasPrefix(string(request.Body), "hangs") {
			<-release
		}
		return trigger(ctx, request)
	})
	r.pass(time.Minute)
	r.mu.Lock()
	r.ready = true
	r.mu.Unlock()
	var first sync.WaitGroup
	first.Go(r.sweep)
	defer first.Wait()
	defer close(release)
	eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.calls["hangs 0"] > 0
	})
	r.sweep()
	r.wantState(behind, core.RequestDone, "")
}

func TestPausedIntegrationKeepsRequests(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.machine.Paused = true
	receipt, err := r.intake.Accept(t.Context(), r.machine, &core.Request{ReceivedAt: r.clock(), Method: "POST", State: core.RequestHeld, Body: []byte("a")}, []byte("a"))
	if err != nil || receipt.State != core.RequestHeld {
		t.Fatalf("receipt %+v, %v; want held", receipt, err)
	}
	r.pass(time.Hour)
	r.sweep()
	r.wantState(receipt.Request, core.RequestHeld, "")
	r.wantIncidents()
}

func TestResumedIntegrationIsHeard(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.sweep() // finds nothing that is held
	hold := func(body string) core.ID {
		t.Helper()
		receipt, err := r.intake.Accept(t.Context(), r.machine, &core.Request{ReceivedAt: r.clock(), Method: "POST", State: core.RequestHeld, Body: []byte(body)}, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return receipt.Request
	}
	first, second := hold("a"), hold("b")
	r.pass(time.Hour)
	r.ready = false
	r.sweep() // resumed, while its adapter isn't there
	r.wantState(first, core.RequestOpen, "")
	if err := r.intake.Tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantIncidents() // nobody has waited for the adapter yet
	r.ready = true
	r.sweep()
	r.wantState(first, core.RequestDone, "")
	r.wantState(second, core.RequestDone, "")
	r.wantIncidents("problem a: investigating x1", "problem b: investigating x1")
	late := hold("c") // its sender came while the integration was still paused
	r.sweep()
	r.wantState(late, core.RequestDone, "")
}
