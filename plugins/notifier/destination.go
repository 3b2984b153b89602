package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/common/model"

	"bellcrank.example/sdk"
)

// settings are those of one type.
type settings interface {
	// check reports what keeps them from working. An error begins with the
	// setting's name and repeats no secret.
	check() error
	// notifier makes Alertmanager's notifier for one message, which speaks over
	// the wire.
	notifier(m message, w *wire) (notify.Notifier, error)
}

// mender are settings of a type whose notifier makes a request that needs
// mending.
type mender interface {
	mend(r *sdk.HTTPRequest)
}

// judge are settings of a type whose target says in the body how it went. The
// error is the notifier's.
type judge interface {
	verdict(a sdk.HTTPAnswer, err error) sdk.Outcome
}

// destination is one type.
type destination struct {
	info   sdk.Info
	decode func(json.RawMessage) (settings, error)
}

// of describes a type with the settings S.
func of[S settings](info sdk.Info) destination {
	info.Version, info.Settings = "1.0.0", sdk.SettingsOf[S]()
	return destination{info: info, decode: func(object json.RawMessage) (settings, error) {
		s, err := sdk.DecodeSettings[S](object)
		if err != nil {
			return nil, err
		}
		return s, s.check()
	}}
}

// Describe says what the destination is.
func (d destination) Describe() sdk.Info { return d.info }

// Deliver lets the notifier run into its next request: the answers that there
// are it is given, the first request without one is ours to ask for. When it
// needs no more, it has come to an end.
//
// What an HTTP status means is not the notifier's to say: most take a 429 for
// final.
func (d destination) Deliver(ctx context.Context, del sdk.Delivery) (sdk.Step, error) {
	s, err := d.decode(del.Settings)
	if err != nil {
		return sdk.Step{}, err
	}
	var last sdk.HTTPAnswer
	if n := len(del.Answers); n > 0 {
		if last = del.Answers[n-1]; last.Status < 200 || last.Status > 299 {
			return sdk.Ended(last), nil
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends what a notifier leaves behind that doesn't close an answer
	m := message{del}
	w := newWire(del.Answers)
	n, err := s.notifier(m, w)
	if err != nil {
		return sdk.Step{}, err
	}
	retry, err := n.Notify(m.context(ctx), m.alert())
	if asked := w.hangUp(); asked != nil {
		if s, ok := s.(mender); ok {
			s.mend(asked)
		}
		return sdk.Ask(*asked), nil
	}
	if len(del.Answers) == 0 && err != nil {
		return sdk.Step{}, err
	}
	o := outcome(last, retry, err)
	if j, ok := s.(judge); ok {
		o = j.verdict(last, err)
	}
	return sdk.Step{Outcome: &o}, nil
}

// outcome is what the notifier says of answers that are all 2xx. What is no
// JSON comes from somebody else who stands before the vendor.
func outcome(last sdk.HTTPAnswer, retry bool, err error) sdk.Outcome {
	switch {
	case err == nil:
		return sdk.Outcome{Class: sdk.Delivered}
	case retry, !json.Valid(last.Body):
		return sdk.Outcome{Class: sdk.Retry, Message: err.Error()}
	}
	return sdk.Outcome{Class: sdk.Refused, Message: err.Error()}
}

// receiver is what notifiers are told of who they are.
const receiver = "bellcrank"

// context is what Alertmanager's pipeline tells its notifiers. The group's key
// is the incident's, so that vendors who fold see one problem.
func (m message) context(ctx context.Context) context.Context {
	ctx = notify.WithGroupKey(ctx, m.key())
	ctx = notify.WithReceiverName(ctx, receiver)
	ctx = notify.WithGroupLabels(ctx, model.LabelSet{"incident": model.LabelValue(m.Incident.ID)})
	ctx = notify.WithNotificationReason(ctx, notify.ReasonUnknown)
	return notify.WithNow(ctx, m.Now)
}

// key is the incident's, the same for every change of it.
func (m message) key() string { return "bellcrank-" + m.Incident.UID }

// checkTime reports what keeps a setting from being a time.
func checkTime(name, text string, least, most time.Duration) error {
	d, err := model.ParseDuration(text)
	if err != nil || time.Duration(d) < least || time.Duration(d) > most {
		return fmt.Errorf("%s must be a time such as \"1h\", from %v to %v", name, least, most)
	}
	return nil
}

// logger is for what notifiers say. It is little, and the gateway tells all
// that an operator needs to know of an attempt.
var logger = slog.New(slog.DiscardHandler)
