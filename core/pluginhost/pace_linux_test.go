package pluginhost

import (
	"context"
	"testing"
	"time"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/client"
)

func TestPace(t *testing.T) {
	const ms = time.Millisecond
	began := time.Unix(1_800_000_000, 0)
	calls := func(n int, since time.Duration) client.Load {
		return client.Load{Calls: n, Since: began.Add(since)}
	}
	type look struct {
		at, used time.Duration
		load     client.Load
	}
	large := client.Load{Calls: 1, Bytes: 16 << 20, Since: began.Add(10 * ms)}
	for _, c := range []struct {
		name   string
		strict bool
		looks  []look
		burns  bool // at the last look; at none before
	}{
		{"idle", false, []look{{0, 0, client.Load{}}, {100 * ms, 1 * ms, client.Load{}}, {5 * time.Second, 20 * ms, client.Load{}}}, false},
		{"one spins", false, []look{{0, 5 * ms, client.Load{}}, {100 * ms, 95 * ms, calls(1, 10*ms)}, {200 * ms, 195 * ms, calls(1, 10*ms)}, {300 * ms, 295 * ms, calls(1, 10*ms)}, {400 * ms, 395 * ms, calls(1, 10*ms)}}, true},
		{"one spins, others come", false, []look{{0, 0, client.Load{}}, {100 * ms, 100 * ms, calls(1, 10*ms)}, {200 * ms, 300 * ms, calls(20, 10*ms)}, {300 * ms, 500 * ms, calls(40, 10*ms)}}, true},
		{"one spins, looked at closely", true, []look{{0, 0, calls(1, 1*ms)}, {10 * ms, 10 * ms, calls(1, 1*ms)}, {20 * ms, 20 * ms, calls(1, 1*ms)}, {30 * ms, 30 * ms, calls(1, 1*ms)}}, true},
		{"one sleeps", false, []look{{0, 0, client.Load{}}, {100 * ms, 1 * ms, calls(1, 10*ms)}, {time.Hour, 200 * ms, calls(1, 10*ms)}}, false},
		{"many are worked on", false, []look{{0, 0, client.Load{}}, {100 * ms, 200 * ms, calls(64, 10*ms)}, {200 * ms, 400 * ms, calls(64, 10*ms)}, {300 * ms, 600 * ms, calls(64, 110*ms)}}, false},
		{"busy for hours, and answers", false, []look{{0, 0, client.Load{}}, {100 * ms, 200 * ms, calls(4, 10*ms)}, {200 * ms, 400 * ms, calls(4, 150*ms)}, {time.Hour, 2 * time.Hour, calls(4, time.Hour-50*ms)}}, false},
		{"a large body", false, []look{{0, 0, client.Load{}}, {100 * ms, 100 * ms, large}, {20100 * ms, 40100 * ms, large}}, false},
		{"a large body, looked at closely", true, []look{{0, 0, client.Load{}}, {100 * ms, 100 * ms, large}, {20100 * ms, 40100 * ms, large}}, false},
		{"a stray thread spins", false, []look{{0, 0, client.Load{}}, {500 * ms, 500 * ms, client.Load{}}, {1100 * ms, 1100 * ms, client.Load{}}}, true},
		{"garbage is collected", false, []look{{0, 0, client.Load{}}, {900 * ms, 900 * ms, client.Load{}}, {1000 * ms, 900 * ms, client.Load{}}, {1900 * ms, 1800 * ms, client.Load{}}}, false},
	} {
		var p pace
		for i, l := range c.looks {
			burns := p.look(began.Add(l.at), l.used, l.load, defaultProcessor, c.strict)
			if want := c.burns && i == len(c.looks)-1; burns != want {
				t.Errorf("%s, look %d: burns %v", c.name, i, burns)
			}
		}
	}
}

func TestAPluginThatBurnsTheProcessorIsHeldBackAndReplaced(t *testing.T) {
	for path, what := range map[string]string{"burn": "a call", "burn later": "a stray thread"} {
		t.Run(what, func(t *testing.T) {
			s := spec(t)
			s.Limits.Processor = 0 // the default
			h := run(t, s, nil)
			burner := status(h).PID
			ctx, giveUp := context.WithCancel(t.Context())
			t.Cleanup(giveUp)
			asked := make(chan error, 1)
			go func() {
				_, err := h.Adapt(ctx, "chaos", sdk.Request{ID: "r", Path: path, Integration: "chaos/one"})
				asked <- err
			}()
			eventually(t, "another process serves", func() bool {
				s := status(h)
				return s.RestartsBy["processor"] == 1 && s.PID != burner && s.State == Ready
			})
			if _, err := call(t, h, "", ""); err != nil {
				t.Errorf("beside it a call fails: %v", err)
			}
			if path == "burn" {
				began, _ := processorTime(burner)
				since := time.Now()
				time.Sleep(time.Second)
				if used, ok := processorTime(burner); ok && used-began > time.Since(since)/2 {
					t.Errorf("held back it used %v of %v", used-began, time.Since(since))
				}
			}
			giveUp()
			<-asked
			eventually(t, "its process has gone", func() bool { _, there := processorTime(burner); return !there })
		})
	}
}

func TestAPluginThatBurnsAgainIsLetOffWhenItAnswers(t *testing.T) {
	s := spec(t)
	s.Limits.Processor = 20 * time.Millisecond
	h := run(t, s, func(c *Config) { c.Timing.Watch, c.Timing.Drain = 10*time.Millisecond, time.Millisecond })
	first := status(h).PID
	if _, err := call(t, h, "burn", ""); err == nil {
		t.Error("what has no end is answered")
	}
	eventually(t, "another process serves", func() bool { s := status(h); return s.PID != first && s.State == Ready })
	before := status(h).PID
	answered := make(chan error, 1)
	go func() {
		_, err := call(t, h, "burn", "40ms")
		answered <- err
	}()
	eventually(t, "it is held back", func() bool { s := status(h); return s.State == Degraded && s.LastError == errBurns.Error() })
	if err := <-answered; err != nil {
		t.Errorf("the second call fails: %v", err)
	}
	eventually(t, "it is let off", func() bool { return status(h).State == Ready })
	if s := status(h); s.PID != before || s.RestartsBy["processor"] != 1 {
		t.Errorf("it was replaced: %v", s.RestartsBy)
	}
}
