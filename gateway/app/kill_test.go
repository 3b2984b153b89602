package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/destination/webhook"
	"bellcrank.example/core/dispatch"
	"bellcrank.example/core/store"
	"bellcrank.example/sdk"
)

// The environment that makes the test binary a process which delivers until it
// is killed at a step.
const (
	victimDir  = "BELLCRANK_TEST_VICTIM_DIR"
	victimURL  = "BELLCRANK_TEST_VICTIM_URL"
	victimStep = "BELLCRANK_TEST_VICTIM_STEP"
)

// The steps between the claim of a delivery and its record. "arrived" and
// "answered" are the receiver's.
const (
	stepClaimed   = "claimed"   // before it is sent
	stepArrived   = "arrived"   // the receiver has it, and hasn't answered
	stepAnswered  = "answered"  // the receiver has answered
	stepSent      = "sent"      // the answer was read
	stepRecording = "recording" // while the outcome is being stored
	stepRecorded  = "recorded"  // after that
)

func steps() []string {
	return []string{stepClaimed, stepArrived, stepAnswered, stepSent, stepRecording, stepRecorded}
}

// die ends the process as a power cut does, at a step.
func die(step string) {
	if os.Getenv(victimStep) == step {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it takes effect
	}
}

// mortal is a sender and a store that may be the process's end.
type mortal struct {
	*store.Store
	sender core.Sender
}

func (m mortal) Send(ctx context.Context, message core.Message) core.Answer {
	die(stepClaimed)
	answer := m.sender.Send(ctx, message)
	die(stepSent)
	return answer
}

func (m mortal) Record(ctx context.Context, o core.Outcome) error {
	if os.Getenv(victimStep) == stepRecording {
		go func() {
			time.Sleep(time.Duration(time.Now().UnixNano() % int64(8*time.Millisecond)))
			die(stepRecording)
		}()
	}
	return m.Store.Record(ctx, o)
}

// victim delivers what is owed, and says something of an incident each time
// that a line comes in.
func victim(dir string) int {
	object, err := json.Marshal(webhook.Settings{URL: os.Getenv(victimURL)})
	if err != nil {
		return complain(err)
	}
	sender, err := webhook.New(webhook.Config{Settings: object, AllowedCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		return complain(err)
	}
	dest := &core.Destination{Tenant: core.DefaultTenant, Type: "webhook", Name: "hook", Retry: core.DefaultRetry(), Fold: true}
	var d *dispatch.Dispatcher
	s, err := store.Open(context.Background(), store.Config{
		URL: "sqlite:" + dir, LockWait: 10 * time.Second, Logger: slog.New(slog.DiscardHandler),
		Routes: func() core.Routes { return toAll{destinations: []string{dest.ID()}} },
		Owed:   func(destinations []string) { d.Wake(destinations) },
	})
	if err != nil {
		return complain(err)
	}
	m := mortal{Store: s, sender: sender}
	dest.Sender = m
	d = dispatch.New(dispatch.Config{
		Store: m, NewID: s.NewID, Destinations: []*core.Destination{dest}, Logger: slog.New(slog.DiscardHandler),
		Observe: func(core.Attempt) { die(stepRecorded) },
	})
	go func() { _ = s.Run(context.Background()) }()
	go func() { _ = d.Run(context.Background()) }()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		action, key, _ := bytes.Cut(lines.Bytes(), []byte(" "))
		if err := commit(context.Background(), s, sdk.Action(action), string(key)); err != nil {
			return complain(err)
		}
		fmt.Println("stored")
	}
	for { // until nothing is owed
		n, err := s.CountDeliveries(context.Background(), core.DeliveryFilter{State: core.DeliveryDue})
		if err != nil {
			return complain(err)
		}
		if n == 0 {
			return 0
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// arrivals is a receiver that remembers under which ids versions came, and
// kills who sends at a step.
type arrivals struct {
	*httptest.Server
	mu     sync.Mutex
	ids    map[string]map[string]bool // by incident and version
	newest map[string]int             // version of each incident
	back   []string                   // what came after something newer
	kill   func()                     // nil: nobody is killed
	after  bool                       // it is done after the answer, not before
}

func newArrivals(t *testing.T) *arrivals {
	a := &arrivals{ids: map[string]map[string]bool{}, newest: map[string]int{}}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

// ServeHTTP implements http.Handler.
func (a *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Data struct {
			Incident struct {
				UID     string `json:"uid"`
				Version int    `json:"version"`
			} `json:"incident"`
		} `json:"data"`
	}
	if json.NewDecoder(r.Body).Decode(&body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	in := body.Data.Incident
	a.mu.Lock()
	kill, after := a.kill, a.after
	key := in.UID + " version " + strconv.Itoa(in.Version)
	if a.ids[key] == nil {
		a.ids[key] = map[string]bool{}
	}
	a.ids[key][r.Header.Get("webhook-id")] = true
	if in.Version < a.newest[in.UID] {
		a.back = append(a.back, key)
	}
	a.newest[in.UID] = max(a.newest[in.UID], in.Version)
	a.mu.Unlock()
	if kill != nil && !after {
		kill()
	}
	w.WriteHeader(http.StatusNoContent)
	if kill != nil && after {
		_ = http.NewResponseController(w).Flush() // a sender that is dead already doesn't matter
		kill()
	}
}

// onArrival sets what is done when something arrives.
func (a *arrivals) onArrival(kill func(), after bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kill, a.after = kill, after
}

// sendUntilKilled starts a process that stores an event, and waits for its end.
// It reports whether the event was stored for certain.
func sendUntilKilled(t *testing.T, dir string, to *arrivals, step, event string) (stored bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), victimDir+"="+dir, victimURL+"="+to.URL, victimStep+"="+step)
	cmd.Stdin = bytes.NewBufferString(event)
	var said, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := func() { _ = cmd.Process.Kill() } // it may have gone
	switch step {
	case stepArrived, stepAnswered:
		to.onArrival(kill, step == stepAnswered)
	default:
		to.onArrival(nil, false)
	}
	err := cmd.Wait()
	if step == "" && err != nil || complaints.Len() > 0 {
		t.Fatalf("%v: %s", err, complaints.Bytes())
	}
	return bytes.Contains(said.Bytes(), []byte("stored"))
}

// BELLCRANK_TEST_KILLS says how often each step is the last one; once if unset.
func kills(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("BELLCRANK_TEST_KILLS"))
	if err != nil {
		return 1
	}
	t.Logf("each step %d times", n)
	return n
}

func TestAKillAtAnyStepOfADeliveryLosesNothing(t *testing.T) {
	for _, step := range steps() {
		t.Run(step, func(t *testing.T) {
			dir, to := t.TempDir(), newArrivals(t)
			stored := 0
			for i := range kills(t) {
				opened := sendUntilKilled(t, dir, to, step, fmt.Sprintf("%s k%d\n", sdk.Trigger, i))
				ended := sendUntilKilled(t, dir, to, step, fmt.Sprintf("%s k%d\n", sdk.Resolve, i))
				if opened {
					stored++
				}
				if opened && ended { // an end without a beginning changes nothing
					stored++
				}
			}
			sendUntilKilled(t, dir, to, "", "") // everything that is owed arrives
			wantArrived(t, newOutbound(t, dir, dispatch.Config{}), to, stored)
		})
	}
}

// wantArrived holds what has arrived to what is stored.
func wantArrived(t *testing.T, o *outbound, to *arrivals, stored int) {
	t.Helper()
	list, err := o.store.Incidents(t.Context(), core.IncidentFilter{Page: core.Page{Limit: 500}})
	if err != nil {
		t.Fatal(err)
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	versions := 0
	for _, in := range list {
		versions += in.Version
		if got := to.newest[in.ID.String()]; got != in.Version {
			t.Errorf("version %d of %s arrived last, want %d", got, in.Name(), in.Version)
		}
	}
	if versions < stored {
		t.Errorf("%d changes are stored, want the %d that somebody was told are", versions, stored)
	}
	if done := o.count("", core.DeliveryDelivered) + o.count("", core.DeliveryFolded); done != versions {
		t.Errorf("%d deliveries ended well, want %d", done, versions)
	}
	for version, ids := range to.ids {
		if len(ids) != 1 {
			t.Errorf("incident %s came under %d ids, want 1", version, len(ids))
		}
	}
	if len(to.back) > 0 {
		t.Errorf("%q came after something newer", to.back)
	}
}
