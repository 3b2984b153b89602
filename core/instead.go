package core

import (
	"slices"
	"time"
)

// TellInstead owes incidents to those who hear of them in place of a
// destination that has just gone down: the newest version, as an opening. The
// caller has loaded every open incident of which that destination is still
// owed something.
func TellInstead(s *State, incidents []*Incident, routes Routes, now time.Time) *Folded {
	f := &folding{State: s, routes: routes, now: now, seen: map[ID]bool{}, out: &Folded{}}
	for _, in := range incidents {
		if !in.Open() || in.Held.By != "" || in.Group != 0 {
			continue
		}
		told := in.Told
		for _, destination := range f.routes.Instead(in, f.down) {
			if slices.Contains(told, destination) {
				continue
			}
			in.Told = union(in.Told, []string{destination})
			f.changed(in)
			if f.routes.Wants(destination, Created) {
				f.owe(in, destination, Created)
			}
		}
	}
	return f.out
}

// down reports whether nothing is sent to a destination.
func (f *folding) down(destination string) bool {
	state, ok := f.Destinations[destination]
	return ok && !state.Active()
}
