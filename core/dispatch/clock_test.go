package dispatch

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bellcrank.example/core"
)

// aheadClock is ahead for so many looks at it, then it is right again.
type aheadClock struct {
	mu    sync.Mutex
	ahead time.Duration
	looks int
	back  time.Time // when it came back, by the right time
}

func (c *aheadClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ahead > 0 {
		if c.looks--; c.looks < 0 {
			c.ahead, c.back = 0, time.Now()
		}
	}
	return time.Now().Add(c.ahead)
}

func (c *aheadClock) set(ahead time.Duration, looks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.looks = ahead, looks
}

// end makes it right and returns since when it is.
func (c *aheadClock) end() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ahead > 0 {
		c.ahead, c.back = 0, time.Now()
	}
	return c.back
}

// The line looks at the clock many times for each attempt; it may come back
// between any two of these looks.
func TestAClockThatComesBackCausesNoStall(t *testing.T) {
	const looks = 60 // more than two attempts take
	year := 365 * 24 * time.Hour
	for name, ahead := range map[string]time.Duration{"an hour": time.Hour, "ten years": 10 * year} {
		for status, delay := range map[int]time.Duration{503: 5 * time.Minute, 400: 30 * time.Minute, 429: time.Minute} {
			t.Run(fmt.Sprintf("%s ahead, then %d", name, status), func(t *testing.T) {
				for n := range looks {
					bubble(t, func(t *testing.T) { comesBack(t, ahead, n, status, delay) })
				}
			})
		}
	}
}

// comesBack sends with a clock that is ahead for some looks while a
// destination answers with status, which asks for a delay.
func comesBack(t *testing.T, ahead time.Duration, looks, status int, delay time.Duration) {
	var clock aheadClock
	var sent []time.Time // by the right time
	var answer atomic.Int64
	answer.Store(503)
	sink := &answers{answer: func(core.Message) core.Answer {
		sent = append(sent, time.Now())
		return core.Answer{Status: int(answer.Load())}
	}}
	m := newMemory()
	m.owe(1, core.Created, clock.now(), "webhook/a")
	_, stop := running(t, m, Config{Now: clock.now, Destinations: []*core.Destination{destination("a", sink)}})
	time.Sleep(45 * time.Second)
	answer.Store(int64(status))
	clock.set(ahead, looks)
	time.Sleep(4 * time.Minute)
	back := clock.end()
	time.Sleep(delay + 3*time.Minute)
	stop()
	after := 0
	for _, at := range sent {
		if !at.Before(back) {
			after++
		}
	}
	// One may be at the very moment, one at once, and then one after each delay.
	most := 2 + int(time.Since(back)/delay)
	if after < 1 || after > most {
		t.Errorf("%d attempts in the %v after the clock came back at look %d; want 1 to %d",
			after, time.Since(back), looks, most)
	}
}
