package main

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"time"

	"bellcrank.example/plugins/internal/flat"
	"bellcrank.example/sdk"
)

type adapter struct{}

// Adapt reads one message of a topic, or what is said about the subscription.
// The gateway has checked the signature, so the members that are signed count,
// and the headers only where there is no envelope.
func (adapter) Adapt(ctx context.Context, r sdk.Request) (sdk.Result, error) {
	if err := ctx.Err(); err != nil {
		return sdk.Result{}, err
	}
	s, err := sdk.Settings[settings](r)
	if err != nil {
		return sdk.Result{}, err
	}
	m, err := readEnvelope(r)
	if err != nil {
		return sdk.Result{}, err
	}
	if !s.allows(m.topic) {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "TopicArn", Message: "the topic is not one of this integration's topics"}
	}
	switch m.kind {
	case typeNotification:
		return m.notification(s)
	case typeSubscribe:
		return m.subscription(s)
	case typeUnsubscribe:
		return m.unsubscription(s)
	}
	return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "Type", Message: "not a kind of message that SNS sends"}
}

// envelope is one delivery of SNS.
type envelope struct {
	kind      string
	topic     string // ARN
	subject   string
	message   string
	subscribe string // URL
	at        time.Time
	received  time.Time
}

// readEnvelope reads the envelope, or the message alone as raw delivery sends
// it.
func readEnvelope(r sdk.Request) (envelope, error) {
	if len(bytes.TrimSpace(r.Body)) == 0 {
		return envelope{}, &sdk.Failure{Code: sdk.Malformed, Message: "the body is empty"}
	}
	bare := envelope{kind: typeNotification, topic: r.Header.Get(headerTopic), message: strings.ToValidUTF8(string(r.Body), "\uFFFD"), received: r.ReceivedAt}
	if strings.EqualFold(r.Header.Get(headerRaw), "true") {
		return bare, nil
	}
	members, err := flat.Parse(bytes.TrimSpace(r.Body))
	if err != nil {
		return envelope{}, err
	}
	if members.Text("Type") == "" && members.Text("TopicArn") == "" {
		return bare, nil // a relay has unwrapped it, or a script posts here
	}
	m := envelope{
		kind: members.Text("Type"), topic: members.Text("TopicArn"), subject: sdk.Line(members.Text("Subject")),
		message: members.Text("Message"), subscribe: members.Text("SubscribeURL"), at: sdk.ParseTime(members.Text("Timestamp")),
		received: r.ReceivedAt,
	}
	if m.kind == "" {
		m.kind = typeNotification
	}
	return m, nil
}

// allows reports whether messages of the topic are welcome.
func (s settings) allows(topic string) bool {
	if len(s.Topics) == 0 {
		return true
	}
	for _, allowed := range s.Topics {
		beginning, open := strings.CutSuffix(allowed, "*")
		if topic == allowed || open && strings.HasPrefix(topic, beginning) {
			return true
		}
	}
	return false
}

// subscription asks the gateway to confirm, if the URL does nothing else.
func (m envelope) subscription(s settings) (sdk.Result, error) {
	if !s.Confirm {
		return sdk.Result{Ignored: "a subscription that is to be confirmed by hand"}, nil
	}
	u, err := url.Parse(m.subscribe)
	if err != nil || u.Scheme != "https" || u.Query().Get("Action") != "ConfirmSubscription" || u.Query().Get("TopicArn") != m.topic {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "SubscribeURL", Message: "not a URL that confirms a subscription of this topic"}
	}
	return sdk.Result{Ignored: "a subscription to confirm", Confirm: &sdk.Confirm{URL: m.subscribe}}, nil
}

// unsubscription tells that a source has fallen silent.
func (m envelope) unsubscription(s settings) (sdk.Result, error) {
	if s.Unsubscribed == "ignore" {
		return sdk.Result{Ignored: "the topic no longer sends here"}, nil
	}
	if m.topic == "" {
		return sdk.Result{}, &sdk.Failure{Code: sdk.Unsupported, Path: "TopicArn", Message: "missing: which topic no longer sends here?"}
	}
	return sdk.Result{Events: []sdk.Event{{
		Action: sdk.Trigger, Severity: sdk.Medium, Title: sdk.Line("SNS topic " + last(m.topic) + " no longer sends here"),
		Description: "The subscription was ended. What is published to the topic from now on will not arrive.",
		DedupKey:    "unsubscribed:" + m.topic, IdentityRule: "topic", OccurredAt: m.at,
		Labels: map[string]string{"topic": last(m.topic)},
	}}}, nil
}

// last returns the last part of an ARN.
func last(arn string) string { return arn[strings.LastIndexByte(arn, ':')+1:] }
