package sdktest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"bellcrank.example/sdk"
)

// maxRequests is how many requests the gateway makes for one attempt.
const maxRequests = 4

// RunDestination holds a destination to the contract, with settings that an
// operator could write.
func RunDestination(t *testing.T, d sdk.Destination, settings json.RawMessage) {
	t.Helper()
	everyDestinationCheck(inTest{t}, d, settings)
}

func everyDestinationCheck(t runner, d sdk.Destination, settings json.RawMessage) {
	t.run("description", func(t runner) { checkDestinationDescription(t, d) })
	taken := d.Describe().Taken
	if len(taken) == 0 {
		taken = json.RawMessage("{}")
	}
	t.run("an answer of 200 ends it well", func(t runner) {
		eachDelivery(t, settings, func(t runner, del sdk.Delivery) {
			if o := converse(t, d, del, sdk.HTTPAnswer{Status: 200, Body: taken}); o.Class != sdk.Delivered {
				t.Errorf("%s: %+v, want delivered", del.Kind, o)
			}
		})
	})
	t.run("a target that is down is tried again", func(t runner) {
		eachDelivery(t, settings, func(t runner, del sdk.Delivery) {
			for _, status := range []int{500, 502, 503, 401} {
				if o := converse(t, d, del, sdk.HTTPAnswer{Status: status}); o.Class != sdk.Retry && asked(t, d, del) {
					t.Errorf("%s, answer %d: %+v, want a retry", del.Kind, status, o)
				}
			}
		})
	})
	t.run("a target that asks to wait is waited for", func(t runner) {
		eachDelivery(t, settings, func(t runner, del sdk.Delivery) {
			answer := sdk.HTTPAnswer{Status: 429, Header: http.Header{"Retry-After": {"7"}}}
			if o := converse(t, d, del, answer); asked(t, d, del) && (o.Class != sdk.Retry || o.RetryAfter != 7*time.Second) {
				t.Errorf("%s: %+v, want a retry after 7s", del.Kind, o)
			}
		})
	})
	t.run("what is refused is refused", func(t runner) {
		eachDelivery(t, settings, func(t runner, del sdk.Delivery) {
			if o := converse(t, d, del, sdk.HTTPAnswer{Status: 422}); asked(t, d, del) && o.Class != sdk.Refused {
				t.Errorf("%s: %+v, want refused: it would be tried for ever", del.Kind, o)
			}
		})
	})
	t.run("hostile answers", func(t runner) { checkHostileAnswers(t, d, settings) })
	t.run("many at once", func(t runner) {
		var calls sync.WaitGroup
		for range 32 {
			calls.Go(func() {
				eachDelivery(t, settings, func(t runner, del sdk.Delivery) {
					if _, err := ask(d, del); err != nil {
						t.Errorf("%s: %v", del.Kind, err)
					}
				})
			})
		}
		calls.Wait()
	})
}

func checkDestinationDescription(t runner, d sdk.Destination) {
	info := d.Describe()
	if !reflect.DeepEqual(info, d.Describe()) {
		t.Errorf("Describe gives two different answers")
	}
	if !typeName.MatchString(info.Type) || !version.MatchString(info.Version) || info.Name == "" || info.Summary == "" {
		t.Errorf("type %q, version %q, name %q, summary %q: want lower case letters, a semantic version, and texts", info.Type, info.Version, info.Name, info.Summary)
	}
	if len(info.Taken) > 0 && !json.Valid(info.Taken) {
		t.Errorf("taken is not JSON: %.100q", info.Taken)
	}
	for _, s := range info.Settings {
		if complaint := settingComplaint(s); complaint != "" {
			t.Errorf("setting %s %s", s.Name, complaint)
		}
	}
}

// eachDelivery calls check with incidents of every kind, with much in them, and
// with next to nothing.
func eachDelivery(t runner, settings json.RawMessage, check func(runner, sdk.Delivery)) {
	full := sdk.Incident{
		ID: "INC-042", UID: "0dyhqtwbr0000", Title: "Checkout is slow", Description: "p99 is 4.2 s\nfor 5 minutes", Severity: sdk.High,
		Status: "investigating", Service: "checkout", AffectedServices: []string{"shop", "pay"}, URL: "https://alerts.example/incidents/INC-042",
		SourceURL: "https://monitoring.example/1", Integration: "custom/a", DedupKey: "k", Version: 3, Count: 7, OpenedAt: receivedAt,
		Labels: map[string]string{"env": "production"}, Metadata: map[string]any{"a": []any{1, nil, map[string]any{"b": "c"}}},
		Links: []sdk.Link{{Name: "runbook", URL: "https://wiki.example/1"}},
	}
	odd := full
	odd.Title, odd.Description = "\u202e<script>\"\\\u0000"+strings.Repeat("long ", 2000), strings.Repeat("línea\n", 10_000)
	for _, kind := range []string{"created", "updated", "escalated", "acknowledged", "resolved", "reopened", "of a later gateway"} {
		for _, in := range []sdk.Incident{full, odd, {ID: "INC-001", UID: "1"}} {
			check(t, sdk.Delivery{
				ID: "msg_0dyhqtwcr0004", Destination: "test/one", Kind: kind, Attempt: 1, At: receivedAt, Now: receivedAt,
				Incident: in, Author: "anna", Note: "on it", Settings: settings, Headline: headline(in),
				Texts: map[string]string{"title": in.Title, "text": in.Description},
			})
		}
	}
}

// headline is one that the gateway could have: one line, however long.
func headline(in sdk.Incident) string {
	if in.Title == "" {
		return ""
	}
	return sdk.Line("[" + in.ID + "] " + in.Title)
}

// converse gives every request of an attempt the same answer, and returns how
// it ended.
func converse(t runner, d sdk.Destination, del sdk.Delivery, answer sdk.HTTPAnswer) sdk.Outcome {
	for range maxRequests + 1 {
		step := deliver(t, d, del)
		if step.Outcome != nil {
			return *step.Outcome
		}
		del.Answers = append(del.Answers, answer)
	}
	t.Fatalf("%s: more than %d requests in one attempt", del.Kind, maxRequests)
	return sdk.Outcome{}
}

// survive is converse with an answer of which anything may be made.
func survive(t runner, d sdk.Destination, del sdk.Delivery, answer sdk.HTTPAnswer) {
	for range maxRequests + 1 {
		step, err := ask(d, del)
		if err != nil {
			t.Fatalf("%s, answer %d %.20q: %v", del.Kind, answer.Status, answer.Body, err)
		}
		if step.Outcome != nil {
			return
		}
		del.Answers = append(del.Answers, answer)
	}
	t.Fatalf("%s, answer %d %.20q: more than %d requests in one attempt", del.Kind, answer.Status, answer.Body, maxRequests)
}

// asked reports whether a delivery needs a request at all.
func asked(t runner, d sdk.Destination, del sdk.Delivery) bool {
	return deliver(t, d, del).Request != nil
}

// deliver asks once, and holds the answer to what any answer must be.
func deliver(t runner, d sdk.Destination, del sdk.Delivery) sdk.Step {
	step, err := ask(d, del)
	if err != nil {
		t.Fatalf("%s: %v", del.Kind, err)
	}
	again, err := ask(d, del)
	if err != nil || !reflect.DeepEqual(step, again) {
		t.Errorf("%s: asked twice alike, it says %+v and %+v (%v)", del.Kind, step, again, err)
	}
	return step
}

func ask(d sdk.Destination, del sdk.Delivery) (step sdk.Step, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if step, err = d.Deliver(ctx, del); err != nil {
		return step, err
	}
	switch r, o := step.Request, step.Outcome; {
	case (r == nil) == (o == nil):
		return step, fmt.Errorf("%+v: want either a request or an outcome", step)
	case r != nil && !absolute(r.URL):
		return step, fmt.Errorf("URL %q is not absolute", r.URL)
	case r != nil && len(r.Body) > 1<<20:
		return step, fmt.Errorf("a body of %d bytes", len(r.Body))
	case o != nil && o.Class != sdk.Delivered && o.Class != sdk.Retry && o.Class != sdk.Refused:
		return step, fmt.Errorf("class %q", o.Class)
	case o != nil && o.Class != sdk.Delivered && o.Message == "":
		return step, fmt.Errorf("%s without a message", o.Class)
	}
	return step, nil
}

func checkHostileAnswers(t runner, d sdk.Destination, settings json.RawMessage) {
	bodies := [][]byte{nil, []byte("null"), []byte("[]"), []byte(`{"id":{}}`), []byte("<html>"), []byte("\xff\xfe"), []byte(strings.Repeat("[", 16<<10))}
	plain := map[string]bool{} // kinds of which the first incident has been told
	eachDelivery(t, settings, func(t runner, del sdk.Delivery) {
		if plain[del.Kind] && del.Kind != "created" {
			return // what an answer does won't depend on both
		}
		plain[del.Kind] = true
		for _, body := range bodies {
			for _, status := range []int{0, 100, 200, 204, 302, 404, 409, 599} {
				survive(t, d, del, sdk.HTTPAnswer{Status: status, Body: body, Header: http.Header{"Retry-After": {"\x00", "-1"}}})
			}
		}
	})
}
