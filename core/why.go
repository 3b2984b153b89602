package core

import "time"

// Why is what decided who hears of a version of an incident. It is kept with
// the version: what was decided then can be explained whatever is configured
// by now.
type Why struct {
	// Decisions are what the routes said, in the order in which they were
	// asked; empty where none was asked, as for a resolve.
	Decisions []Decision
	Omitted   int // routes that didn't match and aren't listed
	// Held names what kept the version back, such as "silence 0C5H2Q8K3M1ZA";
	// empty: nothing.
	Held string
	// Released is when that ended, and those in Owed were told after all.
	Released time.Time
	// Owed are the destinations that were owed a delivery, sorted.
	Owed []string
	// Unwanted are those that hear of the incident and don't take this kind of
	// version.
	Unwanted []string
}

// Decision is what one route said of an incident.
type Decision struct {
	Route   string // empty: a rule of ours that stands behind the routes
	Matched bool
	Reason  string   // why not, or which rule of ours it was
	To      []string // who hears of the incident because of it
}

// maxDecisions bounds the routes that didn't match which a Why lists.
const maxDecisions = 20

// decide notes what routes said, as much as is kept.
func (w *Why) decide(all []Decision) {
	missed := 0
	for _, d := range all {
		if !d.Matched {
			if missed++; missed > maxDecisions {
				w.Omitted++
				continue
			}
		}
		w.Decisions = append(w.Decisions, d)
	}
}

// Amendment is what became of a version that was held back when it was made.
type Amendment struct {
	Incident ID
	Number   int
	Why      Why
}
