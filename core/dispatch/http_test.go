package dispatch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/core"
)

// poster sends over a real connection; the version travels in the URL.
type poster struct {
	url    string
	client *http.Client
}

func newPoster(t testing.TB, url string) poster {
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	return poster{url: url, client: &http.Client{Transport: transport}}
}

func (p poster) Send(ctx context.Context, m core.Message) core.Answer {
	url := fmt.Sprintf("%s/%d/%d", p.url, m.Incident.ID, m.Incident.Version)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return core.Answer{Err: err}
	}
	req.Header.Set("webhook-id", m.ID)
	res, err := p.client.Do(req)
	if err != nil {
		return core.Answer{Err: err}
	}
	res.Body.Close()
	return core.Answer{Status: res.StatusCode, RetryAfter: res.Header.Get("Retry-After")}
}

// receiver is a server that remembers, per incident, the versions that it
// took and, per version, the ids under which they came.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	took  map[string][]int
	ids   map[string]map[string]bool
	total int
}

// newReceiver starts one that answers with status; 0 cuts the connection.
func newReceiver(t *testing.T, status func() int) *receiver {
	r := &receiver{took: map[string][]int{}, ids: map[string]map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		answer := status()
		r.note(strings.TrimPrefix(req.URL.Path, "/"), req.Header.Get("webhook-id"), answer == 200)
		if answer == 0 {
			panic(http.ErrAbortHandler) // after the message has arrived
		}
		w.WriteHeader(answer)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) note(path, id string, took bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ids[path] == nil {
		r.ids[path] = map[string]bool{}
	}
	r.ids[path][id] = true
	if took {
		incident, version, _ := strings.Cut(path, "/")
		n, _ := strconv.Atoi(version)
		r.took[incident] = append(r.took[incident], n)
		r.total++
	}
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

// quick is a schedule for tests that wait in earnest. It is so long that no
// delivery uses it up by chance.
func quick(d *core.Destination) *core.Destination {
	d.Retry.Schedule = slices.Repeat([]time.Duration{10 * time.Millisecond}, 60)
	return d
}

// until waits for a condition, at most half a minute.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !met(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("still waiting for %s", what)
		}
	}
}

func TestUnderRandomFailuresAllArrivesInOrder(t *testing.T) {
	const incidents = 300
	kinds := []core.Kind{core.Created, core.Escalated, core.AckedKind, core.ResolvedKind}
	sink := newReceiver(t, func() int { return []int{200, 200, 200, 500, 0}[rand.IntN(5)] })
	m := newMemory()
	cfg := Config{Destinations: []*core.Destination{quick(destination("a", newPoster(t, sink.URL)))}}
	d, stop := running(t, m, cfg)
	for _, kind := range kinds {
		for i := range core.ID(incidents) {
			m.owe(i+1, kind, time.Now(), "webhook/a")
			d.Wake([]string{"webhook/a"})
		}
		stop() // what is under way ends, the rest goes on after the restart
		d, stop = running(t, m, cfg)
	}
	until(t, "the last delivery", func() bool { return m.unfinished() == 0 })
	stop()

	if got := m.count(); got[core.DeliveryDelivered]+got[core.DeliveryFolded] != incidents*len(kinds) {
		t.Errorf("rows %v, want %d delivered or folded", got, incidents*len(kinds))
	}
	if len(sink.took) != incidents {
		t.Errorf("%d incidents arrived, want %d", len(sink.took), incidents)
	}
	for incident, versions := range sink.took {
		if !slices.IsSorted(versions) || versions[0] != 1 || versions[len(versions)-1] != len(kinds) {
			t.Errorf("incident %s arrived as versions %v, want 1 to %d in order", incident, versions, len(kinds))
		}
	}
	for path, ids := range sink.ids {
		if len(ids) != 1 {
			t.Errorf("version %s came under %d ids, want 1", path, len(ids))
		}
	}
}

func TestADeadDestinationDelaysNobody(t *testing.T) {
	held := make(chan struct{})
	release := sync.OnceFunc(func() { close(held) })
	black := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	defer black.Close()
	defer release()
	healthy := newReceiver(t, func() int { return 200 })
	m := newMemory()
	dead := destination("dead", newPoster(t, black.URL))
	dead.Timeout = 10 * time.Second
	d, stop := running(t, m, Config{Destinations: []*core.Destination{dead, destination("healthy", newPoster(t, healthy.URL))}})
	var slowest time.Duration
	for i := range core.ID(200) {
		before, start := healthy.count(), time.Now()
		m.owe(i+1, core.Created, start, "webhook/dead", "webhook/healthy")
		d.Wake([]string{"webhook/dead", "webhook/healthy"})
		until(t, "a delivery to the healthy one", func() bool { return healthy.count() > before })
		slowest = max(slowest, time.Since(start))
	}
	if slowest > 5*time.Second {
		t.Errorf("a delivery beside a dead destination took %v, want far less than its timeout of 10 s", slowest)
	}
	release()
	stop()
}

func TestTheFirstAttemptIsPushed(t *testing.T) {
	sink := newReceiver(t, func() int { return 200 })
	m := newMemory()
	d, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", newPoster(t, sink.URL))}})
	var times []time.Duration
	for i := range core.ID(100) {
		start := time.Now()
		m.owe(i+1, core.Created, start, "webhook/a")
		d.Wake([]string{"webhook/a"})
		until(t, "the delivery", func() bool { return sink.count() > int(i) })
		times = append(times, time.Since(start))
	}
	stop()
	slices.Sort(times)
	if p50 := times[len(times)/2]; p50 > time.Second {
		t.Errorf("half of the deliveries took more than %v, want a push, no poll", p50)
	}
	t.Logf("p50 %v, p99 %v", times[50], times[99])
}
