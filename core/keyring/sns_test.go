package keyring

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/core/keyring/snstest"
	"bellcrank.example/sdk"
)

var signedBySNS = sdk.Info{Signatures: one(sdk.SignatureScheme{Kind: sdk.SchemeSNS})}

// shelf has one certificate, or none yet, or a reason why there will be none.
type shelf struct {
	cert *x509.Certificate
	err  error
}

func (s shelf) Certificate(string) (*x509.Certificate, error) { return s.cert, s.err }

// The messages and the certificate in testdata/sns were made with openssl.
func TestMessagesOfSNS(t *testing.T) {
	file, err := os.ReadFile("testdata/sns/cert.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(file)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	for _, name := range []string{"notification_v1", "notification_v2", "subscription_v1", "subscription_v2"} {
		body, err := os.ReadFile("testdata/sns/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		v := Verifier{Certificates: shelf{cert: cert}}
		proof, err := v.Verify(&core.Integration{Info: signedBySNS}, http.Header{}, body, body, at)
		if err != nil || proof.Pending != "" || proof.Delivery.ID == [16]byte{} {
			t.Errorf("%s: %+v, %v; want a proof with a delivery id", name, proof, err)
		}
		for _, member := range []string{"Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"} {
			var m map[string]string
			if err := json.Unmarshal(body, &m); err != nil {
				t.Fatal(err)
			}
			if _, ok := m[member]; !ok {
				continue
			}
			m[member] = strings.Replace(m[member]+"x", "2026-12-01T12:00:00.000Zx", "2026-12-01T12:00:00.001Z", 1)
			forged := snstest.Body(t, m)
			if _, err := v.Verify(&core.Integration{Info: signedBySNS}, http.Header{}, forged, forged, at); !says(err, core.SignatureInvalid, "The signature doesn't match") {
				t.Errorf("%s with another %s: %v, want a signature that doesn't match", name, member, err)
			}
		}
	}
}

func says(err error, code core.Code, reason string) bool {
	e, ok := errors.AsType[*core.Error](err)
	return ok && e.Code == code && strings.Contains(e.Message, reason)
}

func TestRefusalsOfSNSHaveReasonsOfTheirOwn(t *testing.T) {
	sns := snstest.New(t)
	now := time.Now()
	tests := map[string]struct {
		change func(m map[string]string)
		header []string
		body   func(body string) string
		now    time.Time
		certs  Certificates
		code   core.Code
		reason string
	}{
		"good":                        {},
		"good, with its id":           {header: []string{"X-Amz-Sns-Message-Id", "msg-1"}},
		"older than an hour of tries": {now: now.Add(80 * time.Minute), certs: shelf{cert: sns.Certificate()}, code: core.SignatureInvalid, reason: "certificate has expired"},
		"stale":                       {now: now.Add(snsTolerance + time.Minute), code: core.SignatureExpired, reason: "too far from the present"},
		"from the future":             {now: now.Add(-snsTolerance - time.Minute), code: core.SignatureExpired, reason: "too far from the present"},
		"no time":                     {change: func(m map[string]string) { m["Timestamp"] = "soon"; sns.Sign(t, m) }, code: core.SignatureInvalid, reason: "no time"},
		"certificate of a stranger": {change: func(m map[string]string) {
			m["SigningCertURL"] = "https://sns.eu-west-1.amazonaws.com.evil.example/x.pem"
		}, code: core.SignatureInvalid, reason: "isn't on a host of Amazon SNS"},
		"certificate gone":             {certs: shelf{err: invalid("The signing certificate isn't there")}, code: core.SignatureInvalid, reason: "isn't there"},
		"text is no base64":            {change: func(m map[string]string) { m["Signature"] = "?" }, code: core.SignatureInvalid, reason: "doesn't match"},
		"version unknown":              {change: func(m map[string]string) { m["SignatureVersion"] = "3" }, code: core.SignatureInvalid, reason: "neither 1 nor 2"},
		"version 2 said of version 1":  {change: func(m map[string]string) { m["SignatureVersion"] = "2" }, code: core.SignatureInvalid, reason: "doesn't match"},
		"another id in the header":     {header: []string{"X-Amz-Sns-Message-Id", "msg-2"}, code: core.SignatureInvalid, reason: "isn't the signed one"},
		"raw delivery":                 {header: []string{"X-Amz-Sns-Rawdelivery", "true"}, code: core.SignatureInvalid, reason: "Raw message delivery isn't signed"},
		"a member twice":               {body: func(b string) string { return `{"Message":"x",` + b[1:] }, code: core.SignatureInvalid, reason: "isn't a signed SNS message"},
		"a member in two letter cases": {body: func(b string) string { return `{"message":"x",` + b[1:] }, code: core.SignatureInvalid, reason: "isn't a signed SNS message"},
		"something behind it":          {body: func(b string) string { return b + `{}` }, code: core.SignatureInvalid, reason: "isn't a signed SNS message"},
		"cut short":                    {body: func(b string) string { return b[:len(b)-3] }, code: core.SignatureInvalid, reason: "isn't a signed SNS message"},
		"no object":                    {body: func(string) string { return `[]` }, code: core.SignatureInvalid, reason: "isn't a signed SNS message"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := sns.Notification(t, "1", "msg-1", "disk full", now)
			if tt.change != nil {
				tt.change(m)
			}
			body := string(snstest.Body(t, m))
			if tt.body != nil {
				body = tt.body(body)
			}
			header := http.Header{}
			for i := 0; i < len(tt.header); i += 2 {
				header.Set(tt.header[i], tt.header[i+1])
			}
			v := Verifier{Certificates: tt.certs}
			if v.Certificates == nil {
				v.Certificates = shelf{cert: sns.Certificate()}
			}
			at := tt.now
			if at.IsZero() {
				at = now
			}
			_, err := v.Verify(&core.Integration{Info: signedBySNS}, header, []byte(body), []byte(body), at)
			if tt.code == "" && err != nil || tt.code != "" && !says(err, tt.code, tt.reason) {
				t.Errorf("Verify = %v, want code %q and reason %q", err, tt.code, tt.reason)
			}
		})
	}
}

func TestMessageOfSNSWaitsForItsCertificate(t *testing.T) {
	sns := snstest.New(t)
	body := snstest.Body(t, sns.Notification(t, "2", "msg-1", "disk full", time.Now()))
	for name, certs := range map[string]Certificates{
		"on its way": shelf{err: fmt.Errorf("%w: no route to host", ErrNoCertificateYet)}, "nobody fetches": nil,
	} {
		proof, err := Verifier{Certificates: certs}.Verify(&core.Integration{Info: signedBySNS}, http.Header{}, body, body, time.Now())
		if err != nil || proof.Pending == "" {
			t.Errorf("%s: %+v, %v; want a proof that is pending", name, proof, err)
		}
	}
	if _, err := (Verifier{}).Verify(&core.Integration{Info: signedBySNS, VerifyNone: true}, http.Header{}, nil, nil, time.Now()); err != nil {
		t.Errorf("verify = none: %v", err)
	}
}

// What isn't signed can be changed by anybody: it must not make a replay look
// new, nor a forgery like the first delivery of what is still to come.
func TestReplayOfSNSIsKnownByWhatIsSigned(t *testing.T) {
	sns := snstest.New(t)
	v := Verifier{Certificates: shelf{cert: sns.Certificate()}}
	deliveryOf := func(m map[string]string, header http.Header) core.DeliveryKey {
		t.Helper()
		body := snstest.Body(t, m)
		proof, err := v.Verify(&core.Integration{Info: signedBySNS}, header, body, body, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return proof.Delivery
	}
	m := sns.Notification(t, "1", "msg-1", "disk full", time.Now())
	first := deliveryOf(m, http.Header{})
	m["UnsubscribeURL"], m["More"] = "https://x.example", "y"
	if again := deliveryOf(m, http.Header{"Idempotency-Key": {"new"}}); again != first {
		t.Error("a replay with other members and headers counts as a new delivery")
	}
	if other := deliveryOf(sns.Notification(t, "1", "msg-2", "disk full", time.Now()), http.Header{}); other == first {
		t.Error("two messages count as one delivery")
	}
	forged := sns.Notification(t, "1", "msg-1", "disk full", time.Now())
	forged["Signature"] = "AAAA"
	body := snstest.Body(t, forged)
	proof, err := Verifier{}.Verify(&core.Integration{Info: signedBySNS}, http.Header{}, body, body, time.Now())
	if err != nil || proof.Delivery == first || proof.Delivery.ID != first.ID {
		t.Errorf("a forgery with a message's id: %+v, %v; want another body under that id", proof, err)
	}
}

func TestSigningURL(t *testing.T) {
	const name = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
	for url, want := range map[string]bool{
		"https://sns.us-east-1.amazonaws.com" + name:            true,
		"https://sns.us-gov-west-1.amazonaws.com" + name:        true,
		"https://sns.cn-north-1.amazonaws.com.cn" + name:        true,
		"http://sns.us-east-1.amazonaws.com" + name:             false,
		"https://sns.us-east-1.amazonaws.com:8443" + name:       false,
		"https://sns.us-east-1.amazonaws.com.evil.org" + name:   false,
		"https://evil.org/sns.us-east-1.amazonaws.com" + name:   false,
		"https://sns.us-east-1.amazonaws.com@evil.org" + name:   false,
		"https://a:b@sns.us-east-1.amazonaws.com" + name:        false,
		"https://sns.a.b.amazonaws.com" + name:                  false,
		"https://sns..amazonaws.com" + name:                     false,
		"https://mybucket.s3.amazonaws.com" + name:              false,
		"https://sns.us-east-1.amazonaws.com/?x=" + name:        false,
		"https://sns.us-east-1.amazonaws.com" + name + "#x":     false,
		"https://sns.us-east-1.amazonaws.com/../x.pem":          false,
		"https://sns.us-east-1.amazonaws.com/":                  false,
		"https://sns.us-east-1.amazonaws.com/" + big() + ".pem": false,
		"": false,
	} {
		if _, got := SigningURL(url); got != want {
			t.Errorf("SigningURL(%q) = %v, want %v", url, got, want)
		}
	}
}

func big() string { return strings.Repeat("x", 300) }

func FuzzReadSNS(f *testing.F) {
	f.Add([]byte(`{"MessageId":"1","Message":"x","Type":"Notification"}`))
	f.Add([]byte(`{"MessageId":"1","messageid":"2"}`))
	f.Add([]byte(`{"MessageId":1e400,"":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, ok := readSNS(body)
		if !ok {
			return
		}
		// Whatever decoder comes after must find the same.
		var theirs map[string]any
		if err := json.Unmarshal(body, &theirs); err != nil {
			t.Fatalf("%q was read, but is no JSON: %v", body, err)
		}
		for name, value := range m {
			if theirs[name] != value {
				t.Errorf("%s is %q for us and %v for others", name, value, theirs[name])
			}
		}
		if !bytes.Equal(m.signed(), m.signed()) {
			t.Error("what is signed depends on the order of a map")
		}
	})
}
