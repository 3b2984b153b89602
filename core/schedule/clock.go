package schedule

import "time"

const (
	maxApart = time.Minute      // what a clock may be set by without being suspect
	steady   = 10 * time.Minute // for so long it mustn't be set to be trusted again
)

// clock compares the clock on the wall with one that nobody sets.
type clock struct {
	started time.Time     // what the wall showed when the other was zero, by the last look
	trusted time.Time     // the same, before the wall was set
	jumped  time.Duration // when the wall was last set
	seen    bool
	set     bool // it was set at all
}

// observe looks at both clocks.
func (c *clock) observe(wall time.Time, elapsed time.Duration) {
	started := wall.Round(0).Add(-elapsed)
	if c.seen && started.Sub(c.started).Abs() > maxApart {
		if !c.suspect(elapsed) {
			c.trusted = c.started
		}
		c.set, c.jumped = true, elapsed
		c.started = started
	}
	if !c.seen {
		c.seen, c.started = true, started
	}
}

func (c *clock) suspect(elapsed time.Duration) bool { return c.set && elapsed-c.jumped < steady }

// now is the wall's time, or what it would be if it hadn't been set, for as
// long as it is suspect.
func (c *clock) now(wall time.Time, elapsed time.Duration) time.Time {
	if c.suspect(elapsed) {
		return c.trusted.Add(elapsed)
	}
	return wall
}
