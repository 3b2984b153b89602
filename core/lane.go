package core

import (
	"slices"
	"time"
)

// Next is what a lane sends next.
type Next struct {
	Delivery Delivery  // with what it inherits from its predecessors
	At       time.Time // not before
	// Opens means that the delivery also stands for an opening which the
	// destination has never had.
	Opens bool
}

// Kind returns what the destination is told of the version: an opening that it
// never had as created, or as resolved if all is over.
func (n Next) Kind(v Version) Kind {
	switch {
	case !n.Opens:
		return n.Delivery.Kind
	case v.Snapshot != nil && !v.Snapshot.Open():
		return ResolvedKind
	}
	return Created
}

// Next chooses the delivery that is sent next. The newest stands for all
// before it, unless the lane begins with an opening that only the
// destination's own faults have held up: then the opening goes first. Without
// fold all go, in order. A lane without deliveries has no next.
func (l Lane) Next(fold bool) (Next, bool) {
	rows := l.inherited()
	if len(rows) == 0 {
		return Next{}, false
	}
	first, newest := rows[0], rows[len(rows)-1]
	opening := first.Kind.Opening()
	if !fold || len(rows) == 1 || opening && first.FaultTries == 0 {
		return Next{Delivery: first, At: first.NextAt}, true
	}
	return Next{Delivery: newest, At: newest.NextAt, Opens: opening}, true
}

// inherited returns the lane's deliveries with what each inherits from the one
// before. A store does the same when it adds a delivery; one that was added
// while an attempt was under way couldn't know how that would end.
func (l Lane) inherited() []Delivery {
	rows := slices.Clone(l.Deliveries)
	for i := 1; i < len(rows); i++ {
		if rows[i].Attempt < rows[i-1].Attempt {
			Inherit(&rows[i], rows[i-1])
		}
	}
	return rows
}

// Postpone returns those of the lane's deliveries that must wait longer than
// they know because the next one isn't due before n.At.
func (l Lane) Postpone(n Next) []Delivery {
	var late []Delivery
	for i, d := range l.inherited() {
		if d.State == DeliveryDue && l.Deliveries[i].NextAt.Before(n.At) {
			d.NextAt = later(d.NextAt, n.At)
			late = append(late, d)
		}
	}
	return late
}
