package store

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nobody hears of anything.
type nobody struct{}

func (nobody) Decide(*core.Incident) ([]string, []core.Decision)  { return nil, nil }
func (nobody) Wants(string, core.Kind) bool                       { return true }
func (nobody) Hold(*core.Incident, time.Time) (core.Hold, bool)   { return core.Hold{}, false }
func (nobody) Generation() int64                                  { return 1 }
func (nobody) Instead(*core.Incident, func(string) bool) []string { return nil }

func TestStoreRemembersAcrossProcesses(t *testing.T) {
	dir := t.TempDir()
	for _, url := range []string{dir, "sqlite:" + dir} {
		s, err := Open(t.Context(), Config{URL: url, Routes: func() core.Routes { return nobody{} }})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		in := &core.Integration{Tenant: core.DefaultTenant, Type: "custom", Name: "a"}
		r := &core.Request{ID: s.NewID(), Tenant: in.Tenant, Integration: in.ID(), ReceivedAt: time.Now(), State: core.RequestDone}
		events := core.PrepareEvents(in, r.ID, false, []sdk.Event{{Action: sdk.Trigger, DedupKey: "k", Title: "t"}})
		receipt, err := s.Commit(t.Context(), &core.Submission{Insert: true, Change: core.Change{Request: r, Events: events, Last: true}})
		if err != nil || receipt.Incidents[0].Number != 1 {
			t.Errorf("%s: %+v, %v; want INC-001", url, receipt, err)
		}
		if err := s.Writable(t.Context()); err != nil {
			t.Errorf("%s isn't writable: %v", url, err)
		}
		stop()
		if err := <-done; err != nil {
			t.Errorf("%s: Run: %v", url, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: close: %v", url, err)
		}
	}
}

func TestOtherStoresAreRefused(t *testing.T) {
	for _, url := range []string{"", "sqlite:", "mysql://localhost/x"} {
		if _, err := Open(t.Context(), Config{URL: url}); err == nil {
			t.Errorf("%q was opened", url)
		}
	}
}
