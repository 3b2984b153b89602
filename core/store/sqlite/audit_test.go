package sqlite

import (
	"context"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/store/engine"
	"bellcrank.example/sdk"
)

// everywhere sends each incident to two destinations.
type everywhere struct{}

func (everywhere) Decide(*core.Incident) ([]string, []core.Decision) {
	return []string{"log/a", "log/b"}, nil
}
func (everywhere) Instead(*core.Incident, func(string) bool) []string { return nil }

func (everywhere) Wants(string, core.Kind) bool                            { return true }
func (everywhere) Hold(*core.Incident, time.Time) (h core.Hold, held bool) { return h, false }
func (everywhere) Generation() int64                                       { return 1 }

// TestAuditFindsWhatIsMissing damages a database in every way that an audit
// shall find.
func TestAuditFindsWhatIsMissing(t *testing.T) {
	tests := map[string]struct {
		damage, want string
	}{
		"a delivery":       {`DELETE FROM delivery WHERE version = 1 AND destination = 'log/b'`, "delivery missing: INC-001 version 1 to log/b"},
		"the newest":       {`DELETE FROM incident_version WHERE number = 3`, "version missing: INC-001"},
		"one in between":   {`DELETE FROM incident_version WHERE number = 2`, "version missing: INC-001"},
		"an event":         {`DELETE FROM event WHERE id = (SELECT max(id) FROM event)`, "event missing: receipt "},
		"an incident":      {`DELETE FROM incident`, "incident missing: "},
		"a request":        {`DELETE FROM request WHERE id = (SELECT min(id) FROM request)`, "receipts missing: custom/x"},
		"a folded one":     {`UPDATE delivery SET state = 'folded', folded_into = 1 WHERE version = 1`, "folded into nothing: INC-001 version 1 to log/a"},
		"nothing, in fact": {`UPDATE delivery SET state = 'dead' WHERE version = 1`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, e := audited(t)
			if err := db.writer.query(tt.damage).exec(); err != nil {
				t.Fatal(err)
			}
			var gaps []string
			for _, part := range []func() (core.AuditPage, error){
				func() (core.AuditPage, error) { return db.AuditRequests(t.Context(), 0, 100) },
				func() (core.AuditPage, error) { return db.AuditVersions(t.Context(), 0, 100) },
				func() (core.AuditPage, error) { return e.AuditCounts(t.Context(), time.Now().Add(-time.Hour*48)) },
			} {
				p, err := part()
				if err != nil {
					t.Fatal(err)
				}
				for _, g := range p.Gaps {
					gaps = append(gaps, g.Kind+": "+g.Subject)
				}
			}
			found := strings.Join(gaps, "\n")
			if !strings.Contains(found, tt.want) || (tt.want == "") != (found == "") {
				t.Errorf("found %q, want %q", found, tt.want)
			}
		})
	}
}

// audited is a database with one incident of three versions.
func audited(t *testing.T) (*DB, *engine.Engine) {
	t.Helper()
	db, err := Open(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(-2 * time.Hour)
	e, err := engine.New(t.Context(), engine.Config{
		Driver: db, Routes: func() core.Routes { return everywhere{} }, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	in := &core.Integration{Tenant: core.DefaultTenant, Type: "custom", Name: "x"}
	for _, event := range []sdk.Event{
		{Action: sdk.Trigger, DedupKey: "k", Severity: sdk.Low}, {Action: sdk.Acknowledge, DedupKey: "k"}, {Action: sdk.Resolve, DedupKey: "k"},
	} {
		r := &core.Request{ID: e.NewID(), Tenant: in.Tenant, Integration: in.ID(), ReceivedAt: now, Method: "POST", State: core.RequestDone}
		_, err := e.Commit(t.Context(), &core.Submission{Insert: true, Change: core.Change{
			Request: r, Last: true, Events: core.PrepareEvents(in, r.ID, false, []sdk.Event{event}),
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, e
}
