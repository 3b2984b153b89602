package drift

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a store that forgets with the test.
type memory struct {
	mu     sync.Mutex
	shapes map[string]core.Shape
}

func (m *memory) Shapes(context.Context) ([]core.Shape, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []core.Shape
	for _, s := range m.shapes {
		list = append(list, copyOf(&s))
	}
	return list, nil
}

func (m *memory) SetShape(_ context.Context, s core.Shape) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shapes[s.Integration] = s
	return nil
}

// clock is set by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func acme() *core.Integration {
	return &core.Integration{
		Tenant: 1, Type: "acme", Name: "a",
		Info: sdk.Info{Version: "1.0.0", Reads: []string{"alert", "alert.id", "parts", "parts[].name"}},
	}
}

// run runs a tracker until stop is called.
func run(t *testing.T, store Store, c *clock) (tracker *Tracker, stop func()) {
	t.Helper()
	tracker = New(Config{Store: store, Now: c.now, Save: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- tracker.Run(ctx) }()
	eventually(t, "it has loaded", func() bool {
		tracker.mu.Lock()
		defer tracker.mu.Unlock()
		return tracker.loaded
	})
	return tracker, func() { cancel(); <-ended }
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 seconds: %s", what)
		}
	}
}

// observed has a request looked at.
func observed(t *testing.T, tracker *Tracker, in *core.Integration, body string) {
	t.Helper()
	tracker.Observe(in, []byte(body), sdk.Result{})
	eventually(t, "the request is taken", func() bool { return len(tracker.samples) == 0 })
}

func TestAChangeIsToldAndSurvivesARestart(t *testing.T) {
	store, c, in := &memory{shapes: map[string]core.Shape{}}, &clock{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}, acme()
	configured := map[string]*core.Integration{in.ID(): in}
	tracker, stop := run(t, store, c)
	for range core.ShapeSettled + 1 {
		observed(t, tracker, in, `{"alert":{"id":1},"parts":[{"name":"x"}]}`)
		c.advance(20 * time.Minute)
	}
	stop()
	if s := store.shapes[in.ID()]; s.SettledAt.IsZero() || s.Seen < core.ShapeSettled {
		t.Fatalf("stored: %+v, want a settled shape", s)
	}
	tracker, stop = run(t, store, c)
	defer stop()
	eventually(t, "the change is told", func() bool {
		tracker.Observe(in, []byte(`{"alert":{"id":1},"items":[{"name":"x"}]}`), sdk.Result{})
		c.advance(time.Second)
		return len(tracker.Troubles(configured)) == 1
	})
	told := tracker.Troubles(configured)[0]
	if told.Severity != sdk.Low || told.DedupKey != "shape:acme/a" || !strings.Contains(told.Description, "No longer there: parts\n") {
		t.Errorf("told %+v", told)
	}
	if gone := tracker.Troubles(nil); len(gone) > 0 {
		t.Errorf("of an integration that is no longer configured: %+v", gone)
	}
	eventually(t, "it ends when the shape is back", func() bool {
		tracker.Observe(in, []byte(`{"alert":{"id":1},"parts":[{"name":"x"}]}`), sdk.Result{})
		c.advance(time.Second)
		return len(tracker.Troubles(configured)) == 0
	})
}

func TestOneRequestInASecondIsLookedAt(t *testing.T) {
	c, in := &clock{at: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}, acme()
	tracker := New(Config{Store: &memory{}, Now: c.now})
	tracker.load(t.Context())
	observe := func(n int) {
		for range n {
			tracker.Observe(in, []byte(`{}`), sdk.Result{})
		}
	}
	observe(1000)
	if got := len(tracker.samples); got != 1 {
		t.Errorf("%d requests wait, want 1", got)
	}
	for range 100 {
		c.advance(time.Second)
		observe(1)
	}
	if got := len(tracker.samples); got != queue {
		t.Errorf("%d requests wait, want %d: the others are left out", got, queue)
	}
	without := acme()
	without.Info.Reads, without.Name = nil, "b"
	tracker = New(Config{Store: &memory{}, Now: c.now})
	tracker.load(t.Context())
	tracker.Observe(without, []byte(`{}`), sdk.Result{})
	tracker.Observe(in, make([]byte, maxBody+1), sdk.Result{})
	if got := len(tracker.samples); got != 0 {
		t.Errorf("%d requests wait of an adapter that says nothing, or too large", got)
	}
}

func TestWhatABodyHas(t *testing.T) {
	paths := []string{"a", "a.b", "list", "list[].x", "list[].x.y"}
	tests := map[string]struct {
		body string
		want []string
	}{
		"all":                 {`{"a":{"b":1},"list":[{"x":{"y":2}}]}`, paths},
		"one element has it":  {`{"list":[{},{"x":1}]}`, []string{"list", "list[].x"}},
		"null is nothing":     {`{"a":null,"list":[null]}`, []string{"list"}},
		"capital letters":     {`{"A":{"B":1}}`, []string{"a", "a.b"}},
		"a batch":             {`[{"a":1},{"list":[]}]`, []string{"a"}},
		"other kinds":         {`{"a":[1],"list":{"x":1}}`, []string{"a", "list"}},
		"no JSON":             {`a=b`, nil},
		"nothing":             {``, nil},
		"an empty list":       {`[]`, nil},
		"a text":              {`"a"`, nil},
		"a list in the place": {`{"a":{"b":[]}}`, []string{"a", "a.b"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := presentIn([]byte(tt.body), paths); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
