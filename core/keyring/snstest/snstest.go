// Package snstest is a small Amazon SNS for tests: an authority of its own, a
// TLS host on the loopback interface that shows the signing certificate and
// takes confirmations, and messages that are signed as the real ones are.
package snstest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // SignatureVersion 1
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

const (
	// Host is the name that the host's certificate is for.
	Host = "sns.eu-west-1.amazonaws.com"
	// Topic is the ARN of the topic that messages are of.
	Topic = "arn:aws:sns:eu-west-1:123456789012:alarms"

	certPath = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)

// SNS is the service.
type SNS struct {
	Roots   *x509.CertPool // its authority
	CertURL string         // of the signing certificate

	root, issuer, leaf *pair
	server             *httptest.Server

	mu     sync.Mutex
	status int // of every answer, if set
	pages  map[string][]byte
	asked  []string // paths and queries
}

// pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// New starts an SNS that ends with the test.
func New(t testing.TB) *SNS {
	t.Helper()
	root := issue(t, valid("Test Root", true), nil)
	s := &SNS{Roots: x509.NewCertPool(), CertURL: "https://" + Host + certPath, root: root, pages: map[string][]byte{}}
	s.Roots.AddCert(root.cert)
	s.issuer = issue(t, valid("Test Issuer", true), root)
	s.leaf = issue(t, valid("sns.amazonaws.com", false), s.issuer)
	s.pages[certPath] = encode(s.leaf.cert)
	host := issue(t, valid(Host, false), s.issuer)
	s.server = httptest.NewUnstartedServer(s)
	s.server.TLS = &tls.Config{Certificates: []tls.Certificate{{
		Certificate: [][]byte{host.cert.Raw, s.issuer.cert.Raw}, PrivateKey: host.key,
	}}}
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

// valid describes a certificate that is good for an hour.
func valid(name string, ca bool) *x509.Certificate {
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		BasicConstraintsValid: true, IsCA: ca, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		c.KeyUsage = x509.KeyUsageCertSign
	} else {
		c.DNSNames = []string{name}
	}
	return c
}

func issue(t testing.TB, template *x509.Certificate, by *pair) *pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	parent := &pair{cert: template, key: key}
	if by != nil {
		parent = by
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &pair{cert, key}
}

func encode(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// Certificate returns the signing certificate.
func (s *SNS) Certificate() *x509.Certificate { return s.leaf.cert }

// Show puts a certificate on a path of the host, and returns its URL. It is
// signed by the issuer, or by itself.
func (s *SNS) Show(t testing.TB, path string, selfSigned bool, template *x509.Certificate) string {
	t.Helper()
	by := s.issuer
	if selfSigned {
		by = nil
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	s.ShowPage(path, encode(issue(t, template, by).cert))
	return "https://" + Host + path
}

// ShowOfAnother puts a certificate on a path of the host whose issuer the host
// never shows, only names the URL of. It returns both.
func (s *SNS) ShowOfAnother(t testing.TB, path, issuerURL string) (at string, issuer []byte) {
	t.Helper()
	between := issue(t, valid("Another Issuer", true), s.root)
	leaf := valid("sns.amazonaws.com", false)
	leaf.IssuingCertificateURL = []string{issuerURL}
	s.ShowPage(path, encode(issue(t, leaf, between).cert))
	return "https://" + Host + path, between.cert.Raw
}

// ShowPage puts bytes on a path of the host.
func (s *SNS) ShowPage(path string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = content
}

// Answer makes the host answer everything with a status; 0 ends that.
func (s *SNS) Answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

// Asked returns the paths and queries that the host was asked for.
func (s *SNS) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// ServeHTTP makes *SNS its own host.
func (s *SNS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.RequestURI())
	page, ok := s.pages[r.URL.Path]
	switch {
	case s.status != 0:
		w.Header().Set("Location", "https://"+Host+certPath)
		w.WriteHeader(s.status)
	case ok:
		_, _ = w.Write(page) // whoever asked has gone
	case r.URL.Query().Get("Action") != "":
		_, _ = w.Write([]byte("<ConfirmSubscriptionResponse/>"))
	default:
		http.NotFound(w, r)
	}
}

// Dial leads every name to the host.
func (s *SNS) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, s.server.Listener.Addr().String())
}

// Notification returns a signed notification. version is "1" or "2".
func (s *SNS) Notification(t testing.TB, version, id, message string, at time.Time) map[string]string {
	m := s.message("Notification", version, id, message, at)
	m["Subject"] = "A subject"
	s.Sign(t, m)
	return m
}

// Subscription returns a signed request to confirm a subscription.
func (s *SNS) Subscription(t testing.TB, id string, at time.Time) map[string]string {
	m := s.message("SubscriptionConfirmation", "1", id, "You have chosen to subscribe.", at)
	m["Token"] = "2336412f37fb687f5d51e6e2425e90cca"
	m["SubscribeURL"] = "https://" + Host + "/?Action=ConfirmSubscription&TopicArn=" + Topic + "&Token=" + m["Token"]
	s.Sign(t, m)
	return m
}

func (s *SNS) message(kind, version, id, message string, at time.Time) map[string]string {
	return map[string]string{
		"Type": kind, "MessageId": id, "TopicArn": Topic, "Message": message,
		"Timestamp": at.UTC().Format("2006-01-02T15:04:05.000Z"), "SignatureVersion": version, "SigningCertURL": s.CertURL,
	}
}

// Sign signs a message anew.
func (s *SNS) Sign(t testing.TB, m map[string]string) {
	t.Helper()
	text := "Message\n" + m["Message"] + "\nMessageId\n" + m["MessageId"] + "\n"
	if m["Type"] == "Notification" {
		if subject, ok := m["Subject"]; ok {
			text += "Subject\n" + subject + "\n"
		}
		text += "Timestamp\n" + m["Timestamp"] + "\n"
	} else {
		text += "SubscribeURL\n" + m["SubscribeURL"] + "\nTimestamp\n" + m["Timestamp"] + "\nToken\n" + m["Token"] + "\n"
	}
	text += "TopicArn\n" + m["TopicArn"] + "\nType\n" + m["Type"] + "\n"
	hash, sum := crypto.SHA1, sha1.Sum([]byte(text)) //nolint:gosec // SignatureVersion 1
	digest := sum[:]
	if m["SignatureVersion"] == "2" {
		longer := sha256.Sum256([]byte(text))
		hash, digest = crypto.SHA256, longer[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, s.leaf.key, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
}

// Body encodes a message as it is posted.
func Body(t testing.TB, m map[string]string) []byte {
	t.Helper()
	body, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return body
}
