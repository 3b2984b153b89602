package keyring

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some vendors still sign with it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// sender signs as one kind of vendor does.
type sender struct {
	scheme sdk.SignatureScheme
	sign   func(secret, body string, at time.Time) http.Header
	// stamped senders sign the time as well; bare ones sign nothing, and send
	// the secret itself.
	stamped, bare bool
}

func mac(algorithm func() hash.Hash, secret, text string) []byte {
	m := hmac.New(algorithm, []byte(secret))
	m.Write([]byte(text))
	return m.Sum(nil)
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// senders are the schemes that vendors use, each signed by hand.
var senders = map[string]sender{
	"Sentry: hex over the body": {
		scheme: sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Algorithm: "sha256", Header: "Sentry-Hook-Signature", Encoding: "hex"},
		sign: func(secret, body string, at time.Time) http.Header {
			return headers("Sentry-Hook-Signature", hex.EncodeToString(mac(sha256.New, secret, body)))
		},
	},
	"GitHub: hex with a prefix": {
		scheme: sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Algorithm: "sha256", Header: "X-Hub-Signature-256", Prefix: "sha256=", Encoding: "hex"},
		sign: func(secret, body string, at time.Time) http.Header {
			return headers("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac(sha256.New, secret, body)))
		},
	},
	"Grafana: time and body": {
		scheme: sdk.SignatureScheme{
			Kind: sdk.SchemeHMAC, Algorithm: "sha256", Header: "X-Grafana-Alerting-Signature", Encoding: "hex",
			Signed: "{timestamp}:{body}", TimestampHeader: "X-Grafana-Alerting-Timestamp", Tolerance: 5 * time.Minute,
		},
		sign: func(secret, body string, at time.Time) http.Header {
			unix := strconv.FormatInt(at.Unix(), 10)
			return headers("X-Grafana-Alerting-Timestamp", unix, "X-Grafana-Alerting-Signature", hex.EncodeToString(mac(sha256.New, secret, unix+":"+body)))
		},
		stamped: true,
	},
	"an operator's own: SHA-512, base64, id and time": {
		scheme: sdk.SignatureScheme{
			Kind: sdk.SchemeHMAC, Algorithm: "sha512", Header: "X-Acme-Signature", Encoding: "base64", Prefix: "v0=",
			Signed: "v0:{id}:{timestamp}:{body}", IDHeader: "X-Acme-Id", TimestampHeader: "X-Acme-Time", Tolerance: time.Minute,
		},
		sign: func(secret, body string, at time.Time) http.Header {
			unix := strconv.FormatInt(at.Unix(), 10)
			sum := mac(sha512.New, secret, "v0:id-7:"+unix+":"+body)
			return headers("X-Acme-Id", "id-7", "X-Acme-Time", unix, "X-Acme-Signature", "v0="+base64.StdEncoding.EncodeToString(sum))
		},
		stamped: true,
	},
	"an old one: SHA-1": {
		scheme: sdk.SignatureScheme{Kind: sdk.SchemeHMAC, Algorithm: "sha1", Header: "X-Signature", Encoding: "hex"},
		sign: func(secret, body string, at time.Time) http.Header {
			return headers("X-Signature", hex.EncodeToString(mac(sha1.New, secret, body)))
		},
	},
	"Standard Webhooks": {
		scheme: sdk.SignatureScheme{Kind: sdk.SchemeStandardWebhooks},
		sign: func(secret, body string, at time.Time) http.Header {
			unix := strconv.FormatInt(at.Unix(), 10)
			sum := mac(sha256.New, secret, "msg_7."+unix+"."+body)
			return headers("Webhook-Id", "msg_7", "Webhook-Timestamp", unix, "Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(sum))
		},
		stamped: true,
	},
	"basic": {
		scheme: sdk.SignatureScheme{Kind: sdk.SchemeBasic},
		sign: func(secret, body string, at time.Time) http.Header {
			return headers("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(secret)))
		},
		bare: true,
	},
	"bearer": {
		scheme: sdk.SignatureScheme{Kind: sdk.SchemeBearer},
		sign:   func(secret, body string, at time.Time) http.Header { return headers("Authorization", "Bearer "+secret) },
		bare:   true,
	},
	"a shared header": {
		scheme: sdk.SignatureScheme{Kind: sdk.SchemeSharedSecret, Header: "X-Token", Prefix: "token "},
		sign:   func(secret, body string, at time.Time) http.Header { return headers("X-Token", "token "+secret) },
		bare:   true,
	},
}

// code is what a refusal publishes, "" for none.
func code(err error) core.Code {
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e.Code
	}
	return ""
}

func TestEverySchemeTakesItsOwnAndRefusesTheRest(t *testing.T) {
	const body, older, newer = `{"title":"Disk full","n":1.0}`, "user:the-older-secret", "user:the-newer-secret"
	at := time.Unix(1_700_000_000, 0)
	for name, s := range senders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := func(words ...string) *core.Integration {
				return &core.Integration{Info: sdk.Info{Signatures: one(s.scheme)}, SigningSecrets: secrets(strings.Join(words, " "))}
			}
			signed := s.sign(older, body, at)
			check := func(what string, in *core.Integration, h http.Header, body string, now time.Time, want core.Code) {
				if err := Verify(in, h, []byte(body), now); code(err) != want || (err == nil) != (want == "") {
					t.Errorf("%s: %v, want code %q", what, err, want)
				}
			}
			check("good", in(older), signed, body, at, "")
			check("sent again while it is fresh", in(older), signed, body, at.Add(20*time.Second), "")
			check("rotation: the older of two", in(newer, older), signed, body, at, "")
			check("rotation: the newer of two", in(newer, older), s.sign(newer, body, at), body, at, "")
			check("rotated away", in(newer), signed, body, at, core.SignatureInvalid)
			check("not signed", in(older), http.Header{}, body, at, core.SignatureInvalid)
			if !s.bare {
				check("tampered", in(older), signed, strings.Replace(body, "Disk", "Desk", 1), at, core.SignatureInvalid)
				check("encoded anew", in(older), signed, strings.Replace(body, "1.0", "1", 1), at, core.SignatureInvalid)
				check("of another body", in(older), s.sign(older, "{}", at), body, at, core.SignatureInvalid)
			}
			if s.stamped {
				check("stale", in(older), signed, body, at.Add(time.Hour), core.SignatureExpired)
				check("of the future", in(older), signed, body, at.Add(-time.Hour), core.SignatureExpired)
				check("stale and tampered", in(older), signed, body+" ", at.Add(time.Hour), core.SignatureInvalid)
			}
		})
	}
}
