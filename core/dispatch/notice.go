package dispatch

import "time"

// bundleTime is how long notices of a destination are collected after one was
// given.
const bundleTime = time.Minute

// maxNamed bounds the deliveries that a notice names.
const maxNamed = 10

// bundle gives a destination's first notice at once and those of the following
// minute together.
type bundle struct {
	pending *Notice
	until   time.Time // zero: nothing was given yet
}

// add gives the notice, or keeps it for the next bundle.
func (b *bundle) add(n Notice, give func(Notice)) {
	if len(n.Deliveries) > maxNamed {
		n.Deliveries = n.Deliveries[:maxNamed]
	}
	if b.pending == nil && !n.To.Before(b.until) {
		b.until = n.To.Add(bundleTime)
		give(n)
		return
	}
	if b.pending == nil {
		b.pending = &n
		return
	}
	p := b.pending
	p.Dead, p.To = p.Dead+n.Dead, n.To
	p.Deliveries = append(p.Deliveries, n.Deliveries[:min(len(n.Deliveries), maxNamed-len(p.Deliveries))]...)
	if n.Error != "" {
		p.Error = n.Error
	}
	if n.Disabled != "" {
		p.Disabled = n.Disabled
	}
}

// due returns when the bundle is to be given, false if there is none.
func (b *bundle) due() (time.Time, bool) { return b.until, b.pending != nil }

// flush gives the bundle.
func (b *bundle) flush(give func(Notice)) {
	if b.pending == nil {
		return
	}
	b.until = b.pending.To.Add(bundleTime)
	give(*b.pending)
	b.pending = nil
}
