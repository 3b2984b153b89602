//go:build unix

package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unsafe"

	"bellcrank.example/sdk"
)

// much is a result with too much of something, or as much as there may be.
func much(of string) sdk.Result {
	event := sdk.Event{Action: sdk.Trigger, Title: "t"}
	switch of {
	case "events":
		return sdk.Result{Events: make([]sdk.Event, DefaultEvents+1)}
	case "rejections":
		return sdk.Result{Rejected: make([]sdk.Rejection, DefaultEvents+1)}
	case "links":
		event.Links = make([]sdk.Link, absurd*MaxLinks+1)
	case "services":
		event.AffectedServices = make([]string, absurd*MaxServices+1)
	case "labels":
		event.Labels = map[string]string{}
		for i := range absurd*MaxLabels + 1 {
			event.Labels[fmt.Sprint(i)] = ""
		}
	case "notes":
		return sdk.Result{Events: []sdk.Event{event}, Notes: make([]string, absurd*MaxNotes+1)}
	case "metadata":
		list := make([]any, 300_000)
		for i := range list {
			list[i] = map[string]any{}
		}
		event.Metadata = map[string]any{"a": list}
	case "enough":
		event.Links, event.AffectedServices = make([]sdk.Link, absurd*MaxLinks), make([]string, absurd*MaxServices)
		return sdk.Result{Events: []sdk.Event{event}, Rejected: make([]sdk.Rejection, DefaultEvents-1), Notes: make([]string, absurd*MaxNotes)}
	}
	return sdk.Result{Events: []sdk.Event{event}}
}

// TestWhatIsAbsurdEndsAlikeOnEachWay has the same answers come on the stream,
// by calls and in batches.
func TestWhatIsAbsurdEndsAlikeOnEachWay(t *testing.T) {
	tooLarge := func(err error) bool {
		f, ok := errors.AsType[*sdk.Failure](err)
		return ok && f.Code == sdk.TooLarge
	}
	broken := func(err error) bool {
		e, ok := errors.AsType[*Error](err)
		return ok && e.Kind == Broken
	}
	want := map[string]func(error) bool{
		"events": tooLarge, "rejections": tooLarge, "metadata": tooLarge,
		"links": broken, "services": broken, "labels": broken, "notes": broken,
		"enough": func(err error) bool { return err == nil },
	}
	stream, calls := start(t, nil), start(t, func(cfg *Config) { cfg.Way = Unary })
	batches := startBatches(t, "well")
	for of, right := range want {
		for name, c := range map[string]*Client{"stream": stream, "calls": calls} {
			if _, err := c.Adapt(patience(t, 30*time.Second), sdk.Request{ID: "r", Path: "much", Body: []byte(of)}); !right(err) {
				t.Errorf("%s on %s: %v", of, name, err)
			}
		}
		_, errs := together(t, batches, 30*time.Second, bodies("much "+of, "much "+of)...)
		for i, err := range errs {
			if much := i == 10 || i == 30; much && !right(err) || !much && err != nil {
				t.Errorf("%s in a batch, request %d: %v", of, i, err)
			}
		}
	}
}

// TestRoomComesBack has many more answers than there is room for, some of whose
// callers are gone.
func TestRoomComesBack(t *testing.T) {
	for name, change := range map[string]func(*Config){"stream": nil, "calls": func(cfg *Config) { cfg.Way = Unary }} {
		t.Run(name, func(t *testing.T) {
			c := start(t, change)
			large := sdk.Request{ID: "r", Path: "large", Body: []byte("3000000")}
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				_, _ = c.Adapt(ctx, large)
				cancel()
			}
			for range 30 {
				if _, err := c.Adapt(patience(t, 60*time.Second), large); err != nil {
					t.Fatal(err)
				}
			}
			for _, r := range []room{c.reading, c.sending, c.gate} {
				giveBack, err := r.take(patience(t, 60*time.Second), int(r.size))
				if err != nil {
					t.Fatalf("of %d some isn't given back: %v", r.size, err)
				}
				giveBack()
			}
		})
	}
}

func TestAnAnswerKeepsItsRoomWhileItIsChecked(t *testing.T) {
	c := start(t, nil)
	large := sdk.Request{ID: "r", Path: "large", Body: []byte("3000000")}
	_, err := c.AdaptAnd(patience(t, 60*time.Second), large, func(r sdk.Result) (sdk.Result, error) {
		if c.reading.left.TryAcquire(c.reading.size - 3_000_000) {
			t.Error("there is room for others as if it had none")
		}
		return r, errors.New("checked")
	})
	if err == nil || err.Error() != "checked" {
		t.Errorf("error %v", err)
	}
	if !c.reading.left.TryAcquire(c.reading.size) {
		t.Error("its room isn't given back")
	}
}

func TestALittleTextDoesNotKeepALargeMessage(t *testing.T) {
	message := strings.Repeat("x", 1<<20)
	little := sdk.Result{
		Events: []sdk.Event{{
			Title: message[:5], Labels: map[string]string{message[:1]: message[:2]},
			Metadata: map[string]any{message[:3]: []any{message[:4], json.Number(message[:1]), map[string]any{"a": message[:6]}, nil}},
		}},
		Notes: []string{message[:7]},
	}
	got := detach(little, len(message))
	for _, s := range []string{got.Events[0].Title, got.Notes[0], got.Events[0].Labels["x"], got.Events[0].Metadata["xxx"].([]any)[0].(string)} {
		if inside(s, message) {
			t.Errorf("%q is a part of the message", s)
		}
	}
	much := sdk.Result{Ignored: message[:600_000]}
	if got := detach(much, len(message)); !inside(got.Ignored, message) {
		t.Error("what is most of the message is copied")
	}
}

// inside reports whether a text is a part of another in memory.
func inside(part, whole string) bool {
	at, begin := uintptr(unsafe.Pointer(unsafe.StringData(part))), uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	return at >= begin && at < begin+uintptr(len(whole))
}
