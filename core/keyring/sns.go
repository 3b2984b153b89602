package keyring

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what SNS signs with unless a topic says otherwise
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// Certificates finds the certificates that SNS signs with.
type Certificates interface {
	// Certificate returns the certificate at a URL that SigningURL allows. It
	// never blocks: while nobody knows the certificate the error is
	// ErrNoCertificateYet, or wraps it. A certificate that will not do is a
	// *core.Error.
	Certificate(url string) (*x509.Certificate, error)
}

// ErrNoCertificateYet says that a certificate is being fetched.
var ErrNoCertificateYet = errors.New("the signing certificate is not there yet")

// snsTolerance is how old a message may be. SNS repeats a message for an hour
// at most, and its first try isn't always at once.
const snsTolerance = 90 * time.Minute

// notification and confirmation are the members that SNS signs, in its order:
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
func notification() []string {
	return []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
}

func confirmation() []string {
	return []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
}

// signingHost is where SNS keeps its certificates.
var signingHost = regexp.MustCompile(`^sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$`)

// SigningURL returns the URL of a signing certificate as it may be fetched,
// false if it isn't Amazon's: whoever could name another would sign for it.
func SigningURL(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(raw) > 256 {
		return "", false
	}
	if !signingHost.MatchString(u.Host) || !strings.HasSuffix(u.Path, ".pem") || strings.Contains(u.Path, "..") {
		return "", false
	}
	return u.String(), true
}

// snsMessage is the text members of an SNS message.
type snsMessage map[string]string

// readSNS reads the members that count. An object that names one of them
// twice, in whatever letter case, is refused: who reads it after us could take
// the other one.
func readSNS(body []byte) (snsMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(body))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	m, seen := snsMessage{}, map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, ok := token.(string)
		var value any
		if err != nil || !ok || d.Decode(&value) != nil || seen[strings.ToLower(name)] {
			return nil, false
		}
		seen[strings.ToLower(name)] = true
		if text, ok := value.(string); ok {
			m[name] = text
		}
	}
	_, err := d.Token()
	return m, err == nil && !d.More() && m["MessageId"] != ""
}

// signed returns the text that is signed.
func (m snsMessage) signed() []byte {
	members := notification()
	if m["Type"] != "Notification" {
		members = confirmation()
	}
	var text bytes.Buffer
	for _, name := range members {
		if value, ok := m[name]; ok {
			text.WriteString(name + "\n" + value + "\n")
		}
	}
	return text.Bytes()
}

// declaresSNS reports whether the integration's requests are signed by SNS.
func declaresSNS(in *core.Integration) bool {
	return slices.ContainsFunc(in.Info.Signatures, func(s sdk.SignatureScheme) bool { return s.Kind == sdk.SchemeSNS })
}

// verifySNS checks an SNS message. What can be refused without the certificate
// is, so that nothing waits for it in vain.
func (v Verifier) verifySNS(header http.Header, body []byte, now time.Time) (core.Proof, error) {
	if strings.EqualFold(header.Get("X-Amz-Sns-Rawdelivery"), "true") {
		return core.Proof{}, invalid("Raw message delivery isn't signed: turn it off for the subscription, or declare another signature")
	}
	m, ok := readSNS(body)
	if !ok {
		return core.Proof{}, invalid("The body isn't a signed SNS message")
	}
	if id := header.Get("X-Amz-Sns-Message-Id"); id != "" && id != m["MessageId"] {
		return core.Proof{}, invalid("The message id of the header isn't the signed one")
	}
	at, ok := SigningURL(m["SigningCertURL"])
	if !ok {
		return core.Proof{}, invalid("The signing certificate isn't on a host of Amazon SNS")
	}
	if err := m.fresh(now); err != nil {
		return core.Proof{}, err
	}
	proof := core.Proof{Delivery: m.delivery()}
	cert, err := v.certificate(at)
	if errors.Is(err, ErrNoCertificateYet) {
		proof.Pending = err.Error()
		return proof, nil
	}
	if err == nil {
		err = m.verify(cert, now)
	}
	return proof, err
}

// delivery recognises a message by what is signed and by the signature: what
// else is in the body can be changed by anybody, and a forgery with the id of a
// message that is still to come must not pass for its first delivery.
func (m snsMessage) delivery() core.DeliveryKey {
	signature, _ := base64.StdEncoding.DecodeString(m["Signature"]) // verify complains of it
	return core.DeliveryKey{
		ID: core.HashKey("sns\x00" + m["MessageId"]), Body: core.HashKey(string(append(m.signed(), signature...))),
	}
}

func (v Verifier) certificate(at string) (*x509.Certificate, error) {
	if v.Certificates == nil {
		return nil, ErrNoCertificateYet
	}
	return v.Certificates.Certificate(at)
}

// fresh judges the time of a message.
func (m snsMessage) fresh(now time.Time) error {
	at, err := time.Parse(time.RFC3339Nano, m["Timestamp"])
	if err != nil {
		return invalid("The message has no time")
	}
	if now.Sub(at).Abs() > snsTolerance {
		return &core.Error{Code: core.SignatureExpired, Message: "The signature's timestamp is too far from the present"}
	}
	return nil
}

func (m snsMessage) verify(cert *x509.Certificate, now time.Time) error {
	if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		return invalid("The signing certificate has expired, or isn't valid yet")
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	signature, err := base64.StdEncoding.DecodeString(m["Signature"])
	if !ok || err != nil {
		return invalid("The signature doesn't match")
	}
	text := m.signed()
	switch m["SignatureVersion"] {
	case "1":
		sum := sha1.Sum(text) //nolint:gosec // see the import
		err = rsa.VerifyPKCS1v15(key, crypto.SHA1, sum[:], signature)
	case "2":
		sum := sha256.Sum256(text)
		err = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	default:
		return invalid("The signature's version is neither 1 nor 2")
	}
	if err != nil {
		return invalid("The signature doesn't match")
	}
	return nil
}
