package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
)

// audit walks everything, a few rows at a time.
func (f *fixture) audit() (gaps []string, states map[string]int, owed []core.Owing) {
	f.t.Helper()
	states = map[string]int{}
	for _, part := range []func(context.Context, core.ID, int) (core.AuditPage, error){f.AuditRequests, f.AuditVersions} {
		for after := core.ID(0); ; {
			p, err := part(f.t.Context(), after, 7)
			f.must(err)
			gaps = append(gaps, gapLines(p)...)
			owed = append(owed, p.Owed...)
			for state, n := range p.States {
				states[state] += n
			}
			if after = p.Next; after == 0 {
				break
			}
		}
	}
	p, err := f.AuditCounts(f.t.Context(), f.clock().Add(-100*24*time.Hour))
	f.must(err)
	return append(gaps, gapLines(p)...), states, owed
}

func gapLines(p core.AuditPage) (lines []string) {
	for _, g := range p.Gaps {
		lines = append(lines, g.Kind+": "+g.Subject)
	}
	return lines
}

func auditIsClean(t *testing.T, f *fixture) {
	f.run()
	for i := range 20 {
		f.accept(trigger(fmt.Sprint(i % 6)))
		f.accept(resolve(fmt.Sprint(i % 5)))
	}
	f.accept(resolve("an orphan"))
	waiting := f.request()
	waiting.State = core.RequestOpen
	f.commit(insert(waiting))
	unread := f.request()
	unread.State = core.RequestQuarantined
	s := insert(unread)
	s.Change.Failure = core.AdapterRejected
	f.commit(s)
	gaps, states, owed := f.audit()
	if len(gaps) > 0 {
		t.Errorf("gaps where there are none: %q", gaps)
	}
	if states["done"] != 41 || states["open"] != 1 || states["quarantined"] != 1 || states["due"] == 0 {
		t.Errorf("states %v", states)
	}
	if len(owed) == 0 || owed[0].State != "open" || !strings.Contains(owed[0].Subject, waiting.ID.String()) {
		t.Errorf("owed %+v, want the open request first", owed)
	}
}

func auditFindsQuarantineUntold(t *testing.T, f *fixture) {
	f.run()
	r := f.request()
	r.State = core.RequestQuarantined
	f.commit(insert(r))
	if gaps, _, _ := f.audit(); len(gaps) != 1 || gaps[0] != "nobody told: receipt "+r.ID.String() {
		t.Errorf("gaps %q, want the request that nobody was told of", gaps)
	}
}

func explained(t *testing.T, f *fixture) {
	f.run()
	var first core.ID
	for i := range 300 {
		r := f.request()
		r.LetIn, r.Verified, r.Adapter, r.AdapterHash = "every address", "signed", "datadog 1.0.0", "abc"
		f.commit(insert(r, trigger("k")))
		if i == 0 {
			first = r.ID
		}
	}
	x, err := f.Explain(t.Context(), 1)
	f.must(err)
	if x.First == nil || x.First.Request != first || len(x.Timeline) != 200 || len(x.Requests) != 21 || x.Requests[0].ID != first {
		t.Fatalf("first %+v, %d events, %d requests; want the opening, 200 and 21", x.First, len(x.Timeline), len(x.Requests))
	}
	if r := x.Requests[20]; r.LetIn != "every address" || r.Verified != "signed" || r.AdapterHash != "abc" || r.Body != nil {
		t.Errorf("request %+v, want its checks and no body", r)
	}
	if _, err := f.Explain(t.Context(), 2); !isCode(err, core.NotFound) {
		t.Errorf("an incident that there isn't: %v, want not found", err)
	}
}
