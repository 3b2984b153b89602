package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// answers is a destination that answers as its function says and remembers
// what it was sent.
type answers struct {
	answer func(core.Message) core.Answer

	mu   sync.Mutex
	sent []core.Message
}

func (a *answers) Send(_ context.Context, m core.Message) core.Answer {
	a.mu.Lock()
	a.sent = append(a.sent, m)
	a.mu.Unlock()
	return a.answer(m)
}

func (a *answers) messages() []core.Message {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.sent)
}

func always(status int) *answers {
	return &answers{answer: func(core.Message) core.Answer { return core.Answer{Status: status} }}
}

func destination(name string, s core.Sender) *core.Destination {
	return &core.Destination{Tenant: 1, Type: "webhook", Name: name, Sender: s, Retry: core.DefaultRetry(), Fold: true}
}

// bubble runs a test on a clock of its own, in a year in which ids exist.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)))
		test(t)
	})
}

// running starts a dispatcher and returns it with a function that stops it.
func running(t *testing.T, m *memory, cfg Config) (*Dispatcher, func()) {
	t.Helper()
	cfg.Store, cfg.NewID = m, m.newID
	if cfg.Rand == nil {
		cfg.Rand = func() float64 { return 0 }
	}
	cfg.Logger = slog.New(slog.DiscardHandler)
	d := New(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return d, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run ended with %v, want nil", err)
		}
	}
}

// since returns when messages were sent, counted from start.
func since(start time.Time, messages []core.Message) []time.Duration {
	var at []time.Duration
	for _, m := range messages {
		at = append(at, m.Now.Sub(start).Truncate(time.Second))
	}
	return at
}

func TestADestinationThatStaysAwayIsTriedBySchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m, dead := time.Now(), newMemory(), always(503)
		var notices []Notice
		m.owe(1, core.Created, start, "webhook/a")
		d, stop := running(t, m, Config{
			Destinations: []*core.Destination{destination("a", dead)},
			Notice:       func(n Notice) { notices = append(notices, n) },
		})
		time.Sleep(156*time.Minute + 30*time.Second)
		want := []time.Duration{0, time.Minute, 6 * time.Minute, 36 * time.Minute, 156 * time.Minute}
		if got := since(start, dead.messages()); !slices.Equal(got, want) {
			t.Errorf("attempts at %v, want %v", got, want)
		}
		if s := d.States()[0]; s.Disabled != core.DisabledExhausted {
			t.Errorf("destination is disabled %q, want %q", s.Disabled, core.DisabledExhausted)
		}
		if got := m.count(); got[core.DeliveryParked] != 1 {
			t.Errorf("rows %v, want one parked", got)
		}
		if len(notices) != 1 || notices[0].Disabled != core.DisabledExhausted {
			t.Errorf("notices %+v, want one of the disabling", notices)
		}
		ids := map[string]bool{}
		for _, sent := range dead.messages() {
			ids[sent.ID] = true
		}
		if len(ids) != 1 {
			t.Errorf("%d webhook-ids for one version, want 1", len(ids))
		}
		stop()
	})
}

func TestADisabledDestinationIsProbedAndDrained(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		var up atomic.Bool
		sink := &answers{answer: func(core.Message) core.Answer {
			if up.Load() {
				return core.Answer{Status: 200}
			}
			return core.Answer{Err: errors.New("connection refused")}
		}}
		for i := range core.ID(100) {
			m.owe(1000+i, core.Created, start, "webhook/a")
		}
		_, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", sink)}})
		time.Sleep(156*time.Minute + 30*time.Second)
		before := len(sink.messages())
		time.Sleep(30 * time.Minute)
		probes := sink.messages()[before:]
		// 1 min after the disabling, then 2, 4, 8 and 15 min apart.
		want := []time.Duration{157 * time.Minute, 159 * time.Minute, 163 * time.Minute, 171 * time.Minute, 186 * time.Minute}
		if got := since(start, probes); !slices.Equal(got, want) {
			t.Errorf("probes at %v, want %v", got, want)
		}
		lanes := map[core.ID]bool{}
		for _, p := range probes {
			lanes[p.Incident.ID] = true
		}
		if len(lanes) != len(probes) {
			t.Errorf("%d probes took %d lanes, want each another", len(probes), len(lanes))
		}
		up.Store(true)
		time.Sleep(14*time.Minute + 31*time.Second)
		rest := sink.messages()[before+len(probes):]
		if got := m.count(); got[core.DeliveryDelivered] < 45 || got[core.DeliveryDelivered] > 60 {
			t.Errorf("%v one second after the first success, want about 50 delivered", got)
		}
		time.Sleep(2 * time.Second)
		if got := m.count(); got[core.DeliveryDelivered] != 100 {
			t.Errorf("%v in the end, want all delivered", got)
		}
		if rest[0].Now.Sub(start).Truncate(time.Minute) != 201*time.Minute {
			t.Errorf("first delivery after %v, want 201 min", rest[0].Now.Sub(start))
		}
		stop()
	})
}

func TestANewOpeningIsAProbe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, dead := newMemory(), always(500)
		m.states["webhook/a"] = core.DestinationState{
			Tenant: 1, Destination: "webhook/a", Disabled: core.DisabledExhausted, Since: time.Now(),
			LastFailure: time.Now(), ProbeAt: time.Now().Add(15 * time.Minute), Probes: 4,
		}
		m.owe(1, core.Created, time.Now(), "webhook/a")
		d, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", dead)}})
		time.Sleep(50 * time.Second)
		if n := len(dead.messages()); n != 0 {
			t.Errorf("%d attempts within a minute of the last, want 0", n)
		}
		time.Sleep(time.Minute)
		before := len(dead.messages())
		m.owe(2, core.Created, time.Now(), "webhook/a")
		d.Wake([]string{"webhook/a"})
		time.Sleep(time.Second)
		got := dead.messages()[before:]
		if len(got) > 1 || before+len(got) == 0 {
			t.Errorf("%d attempts at a new opening, %d before; want one probe", len(got), before)
		}
		stop()
	})
}

func TestARestartGoesOnBySchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m, dead := time.Now(), newMemory(), always(500)
		m.owe(1, core.Created, start, "webhook/a")
		cfg := Config{Destinations: []*core.Destination{destination("a", dead)}}
		for range 5 {
			_, stop := running(t, m, cfg)
			time.Sleep(20 * time.Minute)
			stop()
			time.Sleep(15 * time.Minute)
		}
		want := []time.Duration{0, time.Minute, 6 * time.Minute, 36 * time.Minute, 156 * time.Minute}
		got := since(start, dead.messages())
		if len(got) < 5 || !slices.Equal(got[:5], want) {
			t.Errorf("attempts at %v, want first %v", got, want)
		}
	})
}

func TestAPoisonedDeliveryUsesItsOwnSchedule(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		sink := &answers{answer: func(m core.Message) core.Answer {
			if m.Incident.ID == 1 {
				return core.Answer{Status: 500}
			}
			return core.Answer{Status: 200}
		}}
		var notices []Notice
		d, stop := running(t, m, Config{
			Destinations: []*core.Destination{destination("a", sink)},
			Notice:       func(n Notice) { notices = append(notices, n) },
		})
		m.owe(1, core.Created, start, "webhook/a")
		for i := range core.ID(200) {
			m.owe(1000+i, core.Created, time.Now(), "webhook/a")
			d.Wake([]string{"webhook/a"})
			time.Sleep(time.Minute)
		}
		tries := slices.DeleteFunc(sink.messages(), func(m core.Message) bool { return m.Incident.ID != 1 })
		if len(tries) != 5 {
			t.Errorf("%d attempts at the poisoned delivery, want 5", len(tries))
		}
		if last := tries[len(tries)-1].Now.Sub(start); last < 150*time.Minute {
			t.Errorf("its last attempt came after %v, want more than 150 min", last)
		}
		if got := m.count(); got[core.DeliveryDead] != 1 || got[core.DeliveryDelivered] != 200 {
			t.Errorf("rows %v, want 1 dead and 200 delivered", got)
		}
		if len(notices) != 1 || notices[0].Dead != 1 {
			t.Errorf("notices %+v, want one of one dead delivery", notices)
		}
		stop()
	})
}

func TestRetryAfterPausesTheDestination(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		sink := &answers{}
		sink.answer = func(core.Message) core.Answer {
			if time.Since(start) < 2*time.Minute {
				return core.Answer{Status: 429, RetryAfter: "120"}
			}
			return core.Answer{Status: 204}
		}
		other := always(200)
		d, stop := running(t, m, Config{
			PerDestination: 1,
			Destinations:   []*core.Destination{destination("a", sink), destination("b", other)},
		})
		for i := range core.ID(10) {
			m.owe(10+i, core.Created, time.Now(), "webhook/a", "webhook/b")
			d.Wake([]string{"webhook/a", "webhook/b"})
			time.Sleep(time.Second)
		}
		time.Sleep(3 * time.Minute)
		if got := since(start, sink.messages()); len(got) != 11 || got[0] != 0 || got[1] < 2*time.Minute {
			t.Errorf("attempts at %v, want one, then ten after two minutes", got)
		}
		if got := since(start, other.messages()); len(got) != 10 || got[9] != 9*time.Second {
			t.Errorf("the other destination's attempts at %v, want ten at once", got)
		}
		stop()
	})
}

func TestAStoreThatIsAwayCostsNoDelivery(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		sink := &answers{}
		sink.answer = func(core.Message) core.Answer { m.setBroken(true); return core.Answer{Status: 200} }
		m.owe(1, core.Created, time.Now(), "webhook/a")
		m.owe(2, core.Created, time.Now(), "webhook/a")
		_, stop := running(t, m, Config{PerDestination: 1, Destinations: []*core.Destination{destination("a", sink)}})
		for range 10 {
			time.Sleep(time.Minute)
			m.setBroken(false)
		}
		sent := map[string]int{}
		for _, s := range sink.messages() {
			sent[s.ID]++
		}
		if got := slices.Collect(maps.Values(sent)); !slices.Equal(got, []int{1, 1}) {
			t.Errorf("sent %v, want two deliveries once each", sent)
		}
		if n := m.unfinished(); n != 0 {
			t.Errorf("%d deliveries still owed, want 0", n)
		}
		stop()
	})
}

func TestAShutdownLetsAttemptsEnd(t *testing.T) {
	tests := map[string]struct {
		takes time.Duration
		want  core.DeliveryState
		tries int
	}{
		"in time": {takes: 10 * time.Second, want: core.DeliveryDelivered, tries: 1},
		"cut off": {takes: 20 * time.Second, want: core.DeliveryDue, tries: 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMemory()
				m.owe(1, core.Created, time.Now(), "webhook/a")
				slow := senderFunc(func(ctx context.Context, _ core.Message) core.Answer {
					select {
					case <-time.After(tt.takes):
						return core.Answer{Status: 200}
					case <-ctx.Done():
						return core.Answer{Err: ctx.Err()}
					}
				})
				_, stop := running(t, m, Config{Grace: 12 * time.Second, Destinations: []*core.Destination{destination("a", slow)}})
				time.Sleep(time.Second)
				stop()
				if got := m.count(); got[tt.want] != 1 || len(m.attempts) != tt.tries {
					t.Errorf("rows %v and %d attempts, want one %s and %d", got, len(m.attempts), tt.want, tt.tries)
				}
			})
		})
	}
}

type senderFunc func(context.Context, core.Message) core.Answer

func (f senderFunc) Send(ctx context.Context, m core.Message) core.Answer { return f(ctx, m) }

func TestAPersonDisablesAndEnables(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, sink := newMemory(), always(200)
		d, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", sink)}})
		if err := d.Disable(t.Context(), "webhook/a"); err != nil {
			t.Fatal(err)
		}
		for i := range core.ID(20) {
			m.owe(10+i, core.Created, time.Now(), "webhook/a")
			d.Wake([]string{"webhook/a"})
		}
		time.Sleep(24 * time.Hour)
		if n := len(sink.messages()); n != 0 {
			t.Errorf("%d messages to a disabled destination, want 0", n)
		}
		if err := d.Enable(t.Context(), "webhook/a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := len(sink.messages()); n != 20 {
			t.Errorf("%d messages after enabling, want 20", n)
		}
		if err := d.Enable(t.Context(), "webhook/nobody"); !errors.Is(err, ErrUnknown) {
			t.Errorf("enabling an unknown destination: %v, want %v", err, ErrUnknown)
		}
		stop()
	})
}

func TestAReloadSwapsTheSet(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, a, b := newMemory(), always(200), always(200)
		d, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", a)}})
		m.owe(1, core.Created, time.Now(), "webhook/a", "webhook/b")
		d.Wake([]string{"webhook/a", "webhook/b"})
		time.Sleep(time.Second)
		d.Reload([]*core.Destination{destination("b", b)})
		m.owe(2, core.Created, time.Now(), "webhook/a", "webhook/b")
		d.Wake([]string{"webhook/a", "webhook/b"})
		time.Sleep(time.Second)
		if len(a.messages()) != 1 || len(b.messages()) != 2 {
			t.Errorf("%d and %d messages, want 1 and 2", len(a.messages()), len(b.messages()))
		}
		d.Reload([]*core.Destination{destination("a", a), destination("b", b)})
		time.Sleep(time.Second)
		if len(a.messages()) != 2 {
			t.Errorf("%d messages after the destination came back, want 2", len(a.messages()))
		}
		stop()
	})
}

func TestSocketsKeepTwoForEach(t *testing.T) {
	s := newSockets(10)
	s.reserve(3)
	var got []string
	for i := range 8 {
		got = append(got, fmt.Sprint(s.take(i)))
	}
	want := []string{"true", "true", "true", "true", "true", "true", "false", "false"}
	if !slices.Equal(got, want) {
		t.Errorf("a greedy destination got %v, want %v", got, want)
	}
	if !s.take(1) {
		t.Error("another destination's second socket was refused")
	}
}

func TestASenderIsToldWhatItAskedToRemember(t *testing.T) {
	bubble(t, func(t *testing.T) {
		start, m := time.Now(), newMemory()
		sink := &answers{answer: func(m core.Message) core.Answer {
			if m.Attempt == 1 && m.Kind == core.Created {
				return core.Answer{Status: 500, Remember: "half posted"}
			}
			return core.Answer{Status: 200}
		}}
		m.owe(1, core.Created, start, "webhook/a", "webhook/b")
		a, b := destination("a", sink), destination("b", always(200))
		a.Memory = true
		_, stop := running(t, m, Config{Destinations: []*core.Destination{a, b}})
		time.Sleep(2 * time.Minute)
		m.owe(1, core.ResolvedKind, time.Now(), "webhook/a", "webhook/b")
		time.Sleep(time.Minute)
		stop()
		var got []string
		for _, m := range sink.messages() {
			got = append(got, m.Memory)
		}
		if want := []string{"", "half posted", "half posted"}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
		for _, m := range b.Sender.(*answers).messages() {
			if m.Memory != "" {
				t.Errorf("another destination was told %q", m.Memory)
			}
		}
	})
}
