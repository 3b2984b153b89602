package app

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"bellcrank.example/sdk"
)

func TestOwnTroubleIsToldOnceAndEnds(t *testing.T) {
	r := newRig(t)
	var wrong []sdk.Event
	newWatcher := func() *watcher {
		return &watcher{store: r.store, troubles: func(context.Context) ([]sdk.Event, error) { return wrong, nil }, now: r.clock, log: slog.Default()}
	}
	look := func(w *watcher, told map[string]bool) {
		t.Helper()
		if err := w.look(t.Context(), told); err != nil {
			t.Fatal(err)
		}
	}
	w, told := newWatcher(), map[string]bool{}
	look(w, told)
	r.wantIncidents()

	wrong = []sdk.Event{{Action: sdk.Trigger, Severity: sdk.High, DedupKey: "destination:webhook/crm", Title: "Destination webhook/crm is disabled"}}
	for range 3 {
		look(w, told)
	}
	r.wantIncidents("Destination webhook/crm is disabled: investigating x1")

	// A restart goes on from what is stored.
	w = newWatcher()
	told, err := w.open(t.Context())
	if err != nil || fmt.Sprint(told) != "map[destination:webhook/crm:true]" {
		t.Fatalf("after a restart %v is told (%v)", told, err)
	}
	look(w, told)
	r.wantIncidents("Destination webhook/crm is disabled: investigating x1")

	wrong = nil
	look(w, told)
	look(w, told)
	r.wantIncidents("Destination webhook/crm is disabled: resolved x1")
}
