package engine

import (
	"cmp"
	"slices"
	"time"

	"bellcrank.example/core"
)

// counts gathers what happened, per subject and minute.
type counts map[countRef]*core.Tally

type countRef struct {
	tenant  int64
	subject string
	minute  int64 // Unix time in minutes
}

// add counts one more, making the map if need be.
func (c *counts) add(tenant int64, subject string, at time.Time, ok bool) {
	if *c == nil {
		*c = counts{}
	}
	ref := countRef{tenant, subject, at.Unix() / 60}
	t := (*c)[ref]
	if t == nil {
		t = &core.Tally{}
		(*c)[ref] = t
	}
	t.Last = at
	if ok {
		t.OK++
		t.LastOK = at
	} else {
		t.Failed++
	}
}

// list returns the counts, sorted.
func (c counts) list(more counts) []Count {
	all := make([]Count, 0, len(c)+len(more))
	for _, from := range []counts{c, more} {
		for ref, t := range from {
			all = append(all, Count{
				Tenant: ref.tenant, Subject: ref.subject, Minute: time.Unix(ref.minute*60, 0).UTC(), Tally: *t,
			})
		}
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Subject, b.Subject), a.Minute.Compare(b.Minute))
	})
	return all
}
