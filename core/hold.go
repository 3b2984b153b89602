package core

import "time"

// Hold says what keeps the news of an incident back.
type Hold struct {
	By    string    // such as "silence 0C5H2Q8K3M1ZA" or "window nightly"; empty: nothing
	Until time.Time // when it ends, as far as is known; it is asked again then
}

// holdBack decides whether a new version of an incident is told to nobody for
// now. What is held back is owed when the hold ends.
func (f *folding) holdBack(in *Incident) bool {
	if in.Group != 0 {
		return true // the group's incident tells of it
	}
	hold, held := f.heldBy(in)
	in.Held = hold
	return held
}

func (f *folding) heldBy(in *Incident) (Hold, bool) {
	switch {
	case in.Test || in.Integration == SelfIntegration:
		// Who tests a path wants to see the end of it, and our own trouble
		// may be what keeps the rest from being told.
		return Hold{}, false
	case in.Grouped != nil && f.now.Before(in.Grouped.WaitUntil):
		return Hold{By: "group " + in.Grouped.Rule, Until: in.Grouped.WaitUntil}, true
	}
	return f.routes.Hold(in, f.now)
}

// endHold tells of an incident whose hold is over what was held back: its
// newest version, as an opening.
func (f *folding) endHold(in *Incident) {
	if in.Held.By == "" {
		return
	}
	if hold, held := f.heldBy(in); held {
		in.Held = hold
		return
	}
	why := Why{Held: in.Held.By}
	in.Held = Hold{}
	if in.Grouped != nil && in.Grouped.release(in) {
		f.version(in, Updated) // the title says by now how many there are
		return
	}
	why.Released = f.now
	for _, destination := range f.hear(in, &why) {
		f.tell(in, destination, Created, &why)
	}
	f.out.Amended = append(f.out.Amended, Amendment{Incident: in.ID, Number: in.Version, Why: why})
}

// heldBy names what holds the incident's news back.
func (i *Incident) heldBy() string {
	if i.Held.By == "" && i.Group != 0 {
		return "the incident of its group tells of it"
	}
	return i.Held.By
}
