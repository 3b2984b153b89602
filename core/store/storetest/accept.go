package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func micros(t time.Time) time.Time { return t.Truncate(time.Microsecond).UTC() }

func acceptedSurvives(t *testing.T, f *fixture) {
	f.run()
	r := f.request()
	r.KeyID, r.Path, r.Query, r.Encoding, r.Test = "primary", "/x", "a=1&a=2", "gzip", true
	r.Unverified = true
	r.Source = netip.MustParseAddr("2001:db8::1")
	r.Header = http.Header{"X-A": {"1", "2"}, "Content-Type": {"application/json"}}
	r.Notes, r.Rejected, r.Adapter = []string{"a remark"}, []string{"element 1: x"}, "datadog 1.2.3"
	yes := true
	event := trigger("disk")
	event.SeriesKey, event.Service, event.AffectedServices, event.CustomerImpact = "disks", "db", []string{"db", "api"}, &yes
	event.Labels, event.Metadata = map[string]string{"host": "a"}, map[string]any{"n": "1", "deep": map[string]any{"x": true}}
	event.Links, event.SourceURL = []sdk.Link{{Name: "Runbook", URL: "https://x.example/r"}}, "https://x.example"
	event.Description, event.OccurredAt, event.SeverityRaw = "a\nb", f.clock().Add(-time.Hour), "P2"
	receipt := f.commit(insert(r, event))
	want := core.Receipt{
		Request: r.ID, State: core.RequestDone, Total: 1, Warnings: r.Notes,
		Incidents: []core.IncidentSummary{{ID: r.Incidents[0], Number: 1, Title: "trouble with disk", Severity: sdk.High, Status: core.Investigating}},
	}
	if diff := cmp.Diff(want, receipt); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
	before := f.incident(1)
	f.restart()
	stored, err := f.Request(t.Context(), r.ID)
	f.must(err)
	wantRequest := *r
	wantRequest.ReceivedAt = micros(r.ReceivedAt)
	if diff := cmp.Diff(&wantRequest, stored, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
	d := f.incident(1)
	if diff := cmp.Diff(before, d); diff != "" {
		t.Errorf("incident (-before +after the restart):\n%s", diff)
	}
	in := d.Incident
	if in.DedupKey != "disk" || in.Service != "db" || !*in.Impact || in.Labels["host"] != "a" || in.Description != "a\nb" ||
		len(in.Links) != 1 || in.Metadata["n"] != "1" || in.SeverityRaw != "P2" || in.FirstAt != micros(r.ReceivedAt) {
		t.Errorf("the incident lost something: %+v", in)
	}
	if len(d.Timeline) != 1 || d.Timeline[0].Request != r.ID || d.Timeline[0].Effect != core.EffectOpened ||
		d.Timeline[0].OccurredAt != micros(event.OccurredAt) {
		t.Errorf("timeline %+v, want one opening by %s", d.Timeline, r.ID)
	}
	v, err := f.Version(t.Context(), in.ID, 1)
	f.must(err)
	if diff := cmp.Diff(in, v.Snapshot); diff != "" || v.Kind != core.Created || v.Generation != 7 {
		t.Errorf("version %+v, snapshot (-want +got):\n%s", v, diff)
	}
	if len(d.Deliveries) != 1 || d.Deliveries[0].Destination != webhook || d.Deliveries[0].State != core.DeliveryDue {
		t.Errorf("deliveries %+v, want one that is due", d.Deliveries)
	}
	if id := f.NewID(); id <= d.Deliveries[0].ID {
		t.Errorf("a new id %d isn't above the stored %d", id, d.Deliveries[0].ID)
	}
}

func bodiesAreExact(t *testing.T, f *fixture) {
	f.run()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, body := range map[string][]byte{
		"empty": {}, "short": []byte("x"), "every byte": all, "not UTF-8": {0xff, 0xfe, 0, 0x80},
		"long": bytes.Repeat([]byte(`{"alert": "disk full"}`), 5000), "at the limit": bytes.Repeat([]byte{'a'}, 512),
		"above the limit": bytes.Repeat([]byte{'a'}, 513), "incompressible": noise(4000),
	} {
		r := f.request()
		r.Body = body
		f.commit(insert(r))
		if !bytes.Equal(r.Body, body) {
			t.Errorf("%s: the caller's body was changed", name)
		}
		got, err := f.Request(t.Context(), r.ID)
		f.must(err)
		if !bytes.Equal(got.Body, body) {
			t.Errorf("%s: got %d bytes, want %d", name, len(got.Body), len(body))
		}
	}
}

// noise returns bytes without a pattern.
func noise(n int) []byte {
	out := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{}).Read(out) // it never fails
	return out
}

func submittersShare(t *testing.T, f *fixture) {
	var all []*core.Submission
	for i := range 64 {
		all = append(all, insert(f.request(), trigger(fmt.Sprint(i))))
	}
	receipts, errs := f.together(all...)
	f.must(errors.Join(errs...))
	numbers := map[int64]bool{}
	for _, r := range receipts {
		numbers[r.Incidents[0].Number] = true
	}
	if len(numbers) != 64 {
		t.Errorf("%d numbers for 64 incidents", len(numbers))
	}
	if s := f.Stats(); s.Commits != 1 || s.Items != 64 {
		t.Errorf("%d commits for %d items, want 1 for 64", s.Commits, s.Items)
	}
}

func oneBatchFolds(t *testing.T, f *fixture) {
	receipts, errs := f.together(
		insert(f.request(), trigger("k")), insert(f.request(), trigger("k")), insert(f.request(), acknowledge("k")),
		insert(f.request(), resolve("k")), insert(f.request(), trigger("k")),
	)
	f.must(errors.Join(errs...))
	d := f.incident(1)
	if d.Incident.Status != core.Investigating || d.Incident.Count != 3 || d.Incident.Version != 4 {
		t.Errorf("got %s, count %d, version %d; want investigating, 3, 4", d.Incident.Status, d.Incident.Count, d.Incident.Version)
	}
	var kinds []core.Kind
	for _, v := range d.Versions {
		kinds = append(kinds, v.Kind)
	}
	if want := []core.Kind{core.Created, core.AckedKind, core.ResolvedKind, core.Reopened}; !slices.Equal(kinds, want) {
		t.Errorf("versions %v, want %v", kinds, want)
	}
	for i, r := range receipts {
		if len(r.Incidents) != 1 || r.Incidents[0].Number != 1 {
			t.Errorf("receipt %d: %+v, want INC-001", i, r.Incidents)
		}
	}
	for n := 1; n <= 4; n++ {
		v, err := f.Version(t.Context(), d.Incident.ID, n)
		f.must(err)
		if v.Snapshot.Number != 1 || v.Snapshot.Version != n {
			t.Errorf("snapshot %d has number %d and version %d", n, v.Snapshot.Number, v.Snapshot.Version)
		}
	}
}

func racesOpenOnce(t *testing.T, f *fixture) {
	f.run()
	var wait sync.WaitGroup
	for w := range 8 {
		wait.Go(func() {
			for i := range 25 {
				e := trigger(fmt.Sprint((w + i) % 5))
				if i%7 == 6 {
					e = resolve(e.DedupKey)
				}
				if _, err := f.Commit(t.Context(), insert(f.request(), e)); err != nil {
					t.Errorf("commit: %v", err)
				}
			}
		})
	}
	wait.Wait()
	all, err := f.Incidents(t.Context(), core.IncidentFilter{Page: core.Page{Limit: 500}})
	f.must(err)
	open, numbers := map[string]int{}, map[int64]int{}
	triggers := 0
	for _, in := range all {
		numbers[in.Number]++
		triggers += in.Count
		if in.Open() {
			open[in.DedupKey]++
		}
	}
	for key, n := range open {
		if n > 1 {
			t.Errorf("%d open incidents with key %s", n, key)
		}
	}
	for n := range int64(len(all)) {
		if numbers[n+1] != 1 {
			t.Errorf("INC-%d exists %d times, of %d", n+1, numbers[n+1], len(all))
		}
	}
	if triggers != 8*22 {
		t.Errorf("%d triggers counted, want %d", triggers, 8*22)
	}
}

func numbersGoOn(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("a"), trigger("b"))
	f.restart()
	if r := f.accept(trigger("c")); r.Incidents[0].Number != 3 {
		t.Errorf("the third incident has number %d", r.Incidents[0].Number)
	}
}

// owe stores a request as open work.
func (f *fixture) owe(next time.Time) *core.Request {
	f.t.Helper()
	r := f.request()
	r.State, r.NextAt = core.RequestOpen, next
	if receipt := f.commit(&core.Submission{Insert: true, Change: core.Change{Request: r}}); receipt.State != core.RequestOpen {
		f.t.Fatalf("receipt %+v, want it open", receipt)
	}
	return r
}

func claim(r *core.Request, from int, events ...sdk.Event) *core.Submission {
	s := insert(r, events...)
	s.Insert, s.From = false, from
	return s
}

func claimedOnce(t *testing.T, f *fixture) {
	f.run()
	r := f.owe(f.clock())
	if _, err := f.Commit(t.Context(), claim(r, 5, trigger("k"))); !errors.Is(err, core.ErrNotClaimed) {
		t.Errorf("a claim from elsewhere: %v, want ErrNotClaimed", err)
	}
	r.State = core.RequestDone
	f.commit(claim(r, 0, trigger("k")))
	if _, err := f.Commit(t.Context(), claim(r, 0, trigger("k"))); !errors.Is(err, core.ErrNotClaimed) {
		t.Errorf("a second claim: %v, want ErrNotClaimed", err)
	}
	if _, err := f.Commit(t.Context(), claim(f.request(), 0)); !errors.Is(err, core.ErrNotClaimed) {
		t.Errorf("a claim of nothing: %v, want ErrNotClaimed", err)
	}
	if d := f.incident(1); d.Incident.Count != 1 || len(d.Timeline) != 1 {
		t.Errorf("count %d, %d entries; want 1 and 1", d.Incident.Count, len(d.Timeline))
	}
	got, err := f.Request(t.Context(), r.ID)
	f.must(err)
	if got.State != core.RequestDone || string(got.Body) != `{"a":1}` || got.Total != 1 {
		t.Errorf("got %+v, want it done with its body", got)
	}
}

func appliedInParts(t *testing.T, f *fixture) {
	f.run()
	r := f.owe(f.clock())
	r.AppliedTo, r.AppliedOf = 2, "hash"
	part := claim(r, 0, trigger("a"), trigger("b"))
	part.Change.Last = false
	f.commit(part)
	f.restart()
	owed, err := f.Owed(t.Context(), nil, f.clock(), 0, 10)
	f.must(err)
	if len(owed) != 1 || owed[0].AppliedTo != 2 || owed[0].AppliedOf != "hash" || owed[0].Total != 2 {
		t.Fatalf("owed %+v, want the request with 2 events applied", owed)
	}
	again := owed[0]
	again.State, again.AppliedTo = core.RequestDone, 3
	receipt := f.commit(claim(again, 2, trigger("c")))
	var numbers []int64
	for _, in := range receipt.Incidents {
		numbers = append(numbers, in.Number)
	}
	if !slices.Equal(numbers, []int64{1, 2, 3}) || receipt.Total != 3 {
		t.Errorf("incidents %v of %d, want 1, 2 and 3 of 3", numbers, receipt.Total)
	}
}

func claimKnowsFallback(t *testing.T, f *fixture) {
	f.run()
	r := f.owe(f.clock())
	late := *r // read before the fallback incident was raised
	f.commit(&core.Submission{Change: core.Change{Request: r, Failure: core.AdapterUnavailable, Detail: "it is down"}})
	if in := f.incident(1).Incident; in.Fallback != core.AdapterUnavailable || in.Waiting != 1 {
		t.Fatalf("got %+v, want a fallback incident", in)
	}
	late.State = core.RequestDone
	f.commit(claim(&late, 0, trigger("k")))
	in := f.incident(1).Incident
	if in.Fallback != "" || in.DedupKey != "k" || late.Fallback != 0 {
		t.Errorf("got key %q, fallback %q; want the incident taken over", in.DedupKey, in.Fallback)
	}
}

func delivered(r *core.Request, body string) *core.Request {
	r.Delivery = core.DeliveryKey{ID: core.HashKey("id"), Body: core.HashKey(body)}
	return r
}

func repeatedDelivery(t *testing.T, f *fixture) {
	f.run()
	key := delivered(f.request(), "body").Delivery
	if _, seen, err := f.Seen(t.Context(), tenant, integration, key); seen || err != nil {
		t.Errorf("Seen = %v, %v before it came", seen, err)
	}
	first := f.commit(insert(delivered(f.request(), "body"), trigger("k")))
	want := first
	want.Duplicate = true
	again, seen, err := f.Seen(t.Context(), tenant, integration, key)
	if diff := cmp.Diff(want, again); diff != "" || !seen || err != nil {
		t.Errorf("Seen = %v, %v (-want +got):\n%s", seen, err, diff)
	}
	again = f.commit(insert(delivered(f.request(), "body"), trigger("k")))
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("the second commit (-want +got):\n%s", diff)
	}
	if _, seen, err := f.Seen(t.Context(), tenant, "other/one", key); seen || err != nil {
		t.Errorf("Seen = %v, %v at another integration", seen, err)
	}
	f.flush()
	stored, err := f.Request(t.Context(), first.Request)
	f.must(err)
	if d := f.incident(1); d.Incident.Count != 1 || stored.Duplicates != 2 {
		t.Errorf("count %d, %d repeats; want 1 and 2", d.Incident.Count, stored.Duplicates)
	}
}

func repeatInBatch(t *testing.T, f *fixture) {
	first, second := delivered(f.request(), "body"), delivered(f.request(), "body")
	receipts, errs := f.together(insert(second, trigger("k")), insert(first, trigger("k")))
	f.must(errors.Join(errs...))
	if receipts[0].Request != first.ID || !receipts[0].Duplicate || receipts[1].Duplicate {
		t.Errorf("got %+v, want the second to repeat the first", receipts)
	}
	if d := f.incident(1); d.Incident.Count != 1 {
		t.Errorf("count %d, want 1", d.Incident.Count)
	}
}

func reusedDeliveryID(t *testing.T, f *fixture) {
	f.run()
	f.commit(insert(delivered(f.request(), "one"), trigger("k")))
	r := f.commit(insert(delivered(f.request(), "two"), resolve("k")))
	if r.Duplicate || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "another body") {
		t.Errorf("got %+v, want a new request with a warning", r)
	}
	if in := f.incident(1).Incident; in.Open() {
		t.Error("the second request was not applied")
	}
}

func poisonIsAlone(t *testing.T, f *fixture) {
	good, bad, other := f.request(), f.request(), f.request()
	bad.ID = good.ID // the statement that inserts it fails
	receipts, errs := f.together(insert(good, trigger("a")), insert(bad, trigger("b")), insert(other, trigger("c")))
	if errs[0] != nil || errs[2] != nil || code(errs[1]) != core.Internal {
		t.Errorf("errors %v, want only the second to be %s", errs, core.Internal)
	}
	if receipts[0].Incidents[0].Number != 1 || receipts[2].Incidents[0].Number != 2 {
		t.Errorf("got %+v and %+v, want numbers 1 and 2", receipts[0], receipts[2])
	}
}

func unfoldableIsKept(t *testing.T, f *fixture) {
	f.poor = "trouble with bad"
	good, bad := f.request(), f.request()
	receipts, errs := f.together(insert(good, trigger("good")), insert(bad, trigger("bad")))
	f.must(errors.Join(errs...))
	if receipts[0].State != core.RequestDone || receipts[1].State != core.RequestOpen {
		t.Errorf("got %s and %s, want done and open", receipts[0].State, receipts[1].State)
	}
	f.advance(time.Hour)
	owed, err := f.Owed(t.Context(), nil, f.clock(), 0, 10)
	f.must(err)
	if len(owed) != 1 || owed[0].ID != bad.ID || len(owed[0].Body) == 0 || owed[0].Total != 0 {
		t.Fatalf("owed %+v, want the bad request as it came", owed)
	}
	f.mu.Lock()
	f.poor = ""
	f.mu.Unlock()
	owed[0].State = core.RequestDone
	if r := f.commit(claim(owed[0], 0, trigger("bad"))); r.Incidents[0].Number != 2 {
		t.Errorf("got %+v, want INC-002", r)
	}
}

func code(err error) core.Code {
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e.Code
	}
	return ""
}

func fullQueueRefuses(t *testing.T, f *fixture) {
	big := f.request()
	big.Body = noise(33 << 20)
	var wait sync.WaitGroup
	wait.Go(func() { _, _ = f.Commit(t.Context(), insert(big)) })
	f.await(func() bool { return f.Stats().Waiting == 1 })
	second := *big
	second.ID = f.NewID()
	if _, err := f.Commit(t.Context(), insert(&second)); code(err) != core.Overloaded {
		t.Errorf("got %v, want %s", err, core.Overloaded)
	}
	f.run()
	wait.Wait()
	second.Body = []byte("x")
	f.commit(insert(&second))
}

func lateIsWithdrawn(t *testing.T, f *fixture) {
	f.stop()
	f.cfg.CommitWait = 20 * time.Millisecond
	f.reopen()
	if _, err := f.Commit(t.Context(), insert(f.request(), trigger("k"))); code(err) != core.StoreUnavailable {
		t.Errorf("got %v, want %s", err, core.StoreUnavailable)
	}
	f.run()
	f.await(func() bool { return f.Stats().Waiting == 0 })
	all, err := f.Requests(t.Context(), core.RequestFilter{})
	f.must(err)
	if len(all) != 0 {
		t.Errorf("%d requests are stored that were given up", len(all))
	}
}

func unhurriedShares(t *testing.T, f *fixture) {
	f.stop()
	f.cfg.RecordWait, f.cfg.CommitWait = time.Hour, time.Hour // it would wait for ever
	f.reopen()
	f.run()
	postponed := claim(f.owe(f.clock()), 0)
	postponed.Unhurried = true
	before := f.Stats()
	done := make(chan error, 1)
	go func() {
		_, err := f.Commit(t.Context(), postponed)
		done <- err
	}()
	f.await(func() bool { return f.Stats().Waiting == 1 })
	f.commit(insert(f.request(), trigger("k")))
	f.must(<-done)
	if s := f.Stats(); s.Commits-before.Commits != 1 || s.Items-before.Items != 2 {
		t.Errorf("%d commits for %d items, want 1 for 2", s.Commits-before.Commits, s.Items-before.Items)
	}
}

func endFlushes(t *testing.T, f *fixture) {
	var submissions []*core.Submission
	for i := range 300 { // more than a batch
		submissions = append(submissions, insert(f.request(), trigger(fmt.Sprint(i))))
	}
	errs := make(chan error, len(submissions))
	for _, s := range submissions {
		go func() {
			_, err := f.Commit(t.Context(), s)
			errs <- err
		}()
	}
	f.await(func() bool { return f.Stats().Waiting == 300 })
	f.run()
	f.stop()
	for range submissions {
		if err := <-errs; err != nil {
			t.Errorf("a queued request: %v", err)
		}
	}
	if _, err := f.Commit(t.Context(), insert(f.request())); code(err) != core.StoreUnavailable {
		t.Errorf("after the end: %v, want %s", err, core.StoreUnavailable)
	}
	f.reopen()
	if in, err := f.Incident(t.Context(), 300); err != nil {
		t.Errorf("the last incident: %+v, %v", in, err)
	}
}

func owedWhenDue(t *testing.T, f *fixture) {
	f.run()
	now := f.clock()
	late := f.owe(now.Add(time.Minute))
	first, second := f.owe(now), f.owe(now.Add(-time.Second))
	f.advance(time.Millisecond)
	fresh := f.owe(now.Add(time.Minute))
	list := func(skip []string, at time.Time, before core.ID, limit int) []core.ID {
		t.Helper()
		owed, err := f.Owed(t.Context(), skip, at, before, limit)
		f.must(err)
		var ids []core.ID
		for _, r := range owed {
			if len(r.Body) == 0 {
				t.Errorf("request %s has no body", r.ID)
			}
			ids = append(ids, r.ID)
		}
		return ids
	}
	if got, want := list(nil, now, 0, 10), []core.ID{first.ID, second.ID}; !slices.Equal(got, want) {
		t.Errorf("due: %v, want %v", got, want)
	}
	if got, want := list(nil, now, fresh.ID, 10), []core.ID{late.ID, first.ID, second.ID}; !slices.Equal(got, want) {
		t.Errorf("with what was left behind: %v, want %v", got, want)
	}
	if got := list([]string{integration}, now, 0, 10); len(got) != 0 {
		t.Errorf("skipped, but %v", got)
	}
	if got := list(nil, now.Add(time.Hour), 0, 3); len(got) != 3 {
		t.Errorf("%d with a limit of 3", len(got))
	}
	backlog, err := f.Backlog(t.Context())
	f.must(err)
	if backlog.Requests != 4 || backlog.OldestRequest.IsZero() {
		t.Errorf("backlog %+v, want 4 requests", backlog)
	}
}

func neglected(t *testing.T, f *fixture) {
	f.run()
	old, told := f.owe(f.clock()), f.owe(f.clock())
	f.commit(&core.Submission{Change: core.Change{Request: told, Failure: core.AdapterUnavailable, Detail: "down"}})
	f.advance(time.Minute)
	f.owe(f.clock())
	list, err := f.Neglected(t.Context(), f.clock().Add(-30*time.Second), 10)
	f.must(err)
	if len(list) != 1 || list[0].ID != old.ID {
		t.Errorf("neglected %+v, want only %s", list, old.ID)
	}
}

func listsFilter(t *testing.T, f *fixture) {
	f.run()
	for i := range 5 {
		e := trigger(fmt.Sprint(i))
		e.Service = []string{"db", "api"}[i%2]
		f.accept(e)
	}
	f.accept(resolve("4"))
	numbers := func(want core.IncidentFilter) []int64 {
		t.Helper()
		list, err := f.Incidents(t.Context(), want)
		f.must(err)
		var all []int64
		for _, in := range list {
			all = append(all, in.Number)
		}
		return all
	}
	third := f.incident(3).Incident.ID
	for name, tt := range map[string]struct {
		filter core.IncidentFilter
		want   []int64
	}{
		"all":           {core.IncidentFilter{}, []int64{5, 4, 3, 2, 1}},
		"open":          {core.IncidentFilter{Open: true}, []int64{4, 3, 2, 1}},
		"resolved":      {core.IncidentFilter{Status: core.Resolved}, []int64{5}},
		"of a service":  {core.IncidentFilter{Service: "api", Severity: sdk.High}, []int64{4, 2}},
		"a page":        {core.IncidentFilter{Integration: integration, Page: core.Page{Before: third, Limit: 1}}, []int64{2}},
		"nobody's":      {core.IncidentFilter{Integration: "x/y"}, nil},
		"of the future": {core.IncidentFilter{Since: f.clock().Add(time.Hour)}, nil},
	} {
		if got := numbers(tt.filter); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	requests, err := f.Requests(t.Context(), core.RequestFilter{Integration: integration, State: core.RequestDone})
	f.must(err)
	if len(requests) != 6 || requests[0].Body != nil || requests[0].ID < requests[5].ID {
		t.Errorf("%d requests, want 6, newest first, without bodies", len(requests))
	}
	deliveries, err := f.Deliveries(t.Context(), core.DeliveryFilter{Destination: webhook, Incident: third})
	f.must(err)
	if len(deliveries) != 1 {
		t.Errorf("%d deliveries of INC-003, want 1", len(deliveries))
	}
	for what, err := range map[string]error{
		"incident": second(f.Incident(t.Context(), 99)), "request": second(f.Request(t.Context(), 99)),
		"version": second(f.Version(t.Context(), third, 9)),
	} {
		if code(err) != core.NotFound {
			t.Errorf("an unknown %s: %v, want %s", what, err, core.NotFound)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func pruned(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("open"))             // INC-1 stays open
	f.accept(trigger("owed"))             // INC-2 is over, but nobody was told
	f.accept(resolve("owed"))             //
	f.accept(trigger("over"))             // INC-3 is over, and everybody knows
	f.accept(resolve("over"))             //
	f.accept(resolve("nothing"))          // an orphan
	f.owe(f.clock())                      // work
	old := delivered(f.request(), "body") // a delivery id
	f.commit(insert(old))
	for v := 1; v <= 2; v++ {
		d := f.delivery(3, v)
		d.State, d.DoneAt = core.DeliveryDelivered, f.clock()
		f.must(f.Record(t.Context(), core.Outcome{
			Deliveries: []core.Delivery{d}, Attempt: core.Attempt{Delivery: d.ID, Tenant: tenant, Destination: webhook, At: f.clock()},
			Remember: "posted",
		}))
	}
	over := f.delivery(3, 1).Incident
	f.stop()
	f.advance(100 * 24 * time.Hour)
	f.reopen()
	f.must(f.Engine.Prune(t.Context()))
	if memory, err := f.Memory(t.Context(), over, webhook); memory != "" || err != nil {
		t.Errorf("of an incident that is gone a sender remembers %q, %v; want nothing", memory, err)
	}
	if tally, err := f.RequestTally(t.Context(), integration, f.clock()); tally.Last.IsZero() || err != nil {
		t.Errorf("a silent integration was last heard of at %v, %v; want that kept", tally.Last, err)
	}
	list, err := f.Incidents(t.Context(), core.IncidentFilter{})
	f.must(err)
	numbers := map[int64]bool{}
	for _, in := range list {
		numbers[in.Number] = true
	}
	if want := map[int64]bool{1: true, 2: true}; !maps.Equal(numbers, want) {
		t.Errorf("incidents %v stay, want 1 and 2", numbers)
	}
	if d := f.incident(2); len(d.Timeline) != 2 || len(d.Versions) != 2 || len(d.Deliveries) != 2 {
		t.Errorf("what is owed lost something: %+v", d)
	}
	requests, err := f.Requests(t.Context(), core.RequestFilter{})
	f.must(err)
	if len(requests) != 4 { // of the open incident, two of the owed one, the work
		t.Errorf("%d requests stay, want 4", len(requests))
	}
	if _, seen, err := f.Seen(t.Context(), tenant, integration, old.Delivery); seen || err != nil {
		t.Errorf("an old delivery id: %v, %v; want it forgotten", seen, err)
	}
	f.run()
	if r := f.accept(trigger("new")); r.Incidents[0].Number != 4 {
		t.Errorf("the next incident has number %d, want 4", r.Incidents[0].Number)
	}
}
