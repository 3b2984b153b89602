package serve

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestACallsContextEndsInTime(t *testing.T) {
	tests := map[string]func(context.Context) <-chan struct{}{
		"who waits":                    func(ctx context.Context) <-chan struct{} { return ctx.Done() },
		"who makes a context of it":    func(ctx context.Context) <-chan struct{} { return child(ctx).Done() },
		"who waited before, and again": func(ctx context.Context) <-chan struct{} { _ = ctx.Done(); return child(ctx).Done() },
	}
	for name, done := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx := withDeadline(t.Context(), began.Add(time.Minute))
				defer ctx.end()
				if err := ctx.Err(); err != nil {
					t.Errorf("it ends with %v before its time", err)
				}
				<-done(ctx)
				if took := time.Since(began); took != time.Minute || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
					t.Errorf("it ended with %v after %v, want the deadline after a minute", ctx.Err(), took)
				}
			})
		})
	}
}

// child is a context made from another, that lives as long.
func child(ctx context.Context) context.Context {
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(ctx, key{}, 1))
	context.AfterFunc(ctx, cancel)
	return ctx
}

func TestACallsContextSaysTheSameForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stream, cancel := context.WithCancel(t.Context())
		defer cancel()
		at := func(d time.Duration) *deadline { return withDeadline(stream, time.Now().Add(d)) }
		late, answered, lost, waiting := at(time.Second), at(time.Hour), at(time.Hour), at(time.Hour)
		done := waiting.Done()
		time.Sleep(time.Minute)
		if err := late.Err(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after its time it says %v", err)
		}
		answered.end()
		waiting.end()
		<-done
		<-answered.Done()
		cancel()
		<-lost.Done()
		for range 2 {
			if !errors.Is(late.Err(), context.DeadlineExceeded) || !errors.Is(answered.Err(), context.Canceled) ||
				!errors.Is(waiting.Err(), context.Canceled) || !errors.Is(lost.Err(), context.Canceled) {
				t.Errorf("they say %v, %v, %v, %v; want the deadline and three ends", late.Err(), answered.Err(), waiting.Err(), lost.Err())
			}
			late.end()
			lost.end()
		}
	})
}

func TestTheEarlierDeadlineCounts(t *testing.T) {
	early := time.Now().Add(time.Hour)
	outer, cancel := context.WithDeadline(t.Context(), early)
	defer cancel()
	ctx := withDeadline(outer, early.Add(time.Hour))
	defer ctx.end()
	if got, ok := ctx.Deadline(); !ok || !got.Equal(early) {
		t.Errorf("deadline %v, want %v", got, early)
	}
}
