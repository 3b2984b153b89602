package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"bellcrank.example/sdk"
)

// target is a destination that does what do says, and otherwise well.
type target struct {
	do func(d sdk.Delivery) (sdk.Step, error) // nil, or a zero step: as usual
}

func (target) Describe() sdk.Info {
	return sdk.Info{Type: "target", Name: "Target", Version: "1.0.0", Summary: "For tests."}
}

func (t target) Deliver(_ context.Context, d sdk.Delivery) (sdk.Step, error) {
	if t.do != nil {
		if step, err := t.do(d); err != nil || step.Request != nil || step.Outcome != nil {
			return step, err
		}
	}
	if len(d.Answers) > 0 {
		return sdk.Ended(d.Answers[0]), nil
	}
	return sdk.AskJSON("https://target.example/", nil, d.Incident.Title)
}

func failedChecks(d sdk.Destination) []string {
	r := &inReport{report: &Report{}}
	r.do(func(t runner) { everyDestinationCheck(t, d, json.RawMessage("{}")) })
	var failed []string
	for _, c := range r.report.Checks {
		if len(c.Complaints) > 0 {
			failed = append(failed, c.Name)
		}
	}
	return failed
}

func TestAGoodDestinationPasses(t *testing.T) {
	if failed := failedChecks(target{}); len(failed) > 0 {
		t.Errorf("failed: %q", failed)
	}
}

// TestEveryBrokenDestinationIsCaught names the check that has to complain.
func TestEveryBrokenDestinationIsCaught(t *testing.T) {
	outcome := func(o sdk.Outcome) (sdk.Step, error) { return sdk.Step{Outcome: &o}, nil }
	afterAnswer := func(then func(a sdk.HTTPAnswer) (sdk.Step, error)) func(sdk.Delivery) (sdk.Step, error) {
		return func(d sdk.Delivery) (sdk.Step, error) {
			if len(d.Answers) == 0 {
				return sdk.Step{}, nil
			}
			return then(d.Answers[len(d.Answers)-1])
		}
	}
	var calls atomic.Int64
	tests := map[string]struct {
		do   func(sdk.Delivery) (sdk.Step, error)
		want string
	}{
		"panics at an empty incident": {func(d sdk.Delivery) (sdk.Step, error) { _ = d.Incident.Links[0]; return sdk.Step{}, nil }, "an answer of 200 ends it well"},
		"fails":                       {func(sdk.Delivery) (sdk.Step, error) { return sdk.Step{}, errors.New("no") }, "an answer of 200 ends it well"},
		"asks for ever":               {func(sdk.Delivery) (sdk.Step, error) { return sdk.Ask(sdk.HTTPRequest{URL: "https://a.example/"}), nil }, "an answer of 200 ends it well"},
		"a relative URL":              {func(sdk.Delivery) (sdk.Step, error) { return sdk.Ask(sdk.HTTPRequest{URL: "/a"}), nil }, "an answer of 200 ends it well"},
		"never delivers":              {afterAnswer(func(sdk.HTTPAnswer) (sdk.Step, error) { return outcome(sdk.Outcome{Class: sdk.Retry, Message: "x"}) }), "an answer of 200 ends it well"},
		"gives up at once": {afterAnswer(func(a sdk.HTTPAnswer) (sdk.Step, error) {
			if a.Status >= 500 {
				return outcome(sdk.Outcome{Class: sdk.Refused, Message: "x"})
			}
			return sdk.Step{}, nil
		}), "a target that is down is tried again"},
		"doesn't wait": {afterAnswer(func(a sdk.HTTPAnswer) (sdk.Step, error) {
			if a.Status == 429 {
				return outcome(sdk.Outcome{Class: sdk.Retry, Message: "x"})
			}
			return sdk.Step{}, nil
		}), "a target that asks to wait is waited for"},
		"tries for ever": {afterAnswer(func(a sdk.HTTPAnswer) (sdk.Step, error) {
			if a.Status == 422 {
				return outcome(sdk.Outcome{Class: sdk.Retry, Message: "x"})
			}
			return sdk.Step{}, nil
		}), "what is refused is refused"},
		"trusts an answer": {afterAnswer(func(a sdk.HTTPAnswer) (sdk.Step, error) {
			if a.Status == 599 {
				_ = a.Body[10_000]
			}
			return sdk.Step{}, nil
		}), "hostile answers"},
		"says no reason": {afterAnswer(func(a sdk.HTTPAnswer) (sdk.Step, error) {
			if a.Status == 500 {
				return outcome(sdk.Outcome{Class: sdk.Retry})
			}
			return sdk.Step{}, nil
		}), "a target that is down is tried again"},
		"is of two minds": {func(sdk.Delivery) (sdk.Step, error) {
			if calls.Add(1) == 1 {
				return outcome(sdk.Outcome{Class: sdk.Delivered, Remember: "once"})
			}
			return sdk.Step{}, nil
		}, "an answer of 200 ends it well"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if failed := failedChecks(target{do: tt.do}); !slices.Contains(failed, tt.want) {
				t.Errorf("failed: %q, want %q among them", failed, tt.want)
			}
		})
	}
}
