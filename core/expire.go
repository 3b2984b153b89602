package core

import "time"

// Expire gives the lane's deliveries up if the newest of them is as old as the
// policy allows, and reports whether it is. A lane with a younger one is still
// worth telling: that one stands for the others.
func (l Lane) Expire(r Retry, now time.Time) (Outcome, bool) {
	if r.MaxAge <= 0 || len(l.Deliveries) == 0 {
		return Outcome{}, false
	}
	for _, d := range l.Deliveries {
		if now.Sub(d.CreatedAt) < r.MaxAge {
			return Outcome{}, false
		}
	}
	var o Outcome
	for _, d := range l.Deliveries {
		d.State, d.DoneAt = DeliveryDead, now
		d.LastError = "older than " + r.MaxAge.String() + after(d.LastError)
		o.Deliveries = append(o.Deliveries, d)
	}
	return o, true
}

func after(cause string) string {
	if cause == "" {
		return ""
	}
	return "; the last attempt: " + cause
}
