package dispatch

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/core"
)

// slowly answers 500 after a while, and remembers when it was asked.
func slowly(takes time.Duration) *answers {
	return &answers{answer: func(core.Message) core.Answer {
		time.Sleep(takes)
		return core.Answer{Status: 500}
	}}
}

func TestAVersionThatComesDuringAnAttemptWaitsWithIt(t *testing.T) {
	tests := map[string]struct {
		delay time.Duration // of the schedule
		want  []time.Duration
	}{
		"a moment, in memory":      {delay: 3 * time.Second, want: []time.Duration{0, 5 * time.Second, 10 * time.Second}},
		"longer, put off in store": {delay: time.Minute, want: []time.Duration{0, 62 * time.Second, 124 * time.Second}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				start, m, sink := time.Now(), newMemory(), slowly(2*time.Second)
				dest := destination("a", sink)
				dest.Retry.Schedule = slices.Repeat([]time.Duration{tt.delay}, 10)
				d, stop := running(t, m, Config{Destinations: []*core.Destination{dest}})
				m.owe(1, core.Created, start, "webhook/a")
				d.Wake([]string{"webhook/a"})
				time.Sleep(time.Second)
				m.owe(1, core.Escalated, time.Now(), "webhook/a")
				d.Wake([]string{"webhook/a"})
				time.Sleep(tt.want[2] + time.Second - time.Since(start))
				stop()
				if got := since(start, sink.messages()); !slices.Equal(got, tt.want) {
					t.Errorf("attempts at %v, want %v", got, tt.want)
				}
				for _, sent := range sink.messages() {
					if sent.Incident.Version != 1 {
						t.Errorf("version %d is sent before the opening", sent.Incident.Version)
					}
				}
				if m.reads > 150 {
					t.Errorf("%d reads of the store in %v, want few", m.reads, time.Since(start))
				}
			})
		})
	}
}

func TestAnIdleDestinationHardlyReads(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		_, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", always(200))}})
		time.Sleep(time.Hour)
		stop()
		if m.reads > 130 {
			t.Errorf("%d reads in an idle hour, want one each 30 s at most", m.reads)
		}
	})
}

func TestAClockThatJumpsMakesNoStorm(t *testing.T) {
	year := 365 * 24 * time.Hour
	for name, jump := range map[string]time.Duration{
		"an hour back": -time.Hour, "an hour ahead": time.Hour, "a year back": -year, "ten years ahead": 10 * year,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var offset atomic.Int64
				now := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
				m, sink := newMemory(), always(500)
				m.owe(1, core.Created, now(), "webhook/a")
				_, stop := running(t, m, Config{Now: now, Destinations: []*core.Destination{destination("a", sink)}})
				time.Sleep(2 * time.Minute) // two attempts; the third is due after six minutes
				offset.Store(int64(jump))
				time.Sleep(2 * time.Minute)
				offset.Store(0)
				time.Sleep(3 * time.Minute)
				stop()
				if n := len(sink.messages()); n < 2 || n > 4 {
					t.Errorf("%d attempts in seven minutes, want 3 and one more or less", n)
				}
				if m.reads > 100 {
					t.Errorf("%d reads of the store, want few", m.reads)
				}
			})
		})
	}
}

func TestARestartWithAClockThatWasAheadCausesNoStall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m, sink := newMemory(), always(200)
		m.owe(1, core.Created, time.Now().AddDate(10, 0, 0), "webhook/a")
		_, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", sink)}})
		time.Sleep(time.Minute)
		stop()
		if n := len(sink.messages()); n != 1 {
			t.Errorf("%d messages, want 1 although it was due in ten years", n)
		}
	})
}

func TestNoticesAreBundled(t *testing.T) {
	start := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	var given []Notice
	give := func(n Notice) { given = append(given, n) }
	var b bundle
	dead := func(after time.Duration, n int) Notice {
		at := start.Add(after)
		return Notice{Destination: "webhook/a", Dead: n, Deliveries: make([]core.ID, n), Error: "400", From: at, To: at}
	}
	b.add(dead(0, 1), give)
	b.add(dead(10*time.Second, 4), give)
	b.add(dead(20*time.Second, 20), give)
	b.add(Notice{Disabled: core.DisabledGone, From: start.Add(30 * time.Second), To: start.Add(30 * time.Second)}, give)
	if len(given) != 1 || given[0].Dead != 1 {
		t.Errorf("given at once: %+v, want the first alone", given)
	}
	at, ok := b.due()
	if !ok || !at.Equal(start.Add(time.Minute)) {
		t.Errorf("the rest is due at %v, %v; want a minute after the first", at, ok)
	}
	b.flush(give)
	b.flush(give)
	if len(given) != 2 {
		t.Fatalf("%d notices, want 2", len(given))
	}
	if n := given[1]; n.Dead != 24 || len(n.Deliveries) != maxNamed || n.Disabled != core.DisabledGone || n.Error != "400" {
		t.Errorf("bundle %+v, want 24 dead, 10 of them named, and the disabling", n)
	}
	b.add(dead(3*time.Minute, 1), give)
	if len(given) != 3 {
		t.Errorf("%d notices, want the next given at once after a quiet minute", len(given))
	}
}

// raise makes it n if it is less.
func raise(most *atomic.Int32, n int32) {
	for now := most.Load(); now < n && !most.CompareAndSwap(now, n); now = most.Load() {
	}
}

func TestASlowDestinationHasEightAttemptsAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var now, most atomic.Int32
		sink := senderFunc(func(context.Context, core.Message) core.Answer {
			raise(&most, now.Add(1))
			time.Sleep(time.Second)
			now.Add(-1)
			return core.Answer{Status: 200}
		})
		m := newMemory()
		for i := range core.ID(80) {
			m.owe(i+1, core.Created, time.Now(), "webhook/a")
		}
		_, stop := running(t, m, Config{Destinations: []*core.Destination{destination("a", sink)}})
		// Two in the first second, until one has ended well; then eight.
		time.Sleep(900 * time.Millisecond)
		if most.Load() != 2 {
			t.Errorf("%d at a time before the first answer, want 2", most.Load())
		}
		time.Sleep(10 * time.Second)
		stop()
		if m.unfinished() != 0 || most.Load() != 8 {
			t.Errorf("%d of 80 left after eleven seconds, %d at a time; want 0 and 8", m.unfinished(), most.Load())
		}
	})
}
