// Package drift notices when a vendor's requests change their shape: it looks
// at some requests of each integration, and counts which of the paths that its
// adapter reads are there.
//
// It sees a request after its sender was answered, and what it has no time for
// it leaves out. When a shape has changed is core.Shape's business, whom to
// tell somebody else's.
package drift

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Store remembers shapes.
type Store interface {
	Shapes(ctx context.Context) ([]core.Shape, error)
	SetShape(ctx context.Context, s core.Shape) error
}

// Config holds what a Tracker needs. Store is required.
type Config struct {
	Store  Store
	Every  time.Duration    // between two looks at an integration's requests; a second if zero
	Save   time.Duration    // between two times that shapes are stored; a minute if zero
	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default if nil
}

const (
	// queue is how many requests wait to be looked at, and maxBody how large
	// they may be, in bytes.
	queue   = 16
	maxBody = 256 << 10
	// saveTimeout bounds storing the shapes when the tracker ends.
	saveTimeout = 5 * time.Second
)

// Tracker looks at requests.
type Tracker struct {
	cfg     Config
	samples chan sample

	mu     sync.Mutex
	next   map[string]time.Time   // when the next request of an integration is looked at
	shapes map[string]*core.Shape // by integration
	dirty  map[string]bool        // shapes that have changed since they were stored
	loaded bool
}

// sample is a request that is looked at.
type sample struct {
	integration *core.Integration
	body        []byte
	read        []string // paths that the adapter itself has reported
}

// New returns a Tracker. It looks at nothing before Run.
func New(cfg Config) *Tracker {
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	if cfg.Save == 0 {
		cfg.Save = time.Minute
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	return &Tracker{
		cfg: cfg, samples: make(chan sample, queue),
		next: map[string]time.Time{}, shapes: map[string]*core.Shape{}, dirty: map[string]bool{},
	}
}

// Observe hands over a request that its adapter has read. It doesn't block, and
// costs next to nothing for most requests. The body must not change any more.
func (t *Tracker) Observe(in *core.Integration, body []byte, result sdk.Result) {
	if len(in.Info.Reads)+len(result.PathsRead) == 0 || len(body) > maxBody || !t.due(in.ID()) {
		return
	}
	select {
	case t.samples <- sample{integration: in, body: body, read: result.PathsRead}:
	default: // there will be others
	}
}

func (t *Tracker) due(integration string) bool {
	now := t.cfg.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.loaded || now.Before(t.next[integration]) {
		return false
	}
	t.next[integration] = now.Add(t.cfg.Every)
	return true
}

// Run looks at requests until ctx ends, and stores what it has learnt.
func (t *Tracker) Run(ctx context.Context) error {
	t.load(ctx)
	save := time.NewTicker(t.cfg.Save)
	defer save.Stop()
	for {
		select {
		case s := <-t.samples:
			t.look(s)
		case <-save.C:
			t.save(ctx)
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
			defer cancel()
			t.save(ctx)
			return nil
		}
	}
}

// load reads what an earlier process has learnt. Without it the shapes are
// learnt anew, which only takes time.
func (t *Tracker) load(ctx context.Context) {
	list, err := t.cfg.Store.Shapes(ctx)
	if err != nil {
		t.cfg.Logger.Warn("what requests looked like isn't known", "err", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range list {
		t.shapes[s.Integration] = &s
	}
	t.loaded = true
}

func (t *Tracker) look(s sample) {
	present := slices.Concat(presentIn(s.body, s.integration.Info.Reads), s.read)
	slices.Sort(present)
	id := s.integration.ID()
	t.mu.Lock()
	defer t.mu.Unlock()
	shape := t.shapes[id]
	if shape == nil {
		shape = &core.Shape{Tenant: s.integration.Tenant, Integration: id}
		t.shapes[id] = shape
	}
	shape.Observe(watched(s.integration), slices.Compact(present), t.cfg.Now())
	t.dirty[id] = true
}

// watched names what is looked for in an integration's requests. Another
// adapter, or another version of it, may look for other things.
func watched(in *core.Integration) string {
	return in.Info.Version + " " + sdk.Fingerprint(in.Info.Reads...)
}

func (t *Tracker) save(ctx context.Context) {
	for _, s := range t.changed() {
		if err := t.cfg.Store.SetShape(ctx, s); err != nil {
			t.cfg.Logger.Warn("store what requests look like", "integration", s.Integration, "err", err)
			return
		}
		t.mu.Lock()
		delete(t.dirty, s.Integration)
		t.mu.Unlock()
	}
}

func (t *Tracker) changed() []core.Shape {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []core.Shape
	for id := range t.dirty {
		list = append(list, copyOf(t.shapes[id]))
	}
	return list
}

func copyOf(s *core.Shape) core.Shape {
	c := *s
	c.Paths = maps.Clone(s.Paths)
	return c
}

// Shape returns what an integration's requests look like, false if nobody has
// looked.
func (t *Tracker) Shape(integration string) (core.Shape, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.shapes[integration]; s != nil {
		return copyOf(s), true
	}
	return core.Shape{}, false
}

// Troubles tells of those of the integrations whose requests look other than
// usual.
func (t *Tracker) Troubles(integrations map[string]*core.Integration) []sdk.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	var events []sdk.Event
	for _, id := range slices.Sorted(maps.Keys(t.shapes)) {
		if s := t.shapes[id]; !s.ChangedAt.IsZero() && integrations[id] != nil {
			events = append(events, trouble(s))
		}
	}
	return events
}

func trouble(s *core.Shape) sdk.Event {
	vanished, appeared := s.Changes()
	var text strings.Builder
	fmt.Fprintf(&text, "Since %s. Its adapter may read less than it should: look at a newer version of it, and at the vendor's notes.\n",
		s.ChangedAt.UTC().Format(time.RFC3339))
	for _, part := range []struct {
		what  string
		paths []string
	}{{"No longer there", vanished}, {"New", appeared}} {
		if len(part.paths) > 0 {
			fmt.Fprintf(&text, "%s: %s\n", part.what, strings.Join(part.paths, ", "))
		}
	}
	return sdk.Event{
		Action: sdk.Trigger, Severity: sdk.Low, DedupKey: "shape:" + s.Integration, IdentityRule: "shape",
		Title:       "Requests of " + s.Integration + " look other than usual",
		Description: text.String(),
	}
}
