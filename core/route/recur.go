package route

import (
	"slices"
	"time"
)

// Recurrence is a time that comes again: some hours of some days, by the clock
// on the wall of a place.
type Recurrence struct {
	Days      []time.Weekday // any of these; empty: every day
	MonthDays []int          // any of these, 1 to 31, or -1 for the last of the month and so on; empty: every day
	Months    []time.Month   // any of these; empty: every month
	From, To  int            // minutes since midnight, 0 to 1440; To not after From means the next day
	Zone      *time.Location // UTC if nil
	Starts    time.Time      // not before; zero: since ever
	Ends      time.Time      // not after; zero: for ever
}

// Active reports whether a time is within an occurrence, and when that ends.
// An occurrence belongs to the day on which it begins.
func (r *Recurrence) Active(now time.Time) (until time.Time, ok bool) {
	if now.Before(r.Starts) || !r.Ends.IsZero() && !now.Before(r.Ends) {
		return time.Time{}, false
	}
	zone := r.Zone
	if zone == nil {
		zone = time.UTC
	}
	today := now.In(zone)
	for _, back := range []int{0, 1} { // one that began yesterday may last
		year, month, day := time.Date(today.Year(), today.Month(), today.Day()-back, 12, 0, 0, 0, zone).Date()
		if !r.on(year, month, day, zone) {
			continue
		}
		from, to := r.occurrence(year, month, day, zone)
		if !now.Before(from) && now.Before(to) && to.After(until) {
			until = to
		}
	}
	if until.IsZero() {
		return until, false
	}
	if !r.Ends.IsZero() && r.Ends.Before(until) {
		until = r.Ends
	}
	return until, true
}

// on reports whether an occurrence begins on a day.
func (r *Recurrence) on(year int, month time.Month, day int, zone *time.Location) bool {
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone)
	last := time.Date(year, month+1, 0, 12, 0, 0, 0, zone).Day()
	return (len(r.Months) == 0 || slices.Contains(r.Months, month)) &&
		(len(r.Days) == 0 || slices.Contains(r.Days, noon.Weekday())) &&
		(len(r.MonthDays) == 0 || slices.Contains(r.MonthDays, day) || slices.Contains(r.MonthDays, day-last-1))
}

// occurrence returns what begins on a day. Where a clock is put back, a time
// comes twice: the first is a beginning, the second an end.
func (r *Recurrence) occurrence(year int, month time.Month, day int, zone *time.Location) (from, to time.Time) {
	from, _ = wall(year, month, day, r.From, zone)
	if r.To <= r.From {
		day++
	}
	_, to = wall(year, month, day, r.To, zone)
	return from, to
}

// wall returns the first and the last moment at which a clock on the wall
// shows a time. Where a clock is put forward some times aren't shown: that is
// then the moment when it is.
func wall(year int, month time.Month, day, minutes int, zone *time.Location) (first, last time.Time) {
	t := time.Date(year, month, day, 0, minutes, 0, 0, zone)
	shown := time.Date(year, month, day, 0, minutes, 0, 0, time.UTC)
	first, last = t, t
	for _, beside := range []time.Time{t.Add(-3 * time.Hour), t.Add(3 * time.Hour)} {
		// The same time as a clock with the offset of before or after shows it.
		_, offset := beside.Zone()
		other := shown.Add(-time.Duration(offset) * time.Second).In(zone)
		if !sameWall(other, shown) {
			continue
		}
		if other.Before(first) {
			first = other
		}
		if other.After(last) {
			last = other
		}
	}
	if !sameWall(t, shown) {
		first = change(t.Add(-3*time.Hour), t.Add(3*time.Hour))
		last = first
	}
	return first, last
}

func sameWall(t, shown time.Time) bool {
	return t.Hour() == shown.Hour() && t.Minute() == shown.Minute() && t.Day() == shown.Day()
}

// change returns the moment between two others at which the zone's offset
// changes.
func change(before, after time.Time) time.Time {
	_, old := before.Zone()
	for after.Sub(before) > time.Second {
		middle := before.Add(after.Sub(before) / 2).Truncate(time.Second)
		if !middle.After(before) {
			break
		}
		if _, offset := middle.Zone(); offset == old {
			before = middle
		} else {
			after = middle
		}
	}
	return after.Truncate(time.Second)
}
