package main

import (
	"encoding/json"
	"net/http"

	"bellcrank.example/sdk"
)

// settings are the integration's settings.
type settings struct {
	Topics           []string `json:"topics" doc:"ARNs of the topics that may send, a star at the end stands for any rest; empty: every topic. A signature only proves that SNS sent a message, not on whose behalf."`
	Confirm          bool     `json:"confirm" default:"true" doc:"Whether subscriptions of these topics are confirmed at once."`
	InsufficientData string   `json:"insufficient_data" default:"trigger" enum:"trigger,ignore,resolve" doc:"What an alarm without data does to its incident."`
	Unsubscribed     string   `json:"unsubscribed" default:"incident" enum:"incident,ignore" doc:"What becomes of the news that a topic no longer sends here."`
	ServiceFrom      []string `json:"service_dimensions" default:"[\"ServiceName\",\"Service\",\"service\",\"FunctionName\",\"DBInstanceIdentifier\",\"LoadBalancer\",\"QueueName\"]" doc:"Dimensions of a metric whose value is the service; the first that is there counts."`
}

// The headers that SNS adds, and what they say.
const (
	headerType  = "X-Amz-Sns-Message-Type"
	headerTopic = "X-Amz-Sns-Topic-Arn"
	headerRaw   = "X-Amz-Sns-Rawdelivery"
	headerID    = "X-Amz-Sns-Message-Id"

	typeNotification = "Notification"
	typeSubscribe    = "SubscriptionConfirmation"
	typeUnsubscribe  = "UnsubscribeConfirmation"
)

// Describe says what the adapter is.
func (adapter) Describe() sdk.Info {
	return sdk.Info{
		Type: "sns", Name: "AWS SNS and CloudWatch", Version: "1.0.0",
		Summary: "CloudWatch alarms, and every other message of an Amazon SNS topic.",
		DocsURL: "https://docs.aws.amazon.com/sns/latest/dg/sns-http-https-endpoint-as-subscriber.html",
		Sender:  sdk.Machine,
		// SNS doesn't keep the order, and CloudWatch says when a state began.
		EventTime:    sdk.Observed,
		Headers:      []string{headerType, headerTopic, headerRaw, headerID, "Content-Type"},
		DeliveryID:   &sdk.DeliveryID{Header: headerID},
		Signatures:   []sdk.SignatureScheme{{Name: "sns", Kind: sdk.SchemeSNS}},
		ConfirmHosts: []string{"sns.*.amazonaws.com", "sns.*.amazonaws.com.cn"},
		Settings:     sdk.SettingsOf[settings](),
		Reads:        []string{"Type", "TopicArn", "Subject", "Message", "Timestamp"},
		Samples: []sdk.Sample{
			sample("alarm", sampleAlarm), sample("alarm is over", sampleOK), sample("other message", sampleOther),
		},
		Setup: setup,
	}
}

func sample(name, message string) sdk.Sample {
	body, err := json.Marshal(map[string]string{
		"Type": typeNotification, "MessageId": "1b9a0c52-70c1-5f0e-8d8e-5a0f6f2d4c11",
		"TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms", "Message": message,
		"Timestamp": "2026-01-09T09:46:41.118Z", "SignatureVersion": "1",
	})
	if err != nil {
		panic(err) // strings can be encoded
	}
	return sdk.Sample{
		Name:   name,
		Header: http.Header{"Content-Type": {"text/plain; charset=UTF-8"}, headerType: {typeNotification}},
		Body:   body,
	}
}

const (
	sampleAlarm = `{"AlarmName":"checkout-5xx","AlarmDescription":"The load balancer answers with errors.","AWSAccountId":"123456789012",` +
		`"NewStateValue":"ALARM","NewStateReason":"Threshold Crossed: 3 datapoints were greater than the threshold (25.0).",` +
		`"StateChangeTime":"2026-01-09T09:46:40.902+0000","Region":"EU (Ireland)",` +
		`"AlarmArn":"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-5xx","OldStateValue":"OK",` +
		`"Trigger":{"MetricName":"HTTPCode_Target_5XX_Count","Namespace":"AWS/ApplicationELB","Statistic":"SUM","Period":60,` +
		`"EvaluationPeriods":3,"Threshold":25.0,"Dimensions":[{"name":"LoadBalancer","value":"app/checkout/5f3c"}]}}`
	sampleOK = `{"AlarmName":"checkout-5xx","AlarmDescription":"The load balancer answers with errors.","AWSAccountId":"123456789012",` +
		`"NewStateValue":"OK","NewStateReason":"Threshold Crossed: 1 datapoint was not greater than the threshold (25.0).",` +
		`"StateChangeTime":"2026-01-09T09:58:40.902+0000","Region":"EU (Ireland)",` +
		`"AlarmArn":"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-5xx","OldStateValue":"ALARM"}`
	sampleOther = "Replica lag of orders-db is above 30 seconds."
)

const setup = "1. Add the ARN of your topic to this integration's `topics`.\n" +
	"2. In SNS, create an **HTTPS** subscription of the topic, without raw message delivery:\n\n" +
	"       {{url}}\n\n" +
	"   The gateway confirms it by itself.\n" +
	"3. Name the topic in the alarm's actions for the states **In alarm** and **OK**: without the latter its\n" +
	"   incidents are never resolved.\n"
