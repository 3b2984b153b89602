package webhook

import (
	"crypto/sha256"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"bellcrank.example/core"
	"bellcrank.example/sdk"
)

// headerOf copies the header lines out of Fiber's buffers.
func headerOf(c *fiber.Ctx) http.Header {
	header := make(http.Header, c.Request().Header.Len())
	for name, value := range c.Request().Header.All() {
		header.Add(string(name), string(value))
	}
	return header
}

// always are the headers that every request is stored with.
var always = []string{"Content-Type", "Content-Encoding", "User-Agent", idempotencyKey}

// never are headers that hold secrets, whoever asks for them.
var never = []string{"Authorization", "Proxy-Authorization", "Cookie"}

// kept returns the lines that are stored: those that explain the body, those
// that the adapter asks for, and those that the signature needs. Secrets
// aren't among them.
func kept(in *core.Integration, header http.Header) http.Header {
	names := slices.Concat(always, in.Info.Headers)
	secrets := slices.Clone(never)
	for _, s := range in.Info.Signatures {
		switch s.Kind {
		case sdk.SchemeHMAC:
			names = append(names, s.Header, s.TimestampHeader, s.IDHeader)
		case sdk.SchemeStandardWebhooks:
			names = append(names, "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature")
		case sdk.SchemeSNS:
			names = append(names, "X-Amz-Sns-Message-Id", "X-Amz-Sns-Rawdelivery")
		case sdk.SchemeSharedSecret:
			secrets = append(secrets, s.Header)
		}
	}
	if d := in.Info.DeliveryID; d != nil {
		names = append(names, d.Header)
		if d.BodyHashWhen != nil {
			names = append(names, d.BodyHashWhen.Name)
		}
	}
	for _, e := range in.Info.Entrances {
		if name, ok := strings.CutPrefix(e.KeyFrom, "header:"); ok {
			secrets = append(secrets, name)
		}
	}
	return pick(header, names, secrets)
}

func pick(header http.Header, names, secrets []string) http.Header {
	picked := http.Header{}
	for _, name := range names {
		name = http.CanonicalHeaderKey(name)
		if values := header[name]; len(values) > 0 {
			picked[name] = values
		}
	}
	for _, name := range secrets {
		picked.Del(name)
	}
	return picked
}

const idempotencyKey = "Idempotency-Key"

// deliveryKey recognises a repeat of this delivery. A sender's own key goes
// before the vendor's id; the hash of the body alone identifies nothing unless
// the adapter says so.
func deliveryKey(in *core.Integration, header http.Header, body []byte) core.DeliveryKey {
	d := in.Info.DeliveryID
	switch {
	case header.Get(idempotencyKey) != "":
		return keyOf("key", header.Get(idempotencyKey), body)
	case d == nil && signedID(in, header) != "":
		return keyOf("id", signedID(in, header), body)
	case d == nil:
		return core.DeliveryKey{}
	case d.Header != "" && header.Get(d.Header) != "":
		return keyOf("id", header.Get(d.Header), body)
	case d.BodyHashWhen != nil && d.BodyHashWhen.Matches(header):
		return keyOf("body", string(body), body)
	}
	return core.DeliveryKey{}
}

// signedID is the id that a signature covers, so that a request which is sent
// again is known as a repeat while its timestamp still passes.
func signedID(in *core.Integration, header http.Header) string {
	for _, s := range in.Info.Signatures {
		name := s.IDHeader
		if s.Kind == sdk.SchemeStandardWebhooks {
			name = "Webhook-Id"
		}
		if id := header.Get(name); name != "" && id != "" {
			return id
		}
	}
	return ""
}

func keyOf(kind, id string, body []byte) core.DeliveryKey {
	idSum := sha256.Sum256(append([]byte(kind+"\x00"), id...))
	bodySum := sha256.Sum256(body)
	return core.DeliveryKey{ID: [16]byte(idSum[:]), Body: [16]byte(bodySum[:])}
}

func encodingOf(header http.Header) string {
	encoding := strings.ToLower(strings.TrimSpace(strings.Join(header["Content-Encoding"], ",")))
	if encoding == "identity" {
		return ""
	}
	return encoding
}
