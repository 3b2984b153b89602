package app

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Verify and Confirm make the rig its own verifier and confirmer.
func (r *rig) Verify(*core.Integration, http.Header, []byte, []byte, time.Time) (core.Proof, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proof()
}

func (r *rig) Confirm(_ context.Context, _ []string, url string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.urls = append(r.urls, url)
	return r.confirm()
}

func (r *rig) proves(pending string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proof = func() (core.Proof, error) { return core.Proof{Pending: pending}, err }
}

func (r *rig) confirms(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.confirm = func() error { return err }
}

func (r *rig) acceptUnverified(body string) core.Receipt {
	r.t.Helper()
	receipt, err := r.intake.Accept(r.t.Context(), r.machine, &core.Request{
		ReceivedAt: r.clock(), Method: "POST", State: core.RequestOpen, Body: []byte(body), Unverified: true,
	}, []byte(body))
	if err != nil {
		r.t.Fatal(err)
	}
	return receipt
}

func (r *rig) wantCalls(body string, want int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := r.calls[body]; got != want {
		r.t.Errorf("the adapter was called %d times for %q, want %d", got, body, want)
	}
}

func TestUnverifiedRequestReachesNoAdapterUntilItIsProven(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.proves("no route to host", nil)
	receipt := r.acceptUnverified("a")
	if receipt.State != core.RequestOpen {
		t.Errorf("receipt is %s, want open", receipt.State)
	}
	for range 5 {
		r.pass(10 * time.Second)
		r.sweep()
	}
	r.wantCalls("a", 0)
	r.wantState(receipt.Request, core.RequestOpen, core.SignaturePending)
	if got := r.request(receipt.Request); !strings.Contains(got.Reason, "no route to host") || got.Attempt != 0 {
		t.Errorf("reason %q after %d tries of the adapter, want why the signature can't be judged and none", got.Reason, got.Attempt)
	}
	if err := r.intake.Tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.wantIncidents("Alerts from datadog/test are stored but not read: their signatures can't be verified yet: investigating x1")
	r.proves("", nil)
	r.pass(time.Minute)
	r.sweep()
	r.wantState(receipt.Request, core.RequestDone, "")
	r.wantIncidents("problem a: investigating x1") // corrected in place
}

func TestForgeryThatWasStoredIsRefused(t *testing.T) {
	r := newRig(t)
	r.says(trigger)
	r.proves("", &core.Error{Code: core.SignatureInvalid, Message: "The signature doesn't match"})
	early := r.acceptUnverified("a")
	r.pass(time.Minute)
	if err := r.intake.Tell(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.sweep()
	r.wantState(early.Request, core.RequestRejected, core.SignatureInvalid)
	r.pass(time.Hour)
	r.sweep()
	r.wantCalls("a", 0)
	r.wantIncidents("Alerts from datadog/test are stored but not read: their signatures can't be verified yet: resolved x1")
}

func TestProofIsKeptWhenTheAdapterFails(t *testing.T) {
	r := newRig(t)
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) { return sdk.Result{}, errors.New("broken") })
	r.proves("", nil)
	receipt := r.acceptUnverified("a")
	r.sweep()
	r.proves("", &core.Error{Code: core.SignatureExpired, Message: "too late"})
	r.says(trigger)
	r.pass(time.Minute)
	r.sweep()
	r.wantState(receipt.Request, core.RequestDone, "")
}

const confirmURL = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"

func subscription(context.Context, sdk.Request) (sdk.Result, error) {
	return sdk.Result{Ignored: "a subscription", Confirm: &sdk.Confirm{URL: confirmURL}}, nil
}

func TestSubscriptionIsConfirmed(t *testing.T) {
	r := newRig(t)
	r.says(subscription)
	r.confirms(nil)
	receipt := r.accept(r.machine, "a")
	if receipt.State != core.RequestOpen {
		t.Errorf("receipt is %s, want open: its sender can't wait for another host", receipt.State)
	}
	eventually(t, func() bool { return r.request(receipt.Request).State == core.RequestIgnored })
	if notes := r.request(receipt.Request).Notes; !slices.Equal(notes, []string{"the subscription is confirmed"}) {
		t.Errorf("notes %q, want that it is confirmed", notes)
	}
	if r.mu.Lock(); !slices.Equal(r.urls, []string{confirmURL}) {
		t.Errorf("confirmed %q, want one URL", r.urls)
	}
	r.mu.Unlock()
}

func TestSubscriptionThatCannotBeConfirmedIsTriedAgainAndToldOf(t *testing.T) {
	r := newRig(t)
	r.says(subscription)
	r.confirms(errors.New("no route to host"))
	receipt := r.accept(r.machine, "a")
	for tries := 1; tries < 5; tries++ {
		eventually(t, func() bool { return r.request(receipt.Request).Attempt == tries })
		r.wantState(receipt.Request, core.RequestOpen, core.ConfirmationFailed)
		r.pass(10 * time.Minute)
		r.sweep()
	}
	r.wantState(receipt.Request, core.RequestQuarantined, core.ConfirmationFailed)
	r.wantIncidents("A subscription of datadog/test is not confirmed: its alerts will not arrive: investigating x1")
}

func TestConfirmationThatIsRefusedIsNotTriedAgain(t *testing.T) {
	r := newRig(t)
	r.says(subscription)
	r.confirms(&core.Error{Code: core.ConfirmationFailed, Message: "its host answered 400"})
	receipt := r.accept(r.machine, "a")
	eventually(t, func() bool { return r.request(receipt.Request).State == core.RequestQuarantined })
	if got := r.request(receipt.Request); got.Attempt != 1 || !strings.Contains(got.Reason, "answered 400") {
		t.Errorf("%d tries, reason %q; want one, and why", got.Attempt, got.Reason)
	}
}

func TestEventsDoNotWaitForAConfirmation(t *testing.T) {
	r := newRig(t)
	r.says(func(ctx context.Context, request sdk.Request) (sdk.Result, error) {
		result, err := trigger(ctx, request)
		result.Confirm = &sdk.Confirm{URL: confirmURL}
		return result, err
	})
	r.confirms(errors.New("no route to host"))
	receipt := r.accept(r.machine, "a")
	eventually(t, func() bool { return r.request(receipt.Request).State == core.RequestDone })
	r.wantIncidents("problem a: investigating x1")
}

func TestTestConfirmsNothing(t *testing.T) {
	r := newRig(t)
	r.says(subscription)
	receipt, err := r.intake.Accept(t.Context(), r.machine, &core.Request{ReceivedAt: r.clock(), Method: "POST", Test: true, Body: []byte("a")}, []byte("a"))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return r.request(receipt.Request).State == core.RequestIgnored })
	if r.mu.Lock(); len(r.urls) > 0 {
		t.Errorf("confirmed %q, want nothing", r.urls)
	}
	r.mu.Unlock()
}

func TestHandshakeIsAnsweredWhileItsConfirmationIsUnderWay(t *testing.T) {
	r := newRig(t)
	r.says(func(context.Context, sdk.Request) (sdk.Result, error) {
		return sdk.Result{Reply: &sdk.Reply{Body: []byte("challenge")}, Confirm: &sdk.Confirm{URL: confirmURL}}, nil
	})
	r.confirms(nil)
	receipt := r.accept(r.machine, "a")
	if receipt.Reply == nil || string(receipt.Reply.Body) != "challenge" {
		t.Errorf("reply %+v, want the challenge", receipt.Reply)
	}
	eventually(t, func() bool { return r.request(receipt.Request).State == core.RequestIgnored })
}
