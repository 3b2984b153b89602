package storetest

import (
	"slices"

	"bellcrank.example/sdk"
)

// said is one thing that was said of a problem, by its vendor or by a person.
type said struct {
	op       sdk.Action // trigger, acknowledge, resolve or core.Reopen
	when     int64      // what orders it
	severity sdk.Severity
	title    string
}

// episode is a problem from its beginning to its end, if it has ended.
type episode struct {
	severity     sdk.Severity
	title        string
	acked, ended bool
}

// newestEpisode is the model: it hears everything in the order in which it was
// said, whatever the order of its arrival, and needs no memory of what was
// behind. False: nothing ever began.
func newestEpisode(history []said) (ep episode, any bool) {
	sorted := slices.Clone(history)
	slices.SortStableFunc(sorted, func(a, b said) int { return int(a.when - b.when) })
	ep.ended = true
	for _, s := range sorted {
		switch {
		case s.op == sdk.Resolve:
			ep.ended = true
		case s.op == sdk.Acknowledge:
			ep.acked = ep.acked || !ep.ended
		case ep.ended:
			ep, any = episode{severity: s.severity, title: s.title}, true
		default:
			if ep.title = s.title; s.severity.Above(ep.severity) {
				ep.severity = s.severity
			}
		}
	}
	return ep, any
}
