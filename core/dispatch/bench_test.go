package dispatch

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/core"
)

// durable is a memory whose outcomes wait for a real disk: one writer appends
// what has come in meanwhile and syncs once for all, as the stores do.
type durable struct {
	*memory
	queue chan chan error
}

func newDurable(b *testing.B) *durable {
	file, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	s := &durable{memory: newMemory(), queue: make(chan chan error, 1024)}
	go s.write(file)
	b.Cleanup(func() { close(s.queue); file.Close() })
	return s
}

func (s *durable) write(file *os.File) {
	block := make([]byte, 4096)
	for first := range s.queue {
		batch := []chan error{first}
		for len(s.queue) > 0 && len(batch) < 256 {
			batch = append(batch, <-s.queue)
		}
		_, err := file.Write(block)
		if err == nil {
			err = file.Sync()
		}
		for _, done := range batch {
			done <- err
		}
	}
}

func (s *durable) Record(ctx context.Context, o core.Outcome) error {
	done := make(chan error, 1)
	s.queue <- done
	if err := <-done; err != nil {
		return err
	}
	return s.memory.Record(ctx, o)
}

// BenchmarkDeliveries sends to one receiver on this machine, with a thousand
// deliveries owed at any time.
func BenchmarkDeliveries(b *testing.B) {
	var took atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { took.Add(1) }))
	b.Cleanup(server.Close)
	sink := newPoster(b, server.URL)
	store := newDurable(b)
	d := New(Config{Store: store, NewID: store.newID, Destinations: []*core.Destination{destination("a", sink)}})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	start := time.Now()
	for owed := 0; owed < b.N; {
		for int64(owed)-took.Load() < 1000 && owed < b.N {
			owed++
			store.owe(core.ID(owed), core.Created, time.Now(), "webhook/a")
		}
		d.Wake([]string{"webhook/a"})
		time.Sleep(time.Millisecond)
	}
	for store.unfinished() > 0 {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "deliveries/s")
	cancel()
	<-ended
}
