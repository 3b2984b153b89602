package storetest

import (
	"fmt"
	"testing"
	"time"

	"bellcrank.example/core"
)

// dead gives the delivery of an incident's opening up.
func (f *fixture) dead(n int64) core.Delivery {
	f.t.Helper()
	d := f.delivery(n, 1)
	d.State, d.DoneAt, d.LastError, d.Attempt, d.FaultTries = core.DeliveryDead, f.clock(), "400 Bad Request", 3, 3
	f.must(f.Record(f.t.Context(), core.Outcome{Deliveries: []core.Delivery{d}}))
	return f.delivery(n, 1)
}

var (
	retry   = core.Redo{Action: core.RetryDelivery}
	resend  = core.Redo{Action: core.RetryDelivery, NewID: true}
	discard = core.Redo{Action: core.DiscardDelivery}
)

func deadIsRetried(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	d := f.dead(1)
	f.bells()
	f.advance(time.Hour)
	if _, err := f.Redo(t.Context(), d.ID, retry); err != nil {
		t.Fatal(err)
	}
	got := f.delivery(1, 1)
	if got.State != core.DeliveryDue || got.ID != d.ID || got.Attempt+got.FaultTries != 0 || !got.NextAt.Equal(micros(f.clock())) {
		t.Errorf("retried %+v, want it due afresh under its id", got)
	}
	if got := f.bells(); len(got) != 1 || got[0] != webhook {
		t.Errorf("rang for %v, want %s", got, webhook)
	}
	if _, err := f.Redo(t.Context(), d.ID, discard); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Redo(t.Context(), d.ID, discard); code(err) != core.Conflict {
		t.Errorf("discarding twice: %v, want a conflict", err)
	}
	if _, err := f.Redo(t.Context(), 1, retry); code(err) != core.NotFound {
		t.Errorf("retrying nothing: %v, want it not found", err)
	}
	letters, err := f.DeadLetters(t.Context())
	if err != nil || len(letters) != 0 {
		t.Errorf("dead letters %v, %v; want none", letters, err)
	}
}

func deadLettersKept(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	d := f.dead(1)
	f.accept(resolve("k"))
	told := f.delivery(1, 2)
	told.State, told.DoneAt = core.DeliveryDelivered, f.clock()
	f.must(f.Record(t.Context(), core.Outcome{Deliveries: []core.Delivery{told}}))
	state := func() core.DeliveryState {
		f.stop()
		f.reopen()
		f.must(f.Engine.Prune(t.Context()))
		got, err := f.Delivery(t.Context(), d.ID)
		if err != nil {
			return "gone"
		}
		return got.State
	}
	for _, step := range []struct {
		passes time.Duration
		want   core.DeliveryState
	}{
		{29 * 24 * time.Hour, core.DeliveryDead},
		{2 * 24 * time.Hour, core.DeliveryDiscarded},
		{70 * 24 * time.Hour, "gone"}, // with its incident
	} {
		f.advance(step.passes)
		if got := state(); got != step.want {
			t.Errorf("%v later it is %s, want %s", step.passes, got, step.want)
		}
		f.run()
	}
}

func olderIsNotRetried(t *testing.T, f *fixture) {
	f.run()
	f.accept(trigger("k"))
	f.accept(acknowledge("k"))
	d := f.dead(1)
	newer := f.delivery(1, 2)
	newer.State = core.DeliveryDelivered
	f.must(f.Record(t.Context(), core.Outcome{Deliveries: []core.Delivery{newer}}))
	if _, err := f.Redo(t.Context(), d.ID, retry); code(err) != core.Conflict {
		t.Errorf("got %v, want a conflict: a newer change was delivered", err)
	}
	again, err := f.Redo(t.Context(), d.ID, resend)
	f.must(err)
	if again.ID == d.ID || again.ResendOf != d.ID || again.State != core.DeliveryDue || again.Version != 1 {
		t.Errorf("sent once more %+v, want a new row linked to the old one", again)
	}
	if got, err := f.Delivery(t.Context(), d.ID); err != nil || got.State != core.DeliveryDead {
		t.Errorf("the old row is %+v, %v; want it dead still", got, err)
	}
	if lanes := f.due(); len(lanes) != 1 || lanes[0].Deliveries[0].ID != again.ID {
		t.Errorf("due are %+v, want the new row", lanes)
	}
}

func bulkGoesOn(t *testing.T, f *fixture) {
	f.run()
	for i := range 30 {
		f.accept(trigger(fmt.Sprint(i)))
		f.dead(int64(i + 1))
	}
	f.advance(time.Minute)
	bulk, err := f.StartBulk(t.Context(), core.Bulk{Redo: retry, Filter: core.DeliveryFilter{State: core.DeliveryDead}})
	f.must(err)
	f.accept(trigger("later"))
	f.dead(31)
	for range 2 {
		if bulk, err = f.StepBulk(t.Context(), bulk.ID, 7); err != nil {
			t.Fatal(err)
		}
	}
	if bulk.Total != 30 || bulk.Done != 14 || bulk.Changed != 14 || bulk.State != core.BulkRunning {
		t.Errorf("after two steps %+v, want 14 of 30", bulk)
	}
	f.restart()
	running, err := f.Bulks(t.Context(), true)
	if err != nil || len(running) != 1 {
		t.Fatalf("running %+v, %v; want one after a restart", running, err)
	}
	for bulk.State == core.BulkRunning {
		if bulk, err = f.StepBulk(t.Context(), bulk.ID, 7); err != nil {
			t.Fatal(err)
		}
	}
	if bulk.Done != 30 || bulk.Changed != 30 || bulk.EndedAt.IsZero() {
		t.Errorf("at the end %+v, want all 30 changed", bulk)
	}
	if lanes := f.due(); len(lanes) == 0 {
		t.Error("nothing is due")
	}
	n, err := f.CountDeliveries(t.Context(), core.DeliveryFilter{State: core.DeliveryDead})
	if err != nil || n != 1 {
		t.Errorf("%d are dead, %v; want the one that came later", n, err)
	}
}

func bulkIsCancelled(t *testing.T, f *fixture) {
	f.run()
	for i := range 5 {
		f.accept(trigger(fmt.Sprint(i)))
	}
	f.advance(time.Minute)
	bulk, err := f.StartBulk(t.Context(), core.Bulk{Redo: discard, Filter: core.DeliveryFilter{Destination: webhook}})
	f.must(err)
	_, err = f.StepBulk(t.Context(), bulk.ID, 2)
	f.must(err)
	if bulk, err = f.CancelBulk(t.Context(), bulk.ID); err != nil || bulk.State != core.BulkCancelled {
		t.Fatalf("cancelled %+v, %v", bulk, err)
	}
	if bulk, err = f.StepBulk(t.Context(), bulk.ID, 2); err != nil || bulk.Done != 2 {
		t.Errorf("after it was cancelled %+v, %v; want 2 done", bulk, err)
	}
	n, err := f.CountDeliveries(t.Context(), core.DeliveryFilter{State: core.DeliveryDiscarded})
	if err != nil || n != 2 {
		t.Errorf("%d are discarded, %v; want 2", n, err)
	}
	if _, err := f.CancelBulk(t.Context(), 1); code(err) != core.NotFound {
		t.Errorf("cancelling nothing: %v, want it not found", err)
	}
}
